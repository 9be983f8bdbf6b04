"""Shows everything that is known in the text format 0.0.4 or OpenMetrics 1.0, for Prometheus and all that reads it.

What stands before the values is worked out once for given series; after that only values are written.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from exporters.exporter import Exportable
from exporters.family import Group, Member, group
from exporters.negotiation import Format, choose_format
from metrics.frame import NO_TIMESTAMP, Family, FloatArray, Layout, MetricType, TimeArray, is_stale
from metrics.label import METRIC_NAME, Labels, escape_value, labels_of, metric_name

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)
_TYPES = {kind.value: kind for kind in MetricType}

_OwnKey: TypeAlias = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
_Key: TypeAlias = tuple[tuple[Layout, ...], tuple[Mapping[str, Family], ...], _OwnKey, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is written before each value, and which value that is. `key` tells for what series this holds."""

    key: _Key
    prefixes: Sequence[str]
    places: NDArray[np.intp]


class PrometheusExporter:
    """Implements exporters.exporter.Exporter; one object remembers how the last series are written."""

    def __init__(self) -> None:
        self._plans: dict[Format, _Plan] = {}
        self._lock = threading.Lock()

    def render(self, frames: Iterable[Exportable], own: CollectorRegistry, accept: str) -> tuple[str, bytes]:
        """Return the content type and the body with all series of the frames and of the daemon's own registry.

        A family that several sources have is written once. Of a series that comes twice, the first is written; samples
        that are staleness markers are left out.
        """
        form, sources = choose_format(accept), list(frames)
        own_key, own_values, own_families = _read_registry(own)
        values = np.concatenate([*(source.values for source in sources), own_values])
        key: _Key = (
            tuple(source.layout for source in sources),
            tuple(source.families for source in sources),
            own_key,
            is_stale(values).tobytes(),
        )
        plan = self._plan(form, key, own_families)
        times = _own_times(sources, len(own_values))
        return form.content_type, _write(plan, values, times, openmetrics=form.openmetrics)

    def _plan(self, form: Format, key: _Key, own_families: Mapping[str, Family]) -> _Plan:
        with self._lock:
            plan = self._plans.get(form)
        if plan is None or plan.key != key:
            plan = _new_plan(form, key, own_families)
            with self._lock:
                self._plans[form] = plan
        return plan


_shared = PrometheusExporter()


def render(frames: Iterable[Exportable], own: CollectorRegistry, accept: str) -> tuple[str, bytes]:
    """Return the content type and the body; see PrometheusExporter.render."""
    return _shared.render(frames, own, accept)


def _read_registry(registry: CollectorRegistry) -> tuple[_OwnKey, FloatArray, dict[str, Family]]:
    families: dict[str, Family] = {}
    series: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    values: list[float] = []
    for metric in registry.collect():
        kind = _TYPES.get(metric.type, MetricType.UNTYPED)
        families[metric.name] = Family(metric.name, kind, metric.documentation, metric.unit)
        for sample in metric.samples:
            series.append((sample.name, tuple(sample.labels.items())))
            values.append(sample.value)
    return tuple(series), np.array(values, dtype=np.float64), families


def _new_plan(form: Format, key: _Key, own_families: Mapping[str, Family]) -> _Plan:
    layouts, families, own, stale = key
    own_series = [labels_of([(METRIC_NAME, name), *pairs]) for name, pairs in own]
    sources: list[tuple[Sequence[Labels], Mapping[str, Family]]] = [
        *((layout.series, told) for layout, told in zip(layouts, families, strict=True)),
        (own_series, own_families),
    ]
    names = _Names(form)
    written: set[str] = set()
    prefixes: list[str] = []
    places: list[int] = []
    for one in group(sources, openmetrics=form.openmetrics, written=names.family):
        heading = names.heading(one)
        for member in one.members:
            series = names.series(member)
            if series in written or stale[member.place]:
                continue
            written.add(series)
            prefixes.append(f"{heading}{series} ")
            places.append(member.place)
            heading = "\n"
    return _Plan(key, prefixes, np.array(places, dtype=np.intp))


