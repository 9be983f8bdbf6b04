"""Range functions beside references that follow one series sample by sample."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.label import labels_of
from metrics.promql.engine import Engine
from metrics.promql.parse import parse
from metrics.promql.result import Vector
from tests.fakes.storage import FakeStorage

Samples = list[tuple[int, float]]
_RANGE_MS = 100_000


def extrapolated(samples: Samples, start_ms: int, end_ms: int, *, counter: bool, per_second: bool) -> float | None:
    """Follow promql/functions.go, extrapolatedRate, step by step."""
    if len(samples) < 2:
        return None
    (first_ms, first), (last_ms, last) = samples[0], samples[-1]
    change = last - first
    if counter:
        change += sum(before for (_, before), (_, after) in pairwise(samples) if after < before)
    sampled = (last_ms - first_ms) / 1000
    distance = sampled / (len(samples) - 1)
    before, after = (first_ms - start_ms) / 1000, (end_ms - last_ms) / 1000
    if before >= distance * 1.1:
        before = distance / 2
    if counter and change > 0 and first >= 0:
        before = min(before, sampled * first / change)
    if after >= distance * 1.1:
        after = distance / 2
    result = change * ((sampled + before + after) / sampled)
    return result / (_RANGE_MS / 1000) if per_second else result


def values(samples: Samples) -> list[float]:
    return [value for _, value in samples]


def steps(samples: Samples) -> list[tuple[float, float]]:
    return list(zip(values(samples), values(samples)[1:], strict=False))


def instant_rate(samples: Samples) -> float | None:
    if len(samples) < 2:
        return None
    (before_ms, before), (last_ms, last) = samples[-2:]
    return (last if last < before else last - before) / ((last_ms - before_ms) / 1000)


def slope(samples: Samples) -> float | None:
    if len(samples) < 2:
        return None
    xs = [time / 1000 for time, _ in samples]
    return statistics.linear_regression(xs, values(samples)).slope


Reference = Callable[[Samples, int, int], float | None]

REFERENCES: dict[str, Reference] = {
    "rate(x[100s])": lambda s, start, end: extrapolated(s, start, end, counter=True, per_second=True),
    "increase(x[100s])": lambda s, start, end: extrapolated(s, start, end, counter=True, per_second=False),
    "delta(x[100s])": lambda s, start, end: extrapolated(s, start, end, counter=False, per_second=False),
    "irate(x[100s])": lambda s, _start, _end: instant_rate(s),
    "resets(x[100s])": lambda s, _start, _end: sum(b < a for a, b in steps(s)) if s else None,
    "changes(x[100s])": lambda s, _start, _end: sum(b != a for a, b in steps(s)) if s else None,
    "sum_over_time(x[100s])": lambda s, _start, _end: math.fsum(values(s)) if s else None,
    "avg_over_time(x[100s])": lambda s, _start, _end: statistics.fmean(values(s)) if s else None,
    "min_over_time(x[100s])": lambda s, _start, _end: min(values(s)) if s else None,
    "max_over_time(x[100s])": lambda s, _start, _end: max(values(s)) if s else None,
    "last_over_time(x[100s])": lambda s, _start, _end: values(s)[-1] if s else None,
    "count_over_time(x[100s])": lambda s, _start, _end: len(s) or None,
    "stdvar_over_time(x[100s])": lambda s, _start, _end: statistics.pvariance(values(s)) if s else None,
    "quantile_over_time(0.5, x[100s])": lambda s, _start, _end: statistics.median(values(s)) if s else None,
    "deriv(x[100s])": lambda s, _start, _end: slope(s),
}

_VALUE = st.integers(0, 1000).map(float) | st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
_SERIES = st.dictionaries(st.integers(0, 60).map(lambda n: n * 5000), _VALUE, max_size=40)


@pytest.mark.parametrize("text", REFERENCES)
@settings(max_examples=25)
@given(store=st.lists(_SERIES, min_size=1, max_size=4), at=st.integers(0, 400).map(lambda n: n * 1000))
def test_function_agrees_with_its_reference(text: str, store: list[dict[int, float]], at: int) -> None:
    storage = FakeStorage()
    for number, samples in enumerate(store):
        storage.add(labels_of({"__name__": "x", "n": str(number)}), samples)

    result = Engine(storage).instant(parse(text), at)

    assert isinstance(result, Vector)
    found = {dict(labels)["n"]: value for labels, value in zip(result.series, result.values.tolist(), strict=True)}
    expected = {}
    for number, samples in enumerate(store):
        inside = sorted((time, value) for time, value in samples.items() if at - _RANGE_MS < time <= at)
        value = REFERENCES[text](inside, at - _RANGE_MS, at)
        if value is not None:
            expected[str(number)] = float(value)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
