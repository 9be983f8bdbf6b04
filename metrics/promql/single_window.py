"""What range functions compute from one window of one series, in plain Python.

Most rules read a single series, and a handful of samples is worked off before numpy has looked at its first argument.
The results are those of range_function.py; values that are not finite are left to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

Single: TypeAlias = Callable[[Sequence[float], Sequence[int], int, int], float]
"""From values, their times, and the left and right end of the window (all times in Unix milliseconds) to a value."""

LONGEST = 512
"""With more samples than these, arrays are quicker."""


def _increase(values: Sequence[float], times: Sequence[int], start: int, end: int) -> float:
    change = values[-1] - values[0]
    lost = 0.0
    for before, after in pairwise(values):
        if after < before:
            lost += before
    return _extended(change + lost, values[0], times, start, end)


def _rate(values: Sequence[float], times: Sequence[int], start: int, end: int) -> float:
    return _increase(values, times, start, end) / ((end - start) / 1000.0)


def _delta(values: Sequence[float], times: Sequence[int], start: int, end: int) -> float:
    return _extended(values[-1] - values[0], None, times, start, end)


def _extended(change: float, first: float | None, times: Sequence[int], start: int, end: int) -> float:
    """Extend a change between the first and the last sample to the whole window; see range_function._extrapolated."""
    sampled = (times[-1] - times[0]) / 1000.0
    distance = sampled / (len(times) - 1)
    to_start, to_end = (times[0] - start) / 1000.0, (end - times[-1]) / 1000.0
    if to_start >= distance * 1.1:
        to_start = distance / 2
    if to_end >= distance * 1.1:
        to_end = distance / 2
    if first is not None and first >= 0 and first * sampled < change * to_start:
        to_start = sampled * (first / change)
    return change * ((sampled + to_start + to_end) / sampled)


def _irate(values: Sequence[float], times: Sequence[int], _start: int, _end: int) -> float:
    last, before = values[-1], values[-2]
    return (last if last < before else last - before) / ((times[-1] - times[-2]) / 1000.0)


SINGLE: dict[str, Single] = {
    "avg_over_time": lambda values, *_: math.fsum(values) / len(values),
    "count_over_time": lambda values, *_: float(len(values)),
    "delta": _delta,
    "idelta": lambda values, *_: values[-1] - values[-2],
    "increase": _increase,
    "irate": _irate,
    "last_over_time": lambda values, *_: values[-1],
    "max_over_time": lambda values, *_: max(values),
    "min_over_time": lambda values, *_: min(values),
    "rate": _rate,
    "sum_over_time": lambda values, *_: math.fsum(values),
}
"""By name; the others have no form for one window."""
