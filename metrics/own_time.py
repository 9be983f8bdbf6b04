"""The samples of one series that brings its own timestamps, so that it cannot share a matrix with others."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from enum import Enum

import numpy as np

from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels


class Reject(Enum):
    """Why a sample was not taken; the value is that of the label `reason`."""

    OUT_OF_ORDER = "out_of_order"
    DUPLICATE_TIMESTAMP = "duplicate_timestamp"
    OUT_OF_BOUNDS = "out_of_bounds"
    SERIES_LIMIT = "series_limit"


class OwnTimeSeries:
    """Samples of one series in ascending order of their own times."""

    __slots__ = ("_bits", "_times", "labels", "number")

    def __init__(self, labels: Labels, number: int) -> None:
        self.labels = labels
        self.number = number
        self._times = array("q")
        self._bits = array("Q")  # bit patterns, because a Python float may lose what a NaN carries

    def __len__(self) -> int:
        return len(self._times)

    @property
    def size_bytes(self) -> int:
        """The memory of the samples."""
        return len(self._times) * (self._times.itemsize + self._bits.itemsize)

    def first_ms_from(self, start_ms: int) -> int | None:
        """Return the time of the oldest sample that is not older than `start_ms`."""
        place = bisect_left(self._times, start_ms)
        return self._times[place] if place < len(self._times) else None

    @property
    def last_ms(self) -> int | None:
        """The time of the newest sample."""
        return self._times[-1] if self._times else None

    def append(self, timestamp_ms: int, bits: int) -> Reject | None:
        """Add a sample, or tell why not. The last sample once more, with the same value, is taken in silence."""
        if self._times and timestamp_ms <= self._times[-1]:
            if timestamp_ms < self._times[-1]:
                return Reject.OUT_OF_ORDER
            return None if bits == self._bits[-1] else Reject.DUPLICATE_TIMESTAMP
        self._times.append(timestamp_ms)
        self._bits.append(bits)
        return None

    def window(self, start_ms: int, end_ms: int) -> tuple[TimeArray, FloatArray]:
        """Return copies of the times and values with start_ms <= time <= end_ms, each of shape (n,)."""
        low, high = bisect_left(self._times, start_ms), bisect_right(self._times, end_ms)
        times = np.array(self._times[low:high], dtype=np.int64)
        return times, np.array(self._bits[low:high], dtype=np.uint64).view(np.float64)

    def trim(self, cutoff_ms: int) -> None:
        """Drop the samples that are older."""
        old = bisect_left(self._times, cutoff_ms)
        del self._times[:old], self._bits[:old]
