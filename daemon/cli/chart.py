"""Charts made of text: a line of block characters, and a larger one with its axes. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from daemon.cli.wording import number

_BLOCKS = " ▁▂▃▄▅▆▇█"
_STEPS = len(_BLOCKS) - 1


def sparkline(values: Sequence[float], width: int) -> str:
    """Return one line of at most `width` characters, from the least to the greatest value; holes are blanks."""
    columns = resample(values, width)
    low, high = span(columns)
    return "".join(" " if math.isnan(value) else _BLOCKS[1 + _level(value, low, high, _STEPS - 1)] for value in columns)


def chart(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """Return the lines of a chart of bars, its axis of values on the left; NaN are holes.

    The axis starts at zero unless the values are negative or far from it, so that heights can be compared.
    """
    columns = resample(values, width)
    low, high = span(columns)
    if 0 < low <= high / 2:
        low = 0.0
    levels = [0 if math.isnan(value) else 1 + _level(value, low, high, height * _STEPS - 1) for value in columns]
    marks = {height - 1: number(high), 0: number(low)}
    margin = max(len(mark) for mark in marks.values())
    return [
        f"{marks.get(row, ''):>{margin}} ┤" + "".join(_cell(level, row) for level in levels).rstrip()
        for row in reversed(range(height))
    ]


def resample(values: Sequence[float], width: int) -> list[float]:
    """Return at most `width` values, each the greatest of its share: a peak must not vanish between columns."""
    if len(values) <= width:
        return list(values)
    edges = [index * len(values) // width for index in range(width + 1)]
    return [_greatest(values[start:end]) for start, end in pairwise(edges)]


def span(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest finite value; zeros where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 0.0)


def _greatest(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return max(known) if known else math.nan


def _level(value: float, low: float, high: float, steps: int) -> int:
    # Halves, because the distance of two floats may be no float.
    if value == math.inf or high / 2 <= low / 2:
        return steps if value >= high > 0 else 0
    return 0 if value == -math.inf else min(steps, max(0, round((value / 2 - low / 2) / (high / 2 - low / 2) * steps)))


def _cell(level: int, row: int) -> str:
    return _BLOCKS[min(_STEPS, max(0, level - row * _STEPS))]
