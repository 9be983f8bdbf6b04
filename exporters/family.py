"""Sorts series into metric families as the text formats want them: each family once, its samples side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from metrics.frame import Family, MetricType
from metrics.label import METRIC_NAME, Labels, label_value, metric_name

_SUFFIXES: Mapping[MetricType, tuple[str, ...]] = {
    MetricType.COUNTER: ("_total", "_created"),
    MetricType.HISTOGRAM: ("_bucket", "_count", "_sum", "_created"),
    MetricType.GAUGEHISTOGRAM: ("_bucket", "_gcount", "_gsum"),
    MetricType.SUMMARY: ("_count", "_sum", "_created"),
    MetricType.INFO: ("_info",),
}
_BOUND = {MetricType.HISTOGRAM: "le", MetricType.GAUGEHISTOGRAM: "le", MetricType.SUMMARY: "quantile"}
"""The label that tells the parts of one metric apart."""


@dataclass(frozen=True, slots=True)
class Member:
    """A series of a group: its place among all values, and whether it is one part of a metric with several."""

    labels: Labels
    place: int
    bound: str = ""


@dataclass(slots=True)
class Group:
    """A family as it is written: `name` and `type` are those of its TYPE line."""

    name: str
    type: str
    help: str
    unit: str
    members: list[Member] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Heading:
    name: str
    type: str


def group(
    sources: Iterable[tuple[Sequence[Labels], Mapping[str, Family]]],
    *,
    openmetrics: bool,
    written: Callable[[str], str] = str,
) -> list[Group]:
    """Return the families of all sources, in the order in which they come.

    Places count through all series of all sources. Of families that are told differently, the first telling holds.

    Args:
        written: how a family's name is written; families that are written alike are one.
    """
    sorter = _Sorter(openmetrics, written)
    place = 0
    for series, families in sources:
        found: dict[str, tuple[Group, str] | None] = {}
        for labels in series:
            name = metric_name(labels)
            if name not in found:
                found[name] = sorter.find(name, families)
            known = found[name]
            if known is not None:
                one, bound = known
                one.members.append(Member(labels, place, bound))
            place += 1
    for one in sorter.groups.values():
        _order(one)
    return [one for one in sorter.groups.values() if one.members]


class _Sorter:
    """Finds and makes groups."""

    def __init__(self, openmetrics: bool, written: Callable[[str], str]) -> None:
        self.groups: dict[str, Group] = {}
        self._openmetrics = openmetrics
        self._written = written

    def find(self, name: str, families: Mapping[str, Family]) -> tuple[Group, str] | None:
        """Return the group for samples of this name, and the label of their bound; None to leave them out."""
        family, suffix = _family_of(name, families)
        if suffix == "_created" and not self._openmetrics:
            return None  # the text format has no place for the time at which a series began
        heading = self._heading(family, name, suffix)
        one = self.groups.setdefault(heading.name, Group(heading.name, heading.type, family.help, family.unit))
        one.help = one.help or family.help
        return one, _BOUND.get(family.type, "")

    def _heading(self, family: Family, name: str, suffix: str) -> _Heading:
        if not self._openmetrics:
            heading = _text_heading(family, name, suffix)
            return _Heading(self._written(heading.name), heading.type)
        heading = _openmetrics_heading(family, name, suffix)
        known = self.groups.get(self._written(heading.name))
        if known is not None and known.type != heading.type:
            heading = _Heading(name, "unknown")  # a counter `x_total` beside a gauge `x`: both would be called `x`
        return _Heading(self._written(heading.name), heading.type)


def _family_of(name: str, families: Mapping[str, Family]) -> tuple[Family, str]:
    """Return the family of a sample's name and by which suffix the name is longer than the family's."""
    if name in families:
        return families[name], ""
    for kind, suffixes in _SUFFIXES.items():
        for suffix in suffixes:
            # The text format calls a counter's family by the name with _total, and an info's by that with _info.
            stem = name.removesuffix(suffix)
            for candidate in (stem, stem + suffixes[0]):
                family = families.get(candidate) if stem != name else None
                if family is not None and family.type is kind:
                    return family, suffix
    return Family(name, MetricType.UNTYPED), ""


def _text_heading(family: Family, name: str, suffix: str) -> _Heading:
    kind = family.type
    if kind is MetricType.COUNTER:
        return _Heading(name, "counter")
    if kind in (MetricType.INFO, MetricType.STATESET) or suffix in ("_gcount", "_gsum"):
        return _Heading(name, "gauge")
    if kind is MetricType.GAUGEHISTOGRAM:
        return _Heading(family.name, "histogram")
    return _Heading(family.name, "untyped" if kind is MetricType.UNTYPED else kind.value)


def _openmetrics_heading(family: Family, name: str, suffix: str) -> _Heading:
    kind = family.type
    if kind in (MetricType.COUNTER, MetricType.INFO):
        ending = _SUFFIXES[kind][0]
        if not suffix and not name.endswith(ending):
            return _Heading(name, "unknown")  # OpenMetrics knows no counter without _total, and no info without _info
        return _Heading(family.name.removesuffix(ending), kind.value)
    return _Heading(family.name, kind.value)


def _order(one: Group) -> None:
    """Put the samples of one metric side by side, buckets by their bound; metrics stay in the order they came in."""
    if one.type in ("gauge", "unknown", "untyped", "stateset"):
        return
    metrics: dict[Labels, int] = {}

    def key(member: Member) -> tuple[int, int, float]:
        rest = tuple(pair for pair in member.labels if pair[0] not in (METRIC_NAME, member.bound))
        bound = label_value(member.labels, member.bound)
        return metrics.setdefault(rest, len(metrics)), 0 if bound else _rank(member.labels), _number(bound)

    one.members.sort(key=key)


def _rank(labels: Labels) -> int:
    name = metric_name(labels)
    return next((rank for rank, suffix in enumerate(_LAST, 1) if name.endswith(suffix)), 0)


_LAST = ("_count", "_sum", "_gcount", "_gsum", "_created")
"""The parts of a metric that come after its buckets or quantiles, in this order."""


def _number(bound: str) -> float:
    try:
        return float(bound)
    except ValueError:
        return math.inf
