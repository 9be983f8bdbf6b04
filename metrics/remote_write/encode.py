"""Writes samples as a WriteRequest.

What stays the same of a series, which is all but 14 bytes of time and value, is made once for each layout; a request
copies it and fills the rest in by array operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels
from metrics.remote_write.wire import delimited, varint

_TIME_SERIES, _LABELS, _SAMPLES = 1, 1, 2

_SAMPLE_HEAD = bytes([_SAMPLES << 3 | 2, 16, 0x09])
_SAMPLE = _SAMPLE_HEAD + bytes(8) + b"\x10" + bytes(6)
_VALUE_AT, _TIME_AT, _END = -15, -6, 0
"""Where value and time are, from the end of a time series."""

EARLIEST_MS, LATEST_MS = 1 << 35, (1 << 42) - 1
"""Times that take six bytes: 1971 to 2109. Others are written one by one."""

ByteArray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """Series as they are written, one after the other, with room for a sample each.

    `ends` has shape (n,), where each ends in `content`.
    """

    content: ByteArray
    ends: NDArray[np.int64]
    series: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.ends)


def template(series: Sequence[Labels]) -> Template:
    """Return what is written of some series."""
    labels = [_labels(one) for one in series]
    parts = [delimited(_TIME_SERIES, one + _SAMPLE) for one in labels]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return Template(np.frombuffer(b"".join(parts), dtype=np.uint8), ends, labels)


def part(whole: Template, places: NDArray[np.intp]) -> Template:
    """Return the template of some of the series; places are ascending."""
    starts = np.concatenate([[0], whole.ends[:-1]])
    kept = np.zeros(len(whole.content), dtype=np.bool_)
    for i in places.tolist():
        kept[starts[i] : whole.ends[i]] = True
    ends = np.cumsum(whole.ends[places] - starts[places], dtype=np.int64)
    return Template(whole.content[kept], ends, [whole.series[i] for i in places.tolist()])


def cut(whole: Template, start: int, end: int) -> Template:
    """Return the template of the series from `start` up to `end`."""
    first = int(whole.ends[start - 1]) if start else 0
    ends = whole.ends[start:end] - first
    return Template(whole.content[first : first + int(ends[-1])], ends, whole.series[start:end])


def encode(layout: Template, timestamps_ms: TimeArray, values: FloatArray) -> bytes:
    """Return a part of a WriteRequest: a sample of each series. Such parts, joined, are one request.

    Args:
        timestamps_ms, values: shape (len(layout),); what a NaN carries is kept.
    """
    if not ((timestamps_ms >= EARLIEST_MS) & (timestamps_ms <= LATEST_MS)).all():
        return _one_by_one(layout, timestamps_ms, values)
    content = layout.content.copy()
    bits = np.ascontiguousarray(values, dtype="<f8").view(np.uint8).reshape(-1, 8)
    content[layout.ends[:, None] + np.arange(_VALUE_AT, _VALUE_AT + 8)] = bits
    digits = (timestamps_ms[:, None] >> np.arange(0, 42, 7)) & 0x7F
    digits[:, :5] |= 0x80
    content[layout.ends[:, None] + np.arange(_TIME_AT, _END)] = digits
    return content.tobytes()


def _one_by_one(layout: Template, timestamps_ms: TimeArray, values: FloatArray) -> bytes:
    bits = np.ascontiguousarray(values, dtype="<f8").tobytes()
    parts = []
    for i, (labels, timestamp_ms) in enumerate(zip(layout.series, timestamps_ms.tolist(), strict=True)):
        sample = b"\x09" + bits[8 * i : 8 * i + 8] + b"\x10" + varint(timestamp_ms)
        parts.append(delimited(_TIME_SERIES, labels + delimited(_SAMPLES, sample)))
    return b"".join(parts)


def _labels(labels: Labels) -> bytes:
    return b"".join([_label(name, value) for name, value in labels])


@lru_cache(maxsize=16_384)
def _label(name: str, value: str) -> bytes:
    return delimited(_LABELS, delimited(1, name.encode()) + delimited(2, value.encode()))
