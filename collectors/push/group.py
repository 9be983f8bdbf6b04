"""A group of pushed metrics: what the pushes of one grouping key amount to. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from collectors.push.address import source_of
from core.errors import UserError
from metrics.exposition import ExpositionError, Limits, Parsed, parse
from metrics.frame import Family, Frame, Layout, MetricType
from metrics.label import METRIC_NAME, Labels, format_labels, labels_of, metric_name, with_labels

PUSH_TIME = "push_time_seconds"
FAILURE_TIME = "push_failure_time_seconds"

_OWN = {
    PUSH_TIME: Family(PUSH_TIME, MetricType.GAUGE, "When the group was last pushed, Unix seconds."),
    FAILURE_TIME: Family(FAILURE_TIME, MetricType.GAUGE, "When a push to the group was last refused; 0 for never."),
}
_SUFFIXES = ("_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum")

Sample = tuple[Labels, int]
"""A series and the bits of its value."""


class InconsistentError(UserError):
    """A push that could be read and not be used; the group notes its time."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """The content of one push: samples and what is told about them, by family."""

    samples: Mapping[str, tuple[Sample, ...]]
    families: Mapping[str, Family]


@dataclass(frozen=True, slots=True)
class Group:
    """What is known of a grouping key.

    Attributes:
        pushed_at, failed_at: Unix seconds; 0 for never.
    """

    grouping: Labels
    content: Pushed = field(default_factory=lambda: Pushed({}, {}))
    pushed_at: float = 0.0
    failed_at: float = 0.0

    @property
    def source(self) -> str:
        """The name under which its samples are stored."""
        return source_of(self.grouping)

    @property
    def touched_at(self) -> float:
        """When anything was last pushed, taken or not."""
        return max(self.pushed_at, self.failed_at)

    def pushed(self, pushed: Pushed, now: float, *, replace_all: bool) -> Group:
        """Return the group after a push: PUT replaces all, POST the families that it brings."""
        before = Pushed({}, {}) if replace_all else self.content
        samples = {**before.samples, **pushed.samples}
        families = {**before.families, **pushed.families}
        return replace(self, content=Pushed(samples, families), pushed_at=now)

    def failed(self, now: float) -> Group:
        """Return the group after a push that was refused."""
        return replace(self, failed_at=now)

    def layout(self) -> Layout:
        """Return its series, those of the group's own times last."""
        series = [labels for samples in self.content.samples.values() for labels, _ in samples]
        own = [with_labels(self.grouping, {METRIC_NAME: name}) for name in _OWN]
        return Layout((*series, *own))

    def frame(self, layout: Layout, timestamp_ms: int) -> Frame:
        """Return its samples, as of now."""
        bits = [bits for samples in self.content.samples.values() for _, bits in samples]
        values = np.empty(len(layout), dtype=np.float64)
        values[: len(bits)] = np.array(bits, dtype=np.uint64).view(np.float64)
        values[len(bits) :] = (self.pushed_at, self.failed_at)
        return Frame(self.source, timestamp_ms, layout, values, None, {**self.content.families, **_OWN})

    def to_json(self) -> str:
        """Return the content as text for the state database."""
        families = [[one.name, one.type.value, one.help, one.unit] for one in self.content.families.values()]
        samples = {name: [[labels, bits] for labels, bits in of] for name, of in self.content.samples.items()}
        return json.dumps({"families": families, "samples": samples}, separators=(",", ":"))


def content_from_json(text: str) -> Pushed:
    """Return what `to_json` wrote."""
    document = json.loads(text)
    families = {name: Family(name, MetricType(kind), about, unit) for name, kind, about, unit in document["families"]}
    samples = {
        name: tuple((labels_of((key, value) for key, value in labels), int(bits)) for labels, bits in of)
        for name, of in document["samples"].items()
    }
    return Pushed(samples, families)


def read_push(body: bytes, content_type: str, grouping: Labels, *, max_samples: int) -> Pushed:
    """Return what a body in the text format brings, with the labels of the group on every series.

    Raises:
        UserError: the body cannot be read.
        InconsistentError: it brings timestamps, or a series twice.
    """
    try:
        parsed = parse(body, content_type, None, Limits(samples=max_samples))
    except ExpositionError as error:
        raise UserError(f"the body cannot be read: {error}; send the text format of Prometheus") from error
    if parsed.timestamps_ms is not None:
        raise InconsistentError("the metrics have timestamps; push them without")
    return _grouped(parsed, grouping)


def _grouped(parsed: Parsed, grouping: Labels) -> Pushed:
    samples: dict[str, list[Sample]] = {}
    seen: set[Labels] = set()
    for series, bits in zip(parsed.layout.series, parsed.values.view(np.uint64).tolist(), strict=True):
        if metric_name(series) in _OWN:
            continue  # these are the group's own, as in a Pushgateway
        labels = with_labels(series, dict(grouping))
        if labels in seen or parsed.duplicates:
            raise InconsistentError(f"the series {format_labels(labels)} comes twice; push every series once")
        seen.add(labels)
        samples.setdefault(_family_name(metric_name(series), parsed.families), []).append((labels, bits))
    families = {name: family for name, family in parsed.families.items() if name in samples}
    return Pushed({name: tuple(of) for name, of in samples.items()}, families)


def _family_name(name: str, families: Mapping[str, Family]) -> str:
    if name in families:
        return name
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and name.removesuffix(suffix) in families:
            return name.removesuffix(suffix)
    return name
