"""Makes a Frame of what a collector gave: target labels on every series, and the report about the collection itself.

Labels are worked out once per layout; the steady collection only copies values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collectors.collector import CollectError, Readings
from collectors.selection import KEEP_ALL, Selection, SelectionError
from metrics.frame import Family, FloatArray, Frame, Layout, MetricType, TimeArray
from metrics.label import METRIC_NAME, Labels, labels_of

EXPORTED_PREFIX = "exported_"
"""Goes before a label of the target that the target labels push aside, as in Prometheus."""

REPORT_FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("up", MetricType.GAUGE, "1 when the last collection of the target succeeded, 0 when it failed."),
        Family("scrape_duration_seconds", MetricType.GAUGE, "How long the last collection of the target took."),
        Family("scrape_samples_scraped", MetricType.GAUGE, "Samples that the target gave."),
        Family("scrape_samples_post_metric_relabeling", MetricType.GAUGE, "Samples that were kept."),
        Family("scrape_series_added", MetricType.GAUGE, "Series that the collection before did not have."),
    )
}


@dataclass(frozen=True, slots=True)
class _Merged:
    """A layout with target labels and report series, and how its values come from those of the readings.

    Attributes:
        stored: what each series of the readings is stored as; None where it is dropped.
        kept: the positions of the series that are stored; None for all.
        kept_count: how many samples were kept, those of a series that came twice among them.
    """

    readings_layout: Layout
    layout: Layout
    stored: Sequence[Labels | None]
    kept: NDArray[np.intp] | None
    kept_count: int
    families_from: Mapping[str, Family]
    families: Mapping[str, Family]

    @property
    def sample_count(self) -> int:
        return len(self.layout) - len(REPORT_FAMILIES)


class TargetFrames:
    """Makes the frames of one source, and remembers the layout of the last one.

    Args:
        honor_labels: where a series has a label of the same name as a target label, whether the series' own wins
            (else it is renamed to `exported_<name>`).
        selection: which series are kept, once they have the target's labels; asked once per layout.
    """

    def __init__(
        self, source: str, target_labels: Mapping[str, str], *, honor_labels: bool, selection: Selection = KEEP_ALL
    ) -> None:
        self._source = source
        self._selection = selection
        self._refused: tuple[Layout, str] | None = None
        self._target = labels_of(target_labels)
        self._honor_labels = honor_labels
        self._report = tuple(labels_of(((METRIC_NAME, name), *self._target)) for name in REPORT_FAMILIES)
        self._failed_layout = Layout(self._report)
        self._merged: _Merged | None = None
        self._before: frozenset[Labels] | Layout = frozenset()

    def knows(self, readings: Readings) -> bool:
        """Tell whether `success` will be quick, because the layout is that of the last frame."""
        if self._refused is not None and self._refused[0] is readings.layout:
            return True
        return self._merged is not None and self._merged.readings_layout is readings.layout

    def prepare(self, readings: Readings) -> None:
        """Work out labels for a new layout; may run in a thread (1 to 3 µs a series, relabelling comes on top).

        Raises: CollectError: the selection refuses it.
        """
        self._merge(readings)

    def success(self, readings: Readings, timestamp_ms: int, duration_seconds: float) -> Frame:
        """Return the frame of a collection that succeeded.

        Raises: CollectError: the selection refuses it.
        """
        merged = self._merge(readings)
        added = self._count_added(merged)
        count = merged.sample_count
        values: FloatArray = np.empty(len(merged.layout), dtype=np.float64)
        values[:count] = _take(readings.values, merged.kept)
        values[count:] = (1.0, duration_seconds, len(readings.layout), merged.kept_count, added)
        times: TimeArray | None = None
        if readings.timestamps_ms is not None:
            times = np.full(len(merged.layout), timestamp_ms, dtype=np.int64)
            times[:count] = readings.timestamps_ms if merged.kept is None else readings.timestamps_ms[merged.kept]
        return Frame(self._source, timestamp_ms, merged.layout, values, times, merged.families)

    def failure(self, timestamp_ms: int, duration_seconds: float) -> Frame:
        """Return the frame of a collection that failed: the report alone, with `up` 0."""
        self._before = frozenset()
        values: FloatArray = np.array([0.0, duration_seconds, 0.0, 0.0, 0.0], dtype=np.float64)
        return Frame(self._source, timestamp_ms, self._failed_layout, values, None, REPORT_FAMILIES)

    def _count_added(self, merged: _Merged) -> int:
        before, self._before = self._before, merged.layout
        if before is merged.layout:
            return 0
        known = before if isinstance(before, frozenset) else frozenset(before.series)
        return sum(series not in known for series in merged.layout.series[: merged.sample_count])

    def _merge(self, readings: Readings) -> _Merged:
        merged = self._merged
        if merged is None or merged.readings_layout is not readings.layout:
            merged = self._new_layout(readings, merged)
        elif merged.families_from is not readings.families:
            families = {**readings.families, **REPORT_FAMILIES}
            merged = replace(merged, families_from=readings.families, families=families)
        self._merged = merged
        return merged

    def _new_layout(self, readings: Readings, before: _Merged | None) -> _Merged:
        """Merge labels anew, taking what the layout before already had."""
        if self._refused is not None and self._refused[0] is readings.layout:
            raise CollectError(self._refused[1], reason="limit")
        try:
            stored = self._stored(readings.layout, before)
        except SelectionError as error:
            self._refused = readings.layout, str(error)
            raise CollectError(str(error), reason="limit") from error
        # The report's series come first here, so that a target cannot replace them by its own `up`.
        positions: dict[Labels, int] = dict.fromkeys(self._report, -1)
        for position, series in enumerate(stored):
            if series is not None:
                positions.setdefault(series, position)
        series_list = list(positions)[len(self._report) :]
        kept: NDArray[np.intp] | None = None
        if len(series_list) != len(readings.layout):
            kept = np.array(list(positions.values())[len(self._report) :], dtype=np.intp)
        layout = Layout((*series_list, *self._report))
        kept_count = len(stored) - stored.count(None)
        families = {**readings.families, **REPORT_FAMILIES}
        return _Merged(readings.layout, layout, stored, kept, kept_count, readings.families, families)

    def _stored(self, layout: Layout, before: _Merged | None) -> list[Labels | None]:
        """Return what each series is stored as.

        Raises: SelectionError: the selection refuses one of them, or their number.
        """
        known: dict[Labels, Labels | None] = {}
        if before is not None:
            known = dict(zip(before.readings_layout.series, before.stored, strict=True))
        choose = self._selection.choose if self._selection.looks_at_series else None
        stored: list[Labels | None] = []
        for series in layout.series:
            if series in known:
                stored.append(known[series])
            elif choose is None:
                stored.append(self._with_target(series))
            else:
                stored.append(choose(self._with_target(series)))
        self._selection.check_count(len(stored) - stored.count(None))
        return stored

    def _with_target(self, series: Labels) -> Labels:
        names = {name for name, _ in series}
        if names.isdisjoint(name for name, _ in self._target):
            return tuple(sorted((*series, *self._target)))
        if self._honor_labels:
            return labels_of((*series, *(pair for pair in self._target if pair[0] not in names)))
        return _push_aside(series, self._target)


def _push_aside(series: Labels, target: Labels) -> Labels:
    """Return the labels with those of the target; what had the same name is renamed, shortest name first."""
    taken = dict(target)
    conflicting = [pair for pair in series if pair[0] in taken]
    labels = {name: value for name, value in series if name not in taken} | taken
    for name, value in _by_length(conflicting):
        new_name = EXPORTED_PREFIX + name
        while new_name in labels:
            new_name = EXPORTED_PREFIX + new_name
        labels[new_name] = value
    return labels_of(labels)


def _by_length(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(pairs, key=lambda pair: len(pair[0]))


def _take(values: FloatArray, kept: NDArray[np.intp] | None) -> FloatArray:
    return values if kept is None else values[kept]
