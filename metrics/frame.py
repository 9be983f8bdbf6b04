"""Frame: what one collection of one source yields. One timestamp, many series, whole columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from metrics.label import Labels

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.int64]

STALE_BITS = np.uint64(0x7FF0000000000002)
"""The NaN that says "this series has ended here", bit for bit Prometheus' (model/value, StaleNaN)."""

STALE = np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0]
"""The staleness marker as a float64. Copy it only inside numpy arrays: a Python float may lose its payload."""

NO_TIMESTAMP = np.iinfo(np.int64).min
"""Stands in `timestamps_ms` for a sample without a time of its own; it takes that of its frame."""


def is_stale(values: FloatArray) -> NDArray[np.bool_]:
    """Return where `values` hold the staleness marker; same shape. An ordinary NaN is a value, not a marker."""
    stale: NDArray[np.bool_] = np.ascontiguousarray(values).view(np.uint64) == STALE_BITS
    return stale


class MetricType(Enum):
    """What a metric family is, by the names of the text format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"
    UNTYPED = "unknown"
    INFO = "info"
    STATESET = "stateset"
    GAUGEHISTOGRAM = "gaugehistogram"


@dataclass(frozen=True, slots=True)
class Family:
    """What is told about a metric besides its samples. `name` is that of the TYPE line."""

    name: str
    type: MetricType
    help: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The series of a collection in their order; no series twice.

    Collections of the same source share one Layout object while nothing but values changes, so `is` tells whether a
    whole column can be appended as it is.
    """

    series: tuple[Labels, ...]

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One collection of one source.

    Attributes:
        source: which collection this belongs to, unique in the daemon: `system`, `scrape/shop/127.0.0.1:9000`.
        timestamp_ms: when it was collected, Unix milliseconds.
        layout: its series, with the source's target labels.
        values: shape (len(layout),).
        timestamps_ms: shape (len(layout),), where samples brought their own times, NO_TIMESTAMP for those that did not;
            None where all have `timestamp_ms`.
        families: by metric family name.
    """

    source: str
    timestamp_ms: int
    layout: Layout
    values: FloatArray
    timestamps_ms: TimeArray | None = None
    families: Mapping[str, Family] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Collections of one source with one layout, one after the other, none with samples that have own times.

    Attributes:
        timestamps_ms: shape (T,).
        values: shape (T, len(layout)).
    """

    source: str
    timestamps_ms: TimeArray
    layout: Layout
    values: FloatArray

    def since(self, start_ms: int) -> Run:
        """Return it without what is older than a time."""
        there = self.timestamps_ms >= start_ms
        if there.all():
            return self
        return Run(self.source, self.timestamps_ms[there], self.layout, self.values[there])


@dataclass(frozen=True, slots=True)
class End:
    """A source has ended: all its live series get the staleness marker."""

    source: str
    timestamp_ms: int
