"""Long history: what the samples of five minutes, or of an hour, come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from metrics.disk.archive import Archive, Level, Segment
from metrics.disk.segment import Directory, Section, SegmentFile, SegmentWriter
from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels
from metrics.storage import MISSING_BITS

FIELDS = ("last", "min", "max", "sum", "count")
"""What is kept of each span, in this order; the first is what a query of such times reads."""

_SERIES_AT_ONCE = 256


class Buckets:
    """Draws samples of some series together, span by span.

    A NaN of any kind is no sample here. A span has the time of its last millisecond, so that looking back from a full
    five minutes, or hour, finds it.
    """

    def __init__(self, start_ms: int, end_ms: int, resolution_ms: int, series: int) -> None:
        self._start_ms = start_ms
        self._resolution_ms = resolution_ms
        shape = ((end_ms - start_ms) // resolution_ms, series)
        self._last_row = np.full(shape, np.iinfo(np.int64).min)
        self._last = np.zeros(shape)
        self._min, self._max = np.full(shape, np.inf), np.full(shape, -np.inf)
        self._sum, self._count = np.zeros(shape), np.zeros(shape)

    def add(self, times: TimeArray, values: FloatArray, series: NDArray[np.int64]) -> None:
        """Take samples in: `values` of shape (T, n) belong to these n series, no series twice."""
        bucket = (times - self._start_ms) // self._resolution_ms
        first = np.concatenate([[0], np.flatnonzero(np.diff(bucket)) + 1])
        at = np.ix_(bucket[first], series)
        there = ~np.isnan(values)
        row = np.where(there, np.arange(len(times))[:, np.newaxis], -1)
        newest = np.maximum.reduceat(row, first, axis=0)
        newest_ms = np.where(newest >= 0, times[newest], np.iinfo(np.int64).min)
        newer = newest_ms > self._last_row[at]
        self._last[at] = np.where(newer, np.take_along_axis(values, np.maximum(newest, 0), axis=0), self._last[at])
        self._last_row[at] = np.maximum(newest_ms, self._last_row[at])
        self._min[at] = np.minimum(self._min[at], np.minimum.reduceat(np.where(there, values, np.inf), first, axis=0))
        self._max[at] = np.maximum(self._max[at], np.maximum.reduceat(np.where(there, values, -np.inf), first, axis=0))
        with np.errstate(invalid="ignore", over="ignore"):
            self._sum[at] += np.add.reduceat(np.where(there, values, 0.0), first, axis=0)
        self._count[at] += np.add.reduceat(there, first, axis=0, dtype=np.float64)

    @property
    def times(self) -> TimeArray:
        """The time of each span."""
        ends = self._start_ms + (np.arange(len(self._sum), dtype=np.int64) + 1) * self._resolution_ms
        return ends - 1

    def fields(self) -> list[FloatArray]:
        """Return what FIELDS names, each of shape (spans, series), MISSING where a span has no samples."""
        result = [self._last, self._min, self._max, self._sum, self._count]
        empty = self._count == 0
        for field in result:
            field.view(np.uint64)[empty] = MISSING_BITS
        return result

    @property
    def used(self) -> NDArray[np.int64]:
        """Which series have any samples."""
        return np.flatnonzero(self._count.sum(axis=0))


def draw_together(
    archive: Archive, sources: Sequence[Segment], level: Level, start_ms: int, end_ms: int,
    still_wanted: Callable[[], None],
) -> None:  # fmt: skip
    """Make the segment of a level for a span of time, from the segments of all its samples.

    Args:
        still_wanted: raises when the work shall end early.

    Raises: OSError: there is no such segment then.
    """
    with ExitStack() as files:
        opened = [files.enter_context(archive.opened(segment)) for segment in sources]
        parts = [_Part(file, directory) for file, directory in (one for one in opened if one is not None)]

        def fill(writer: SegmentWriter) -> None:
            for source in dict.fromkeys(section.source for part in parts for section in part.directory.sections):
                sections = [found for part in parts for found in part.sections(source)]
                _fill_source(
                    writer, source, sections, lambda n: Buckets(start_ms, end_ms, level.resolution_ms, n), still_wanted
                )

        archive.write(level, start_ms, end_ms, fill)


class _Part:
    """An open segment, with a number for each series that is the same in all segments."""

    def __init__(self, file: SegmentFile, directory: Directory) -> None:
        self.file = file
        self.directory = directory
        self._hashes = directory.labels.hashes()

    def sections(self, source: str) -> Iterator[_Found]:
        """Yield the sections of a source."""
        for section in self.directory.sections:
            if section.source == source:
                yield _Found(self, section, self._hashes[section.first : section.first + section.series])


class _Found:
    """A section and the hashes of its series, also sorted."""

    def __init__(self, part: _Part, section: Section, hashes: NDArray[np.uint64]) -> None:
        self.part = part
        self.section = section
        self.hashes = hashes
        self.order = np.argsort(hashes)
        self.sorted = hashes[self.order]

    def columns(self, wanted: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the wanted series are, and which of the wanted these are."""
        at = np.minimum(np.searchsorted(self.sorted, wanted), len(self.sorted) - 1)
        there = (self.sorted[at] == wanted).nonzero()[0]
        return self.order[at[there]], there

    def labels(self, column: int) -> Labels:
        """Return the labels of a column."""
        return self.part.directory.labels.labels(self.section.first + column)


def _fill_source(
    writer: SegmentWriter, source: str, sections: Sequence[_Found], buckets_of: Callable[[int], Buckets],
    still_wanted: Callable[[], None],
) -> None:  # fmt: skip
    every = _in_order(sections)
    begun = False
    for start in range(0, len(every), _SERIES_AT_ONCE):
        still_wanted()
        wanted = every[start : start + _SERIES_AT_ONCE]
        buckets, labels = buckets_of(len(wanted)), dict[int, Labels]()
        for found in sections:
            columns, positions = found.columns(wanted)
            read = found.part.file.read(found.section, columns, _FIRST_MS, _LAST_MS) if len(columns) else None
            if read is not None:
                times, values, kept = read
                buckets.add(times, values, positions[kept])
            for column, position in zip(columns.tolist(), positions.tolist(), strict=True):
                if position not in labels:
                    labels[position] = found.labels(column)
        used = buckets.used
        if len(used):
            if not begun:
                writer.begin(source, buckets.times)
                begun = True
            writer.add([labels[position] for position in used.tolist()], *(f[:, used] for f in buckets.fields()))


_FIRST_MS, _LAST_MS = -(1 << 62), 1 << 62


def _in_order(sections: Iterable[_Found]) -> NDArray[np.uint64]:
    """Return the hashes of all series in the order in which they appear: neighbours resemble each other."""
    every = np.concatenate([found.hashes for found in sections])
    _, first = np.unique(every, return_index=True)
    in_order: NDArray[np.uint64] = every[np.sort(first)]
    return in_order
