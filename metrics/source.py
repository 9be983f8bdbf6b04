"""What the store holds of one source: a matrix of the samples that share its collection times, and beside it the
series that bring their own.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.frame import NO_TIMESTAMP, Frame, Layout, Run
from metrics.label import Labels
from metrics.matrix import Columns, Matrix
from metrics.own_time import OwnTimeSeries, Reject
from metrics.storage import Block

_NEVER = np.iinfo(np.int64).max
_FUTURE_MS = 600_000
"""Samples dated further ahead of their collection are refused, as by Prometheus."""

OWN_TIME = -1
"""Stands where a column would, for a series that brings its own timestamps."""

IndexArray = NDArray[np.intp]
_NOTHING: IndexArray = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class _Mapping:
    """Where the samples of a layout go.

    Attributes:
        own: shape (len(layout),), which samples have own times; None where none has.
        positions: which samples go into the matrix; None for all.
        columns: their columns, in the same order.
        own_series: position in the layout and series, for those with own times.
        refused: how many series found no room.
    """

    layout: Layout
    own: NDArray[np.bool_] | None
    positions: IndexArray | None
    columns: Columns
    own_series: Sequence[tuple[int, OwnTimeSeries]]
    refused: int


class Source:
    """The samples of one source.

    Args:
        enter: gives new series, that shall have these columns, their numbers in the store's index; only the first ones
            where the store is full.
        max_series: further series are refused.
    """

    def __init__(
        self,
        name: str,
        enter: Callable[[Source, Sequence[Labels], Sequence[int]], list[int]],
        max_series: int = 2_000_000,
    ) -> None:
        self.name = name
        self._max_series = max_series
        self.last_ms: int = -_NEVER
        self._enter = enter
        self._matrix = Matrix()
        self._column_of: dict[Labels, int] = {}
        self._labels: list[Labels | None] = []
        self._numbers = array("I")
        self._free: list[int] = []
        self._born = np.empty(0, dtype=np.int64)
        self._died = np.empty(0, dtype=np.int64)
        self._changed_ms = -_NEVER
        self._live: IndexArray = _NOTHING
        self._own: dict[Labels, OwnTimeSeries] = {}
        self._own_by_number: dict[int, OwnTimeSeries] = {}
        self._mapping: _Mapping | None = None

    @property
    def samples(self) -> int:
        """How many samples are held."""
        return self._matrix.samples + sum(map(len, self._own.values()))

    @property
    def size_bytes(self) -> int:
        """The memory of the samples."""
        return self._matrix.size_bytes + sum(series.size_bytes for series in self._own.values())

    def append(self, frame: Frame, rejected: Counter[Reject], earliest_ms: int) -> int:
        """Take a frame in and return how many samples were taken.

        Args:
            rejected: gets the samples that were not taken, by reason.
            earliest_ms: samples with times of their own that are older are refused.
        """
        count = len(frame.layout)
        if frame.timestamp_ms <= self.last_ms:
            late = frame.timestamp_ms < self.last_ms
            rejected[Reject.OUT_OF_ORDER if late else Reject.DUPLICATE_TIMESTAMP] += count
            return 0
        own = _with_own_times(frame)
        mapping, stale = self._mapping, _NOTHING
        if mapping is None or mapping.layout is not frame.layout or not _covers(mapping.own, own):
            mapping, stale = self._map(frame, own)
        self.last_ms = frame.timestamp_ms
        values = frame.values if mapping.positions is None else frame.values[mapping.positions]
        if len(values) or len(stale):
            self._matrix.append(frame.timestamp_ms, len(self._labels), mapping.columns, values, stale)
        rejected[Reject.SERIES_LIMIT] += mapping.refused
        return len(values) + (self._append_own(mapping, frame, rejected, earliest_ms) if mapping.own_series else 0)

    def append_run(self, run: Run) -> bool:
        """Take in many frames at once.

        Returns: whether it was done; not where the order is wrong, or series of it bring their own times elsewhere.
        """
        times = run.timestamps_ms
        if self._own or times[0] <= self.last_ms or not (np.diff(times) > 0).all():
            return False
        self.append(Frame(self.name, int(times[0]), run.layout, run.values[0]), Counter(), 0)
        mapping = self._mapping
        assert mapping is not None, "a frame was taken in"
        values = run.values[1:] if mapping.positions is None else run.values[1:, mapping.positions]
        if values.size:
            self._matrix.append_rows(times[1:], len(self._labels), mapping.columns, values)
        self.last_ms = int(times[-1])
        return True

    def end(self, timestamp_ms: int) -> None:
        """Mark all series of the matrix as ended."""
        self._mapping = None
        if not len(self._live):
            return
        self.last_ms = max(timestamp_ms, self.last_ms + 1)
        self._matrix.append(self.last_ms, len(self._labels), slice(0, 0), np.empty(0), self._live)
        self._died[self._live] = self._changed_ms = self.last_ms
        self._live = _NOTHING

    def block_of(self, columns: Columns, series: Sequence[Labels], start_ms: int, end_ms: int) -> Block | None:
        """Return the samples of some columns; `series` are their labels. None if there are none.

        Columns whose series lived wholly outside of the time range are left out.
        """
        columns, series = self._alive(columns, series, start_ms, end_ms)
        if not series:
            return None
        window = self._matrix.window(start_ms, end_ms, columns)
        return None if window is None else Block(series, *window)

    def present(self, columns: Columns, start_ms: int, end_ms: int) -> NDArray[np.bool_]:
        """Return which of some columns have samples in the time range."""
        places = np.arange(columns.start, columns.stop) if isinstance(columns, slice) else columns
        return self._matrix.present(start_ms, end_ms, places)

    @property
    def chunks(self) -> int:
        """How many pieces of memory hold the samples."""
        return self._matrix.chunks + len(self._own)

    @property
    def period_ms(self) -> tuple[int, int] | None:
        """The times of the oldest and the newest sample that share their time; None where there is none."""
        first, last = self._matrix.first_ms, self._matrix.last_ms
        return None if first is None or last is None else (first, last)

    def newest_block_of(self, columns: Columns, series: Sequence[Labels], start_ms: int, end_ms: int) -> Block | None:
        """Return one row where every series has a sample in the newest row, else what block_of() returns."""
        columns, series = self._alive(columns, series, start_ms, end_ms)
        if not series:
            return None
        window = self._matrix.newest(start_ms, end_ms, columns)
        return None if window is None else Block(series, *window)

    def _alive(
        self, columns: Columns, series: Sequence[Labels], start_ms: int, end_ms: int
    ) -> tuple[Columns, Sequence[Labels]]:
        """Return the columns whose series lived at some time of the range, and their labels."""
        if self._changed_ms < start_ms and len(self._live) == len(self._labels):
            return columns, series
        there = (self._died[columns] >= start_ms) & (self._born[columns] <= end_ms)
        if there.all():
            return columns, series
        if isinstance(columns, slice):
            columns = np.arange(columns.start, columns.stop)
        return columns[there], [series[i] for i in there.nonzero()[0].tolist()]

    def columns_in(self, start_ms: int, end_ms: int) -> IndexArray:
        """Return the columns of all series that lived at some time of the range."""
        used = len(self._labels)
        there = (self._died[:used] >= start_ms) & (self._born[:used] <= end_ms)
        return np.array([c for c in there.nonzero()[0].tolist() if self._labels[c] is not None], dtype=np.intp)

    def block_of_columns(self, columns: IndexArray, start_ms: int, end_ms: int) -> Block | None:
        """Return what block_of() does, for columns from columns_in()."""
        series = [labels for column in columns.tolist() if (labels := self._labels[column]) is not None]
        return self.block_of(as_columns(columns), series, start_ms, end_ms)

    def rows_in(self, start_ms: int, end_ms: int) -> int:
        """Return how many times the matrix has in the range."""
        window = self._matrix.window(start_ms, end_ms, slice(0, 0))
        return 0 if window is None else len(window[0])

    @property
    def own_series(self) -> list[OwnTimeSeries]:
        """All series that bring their own times."""
        return list(self._own.values())

    def first_ms_from(self, start_ms: int) -> int | None:
        """Return the time of the oldest sample that is not older than `start_ms`."""
        own = (series.first_ms_from(start_ms) for series in self._own.values())
        found = (self._matrix.first_ms_from(start_ms), *own)
        return min((time for time in found if time is not None), default=None)

    def own_time_series(self, number: int) -> OwnTimeSeries:
        """Return the series with own times that the index knows by this number."""
        return self._own_by_number[number]

    def trim(self, cutoff_ms: int) -> tuple[list[int], bool]:
        """Forget what is older.

        Returns: the numbers of the series that are gone, and whether columns were moved.
        """
        gone = self._trim_own(cutoff_ms)
        if not self._matrix.trim(cutoff_ms):
            return gone, False
        first_ms = self._matrix.first_ms
        if first_ms is None:
            self._live, self._mapping = _NOTHING, None
            self._died[:] = -_NEVER
        dead = np.flatnonzero(self._died[: len(self._labels)] < (first_ms or 0)).tolist()
        gone += [self._drop_column(column) for column in dead if self._labels[column] is not None]
        self._free.sort()
        moved = len(self._free) > len(self._labels) // 2
        if moved:
            self._compact()
        return gone, moved

    @property
    def numbers(self) -> NDArray[np.uint32]:
        """The index's number of the series in each column; meaningless for columns without one."""
        return np.array(self._numbers, dtype=np.uint32)

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not self._column_of and not self._own

    def forget_mapping(self) -> None:
        """Look for the series of the next frame anew, as there may be room now for what was refused."""
        if self._mapping is not None and self._mapping.refused:
            self._mapping = None

    def _map(self, frame: Frame, own: NDArray[np.bool_] | None) -> tuple[_Mapping, IndexArray]:
        """Find the places of a frame's samples, making them where there are none; and the columns that ended."""
        series = frame.layout.series
        if self._own:  # a series keeps its place even when, once, its own time is that of the collection
            known = np.array([labels in self._own for labels in series], dtype=np.bool_)
            own = known if own is None else own | known
        own_series = [] if own is None else self._map_own(series, own.nonzero()[0].tolist())
        wanted = range(len(series)) if own is None else (~own).nonzero()[0].tolist()
        found = self._columns(series if own is None else [series[i] for i in wanted], frame.timestamp_ms)
        taken = found >= 0
        columns = found[taken]
        every = own is None and len(columns) == len(series)
        positions = None if every else np.array(wanted, dtype=np.intp)[taken]
        refused = len(series) - len(columns) - len(own_series)
        self._mapping = _Mapping(frame.layout, own, positions, as_columns(columns), own_series, refused)
        return self._mapping, self._set_live(columns, frame.timestamp_ms)

    def _map_own(self, series: Sequence[Labels], positions: Sequence[int]) -> list[tuple[int, OwnTimeSeries]]:
        found = ((position, self._own_series(series[position])) for position in positions)
        return [(position, own) for position, own in found if own is not None]

    def _set_live(self, columns: IndexArray, now_ms: int) -> IndexArray:
        """Note which columns have samples from now on, and return those that need a staleness marker."""
        live = np.zeros(len(self._labels), dtype=np.bool_)
        live[columns] = True
        was = np.zeros(len(self._labels), dtype=np.bool_)
        was[self._live] = True
        ended = np.flatnonzero(was & ~live)
        self._died[ended] = now_ms
        self._died[columns] = _NEVER
        self._live = columns
        self._changed_ms = now_ms
        # A series that goes on with its own times has not ended.
        return (
            ended if not self._own else np.array([c for c in ended if self._labels[c] not in self._own], dtype=np.intp)
        )

    def _columns(self, series: Sequence[Labels], now_ms: int) -> IndexArray:
        """Return the columns of some series, new ones where need be; -1 for those that the store has no room for."""
        known = list(map(self._column_of.get, series))
        new = [place for place, column in enumerate(known) if column is None]
        found = np.array([-1 if column is None else column for column in known] if new else known, dtype=np.intp)
        if new:
            columns = self._new_columns([series[place] for place in new], now_ms)
            found[new[: len(columns)]] = columns
        return found

    def _new_columns(self, series: Sequence[Labels], now_ms: int) -> list[int]:
        """Give new series their columns; only the first ones where the store is full."""
        free = self._free[: len(series)]
        used = len(self._labels)
        columns = [*free, *range(used, used + len(series) - len(free))]
        numbers = self._room(series, columns)
        columns, series = columns[: len(numbers)], series[: len(numbers)]
        del self._free[: len(numbers)]
        reused = min(len(free), len(numbers))
        for column, labels, number in zip(columns[:reused], series, numbers, strict=False):
            self._labels[column], self._numbers[column] = labels, number
        self._labels += series[reused:]
        self._numbers.extend(numbers[reused:])
        if len(self._labels) > len(self._born):
            size = max(len(self._labels), 2 * used + 16) if used else len(self._labels)
            self._born, self._died = np.resize(self._born, size), np.resize(self._died, size)
        self._column_of.update(zip(series, columns, strict=True))
        self._born[columns], self._died[columns] = now_ms, _NEVER
        return columns

    def _room(self, series: Sequence[Labels], columns: Sequence[int]) -> list[int]:
        """Return the numbers of new series; only of the first ones where the store is full."""
        room = max(0, self._max_series - len(self._column_of) - len(self._own))
        return self._enter(self, series[:room], columns[:room])

    def _own_series(self, labels: Labels) -> OwnTimeSeries | None:
        series = self._own.get(labels)
        if series is None:
            numbers = self._room((labels,), (OWN_TIME,))
            if not numbers:
                return None
            number = numbers[0]
            series = OwnTimeSeries(labels, number)
            self._own[labels] = self._own_by_number[number] = series
        return series

    def _append_own(self, mapping: _Mapping, frame: Frame, rejected: Counter[Reject], earliest_ms: int) -> int:
        times = [NO_TIMESTAMP] * len(frame.layout) if frame.timestamps_ms is None else frame.timestamps_ms.tolist()
        bits = np.ascontiguousarray(frame.values).view(np.uint64).tolist()
        latest = frame.timestamp_ms + _FUTURE_MS
        taken = 0
        for position, series in mapping.own_series:
            time = frame.timestamp_ms if times[position] == NO_TIMESTAMP else times[position]
            reason = series.append(time, bits[position]) if earliest_ms <= time <= latest else Reject.OUT_OF_BOUNDS
            if reason is None:
                taken += 1
            else:
                rejected[reason] += 1
        return taken

    def _trim_own(self, cutoff_ms: int) -> list[int]:
        gone = []
        for series in list(self._own.values()):
            series.trim(cutoff_ms)
            if not len(series):
                del self._own[series.labels], self._own_by_number[series.number]
                gone.append(series.number)
        if gone:
            self._mapping = None
        return gone

    def _drop_column(self, column: int) -> int:
        labels = self._labels[column]
        assert labels is not None
        del self._column_of[labels]
        self._labels[column] = None
        self._free.append(column)
        return self._numbers[column]

    def _compact(self) -> None:
        kept = np.array([c for c, labels in enumerate(self._labels) if labels is not None], dtype=np.intp)
        self._matrix.compact(kept)
        self._labels = [self._labels[column] for column in kept]
        self._numbers = array("I", self.numbers[kept].tobytes())
        self._born, self._died = self._born[kept], self._died[kept]
        self._column_of = {labels: column for column, labels in enumerate(self._labels) if labels is not None}
        self._live = np.searchsorted(kept, self._live)
        self._free = []
        self._mapping = None


def as_columns(columns: IndexArray) -> Columns:
    """Return a slice where the columns are a run in ascending order, else the columns."""
    if not len(columns):
        return slice(0, 0)
    first = int(columns[0])
    run = int(columns[-1]) - first + 1 == len(columns) and bool((np.diff(columns) == 1).all())
    return slice(first, first + len(columns)) if run else columns


def _with_own_times(frame: Frame) -> NDArray[np.bool_] | None:
    if frame.timestamps_ms is None:
        return None
    own: NDArray[np.bool_] = (frame.timestamps_ms != NO_TIMESTAMP) & (frame.timestamps_ms != frame.timestamp_ms)
    return own if own.any() else None


def _covers(known: NDArray[np.bool_] | None, own: NDArray[np.bool_] | None) -> bool:
    """Tell whether each sample with an own time belongs to a series that is known to bring such."""
    return own is None or (known is not None and not (own & ~known).any())