class _Names:
    """Writes names, labels and headings in one format. Everything it gives begins on a new line."""

    def __init__(self, form: Format) -> None:
        self._utf8 = form.utf8_names
        self._openmetrics = form.openmetrics

    def family(self, name: str) -> str:
        """Return the name of a family as it is written."""
        if self._utf8 and not _METRIC.fullmatch(name):
            return f'"{escape_value(name)}"'
        return _plain(name, colon=True)

    def heading(self, one: Group) -> str:
        """Return the lines about a family and the beginning of the next."""
        lines = [f"# HELP {one.name} {self._help(one.help)}"] if one.help else []
        lines.append(f"# TYPE {one.name} {one.type}")
        if self._openmetrics and one.unit and one.name.rstrip('"').endswith("_" + one.unit):
            lines.append(f"# UNIT {one.name} {one.unit}")
        return "".join(f"\n{line}" for line in lines) + "\n"

    def series(self, member: Member) -> str:
        """Return a series as it stands before its value."""
        name = metric_name(member.labels)
        plain = _METRIC.fullmatch(name) is not None
        quoted = [] if plain or not self._utf8 else [f'"{escape_value(name)}"']
        labels: dict[str, str] = {}
        for key, value in member.labels:
            if key != METRIC_NAME:  # where two names are written alike, the first one's value holds
                labels.setdefault(self._label_name(key), self._bound(value) if key == member.bound else value)
        inner = ",".join([*quoted, *(f'{key}="{escape_value(value)}"' for key, value in labels.items())])
        return ("" if quoted else _plain(name, colon=True)) + (f"{{{inner}}}" if inner else "")

    def _label_name(self, name: str) -> str:
        if _LABEL.fullmatch(name):
            return name
        return f'"{escape_value(name)}"' if self._utf8 else _plain(name, colon=False)

    def _bound(self, value: str) -> str:
        """Return a bucket's bound or a quantile; OpenMetrics writes it as a float."""
        return value + ".0" if self._openmetrics and _INTEGER.fullmatch(value) else value

    def _help(self, text: str) -> str:
        return escape_value(text) if self._openmetrics else text.replace("\\", r"\\").replace("\n", r"\n")


def _plain(name: str, *, colon: bool) -> str:
    """Return a name with an underscore for each character that the text format 0.0.4 does not know in names."""
    plain = re.sub(r"[^a-zA-Z0-9_:]" if colon else r"[^a-zA-Z0-9_]", "_", name)
    return "_" + plain[1:] if plain[:1].isdigit() else plain


def _own_times(sources: Sequence[Exportable], own_count: int) -> TimeArray | None:
    if all(source.timestamps_ms is None for source in sources):
        return None
    columns = [
        np.full(len(source.layout), NO_TIMESTAMP) if source.timestamps_ms is None else source.timestamps_ms
        for source in sources
    ]
    return np.concatenate([*columns, np.full(own_count, NO_TIMESTAMP)])


def _write(plan: _Plan, values: FloatArray, times: TimeArray | None, *, openmetrics: bool) -> bytes:
    texts = _numbers(values[plan.places])
    if times is not None:
        stamps = times[plan.places].tolist()
        texts = [text + _stamp(stamp, openmetrics) for text, stamp in zip(texts, stamps, strict=True)]
    body = "".join(chain.from_iterable(zip(plan.prefixes, texts, strict=True)))[1:]
    return (body + ("\n" if body else "") + ("# EOF\n" if openmetrics else "")).encode()


def _numbers(values: FloatArray) -> list[str]:
    texts = list(map(repr, values.tolist()))
    for i in np.flatnonzero(np.logical_not(np.isfinite(values))).tolist():
        texts[i] = "NaN" if np.isnan(values[i]) else ("+Inf" if values[i] > 0 else "-Inf")
    return texts


def _stamp(milliseconds: int, openmetrics: bool) -> str:
    if milliseconds == NO_TIMESTAMP:
        return ""
    return f" {milliseconds / 1000:.3f}" if openmetrics else f" {milliseconds}"
