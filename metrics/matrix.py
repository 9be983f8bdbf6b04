"""The samples of one source that share their timestamps: times x columns, in chunks.

A chunk is filled row by row and never changed afterwards, so views of it may be handed out, and dropping old ones
copies nothing. What a column means is known to the head alone.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metrics.frame import STALE_BITS, FloatArray, TimeArray
from metrics.storage import MISSING_BITS, is_missing

Columns: TypeAlias = slice | NDArray[np.intp]
"""A run of columns (slice with start and stop, step 1), which gives views, or any columns."""

_CHUNK_BYTES = 1 << 19
_CHUNK_ROWS = (16, 240)


class _Chunk:
    __slots__ = ("dense", "rows", "samples", "times", "values")

    def __init__(self, width: int) -> None:
        fewest, most = _CHUNK_ROWS
        capacity = min(max(_CHUNK_BYTES // (8 * max(width, 1)), fewest), most)
        # Memory that is not written yet costs nothing: the system hands out its pages on first use.
        self.times = np.empty(capacity, dtype=np.int64)
        self.values = np.empty((capacity, width), dtype=np.float64)
        self.rows = 0
        self.samples = 0
        self.dense = True
        """Whether no row has a hole; a row that is dense itself may have come after one that is not."""

    @property
    def width(self) -> int:
        return self.values.shape[1]

    @property
    def full(self) -> bool:
        return self.rows == len(self.times)

    @property
    def last_ms(self) -> int:
        return int(self.times[self.rows - 1])

    def close(self) -> None:
        """Give back the room of the rows that will never come."""
        if self.rows < len(self.times):
            self.times = self.times[: self.rows].copy()
            self.values = self.values[: self.rows].copy()


class Matrix:
    """Rows of samples in ascending order of time."""

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []

    @property
    def samples(self) -> int:
        """How many samples are held, staleness markers among them."""
        return sum(chunk.samples for chunk in self._chunks)

    @property
    def size_bytes(self) -> int:
        """The memory of what is written and of the room kept for the rows to come."""
        return sum(chunk.values.nbytes + chunk.times.nbytes for chunk in self._chunks)

    @property
    def chunks(self) -> int:
        """How many pieces hold the rows."""
        return len(self._chunks)

    @property
    def first_ms(self) -> int | None:
        """The time of the oldest row."""
        return int(self._chunks[0].times[0]) if self._chunks else None

    @property
    def last_ms(self) -> int | None:
        """The time of the newest row."""
        return self._chunks[-1].last_ms if self._chunks else None

    def first_ms_from(self, start_ms: int) -> int | None:
        """Return the time of the oldest row that is not older than `start_ms`."""
        for chunk in self._chunks:
            if chunk.last_ms >= start_ms:
                return int(chunk.times[: chunk.rows][chunk.times[: chunk.rows].searchsorted(start_ms)])
        return None

    def append(self, timestamp_ms: int, width: int, columns: Columns, values: FloatArray, stale: Columns) -> None:
        """Add a row: `values` in `columns`, staleness markers in `stale`, nothing elsewhere.

        Args:
            timestamp_ms: later than that of every row before.
            width: one more than the highest column in use.
            values: one for each of `columns`, in that order.
        """
        chunk = self._room(width)
        row = chunk.values[chunk.rows]
        bits = row.view(np.uint64)
        if len(values) < len(row) or not isinstance(columns, slice):
            bits[:] = MISSING_BITS
            chunk.dense = chunk.dense and len(values) == len(row)
        row[columns] = values
        bits[stale] = STALE_BITS
        chunk.times[chunk.rows] = timestamp_ms
        chunk.rows += 1
        chunk.samples += len(values) + len(bits[stale])

    def append_rows(self, times: TimeArray, width: int, columns: Columns, values: FloatArray) -> None:
        """Add many rows without markers; `values` has shape (rows, columns)."""
        done = 0
        while done < len(times):
            chunk = self._room(width)
            count = min(len(times) - done, len(chunk.times) - chunk.rows)
            rows = slice(chunk.rows, chunk.rows + count)
            if values.shape[1] < chunk.width or not isinstance(columns, slice):
                chunk.values.view(np.uint64)[rows] = MISSING_BITS
                chunk.dense = chunk.dense and values.shape[1] == chunk.width
            chunk.values[rows, columns] = values[done : done + count]
            chunk.times[rows] = times[done : done + count]
            chunk.rows += count
            chunk.samples += count * values.shape[1]
            done += count

    def window(self, start_ms: int, end_ms: int, columns: Columns) -> tuple[TimeArray, FloatArray] | None:
        """Return the times and values of the rows with start_ms <= time <= end_ms; None if there are none.

        They are views where one chunk and a run of columns hold it all.
        """
        parts = []
        for chunk in self._chunks:
            times = chunk.times[: chunk.rows]
            first_ms, last_ms = int(times[0]), int(times[-1])
            if last_ms < start_ms or first_ms > end_ms:
                continue
            low = 0 if first_ms >= start_ms else int(times.searchsorted(start_ms, "left"))
            high = chunk.rows if last_ms <= end_ms else int(times.searchsorted(end_ms, "right"))
            if low < high:
                parts.append((times[low:high], _pick(chunk.values[low:high], columns)))
        if len(parts) < 2:
            return parts[0] if parts else None
        return np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts])

    def present(self, start_ms: int, end_ms: int, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of some columns have samples with start_ms <= time <= end_ms; copies no more than a row.

        Newer rows come first: nearly always the newest one has a sample in every column that has any.
        """
        found = np.zeros(len(columns), dtype=np.bool_)
        for chunk in reversed(self._chunks):
            times = chunk.times[: chunk.rows]
            low, high = (
                int(place) for place in (times.searchsorted(start_ms, "left"), times.searchsorted(end_ms, "right"))
            )
            for row in range(high - 1, low - 1, -1):
                wanted = np.flatnonzero(~found & (columns < chunk.width))
                if not len(wanted):
                    break
                found[wanted] = chunk.values[row].view(np.uint64)[columns[wanted]] != MISSING_BITS
        return found

    def newest(self, start_ms: int, end_ms: int, columns: Columns) -> tuple[TimeArray, FloatArray] | None:
        """Return the newest of the rows that window() would return, or what window() returns where that has a hole."""
        for chunk in reversed(self._chunks):
            if int(chunk.times[0]) > end_ms:
                continue
            times = chunk.times[: chunk.rows]
            row = chunk.rows - 1 if chunk.last_ms <= end_ms else int(times.searchsorted(end_ms, "right")) - 1
            if times[row] < start_ms:
                return None
            values = _pick(chunk.values[row : row + 1], columns)
            whole = chunk.dense and isinstance(columns, slice) and columns.stop <= chunk.width
            if not whole and is_missing(values).any():
                return self.window(start_ms, end_ms, columns)
            return times[row : row + 1], values
        return None

    def trim(self, cutoff_ms: int) -> bool:
        """Drop the chunks whose rows are all older; tell whether there were any."""
        keep = next((i for i, chunk in enumerate(self._chunks) if chunk.last_ms >= cutoff_ms), len(self._chunks))
        del self._chunks[:keep]
        return keep > 0

    def compact(self, kept: NDArray[np.intp]) -> None:
        """Keep only these columns, which become columns 0, 1, 2, …; views handed out before stay as they are."""
        for chunk in self._chunks:
            values = np.empty((len(chunk.times), len(kept)), dtype=np.float64)
            values[: chunk.rows] = _pick(chunk.values[: chunk.rows], kept)
            chunk.values, chunk.dense = values, False

    def _room(self, width: int) -> _Chunk:
        last = self._chunks[-1] if self._chunks else None
        if last is None or last.full or last.width < width:
            # A source that has grown may grow on: some spare columns keep each new series from beginning a chunk.
            spare = width // 8 + 1 if last is not None and last.width < width else 0
            if last is not None:
                last.close()
            last = _Chunk(width + spare)
            self._chunks.append(last)
        return last


def _pick(values: FloatArray, columns: Columns) -> FloatArray:
    """Return some columns; those that the chunk is too narrow for have no samples."""
    width = values.shape[1]
    if isinstance(columns, slice):
        if columns.stop <= width:
            return values[:, columns]
        columns = np.arange(columns.start, columns.stop)
    inside = columns < width
    if inside.all():
        return values[:, columns]
    picked = np.empty((len(values), len(columns)), dtype=np.float64)
    picked.view(np.uint64)[:] = MISSING_BITS
    picked[:, inside] = values[:, columns[inside]]
    return picked
