"""Columns come back bit for bit, whatever is in them, and regular ones are small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from metrics.disk.column import decode, encode
from metrics.frame import STALE_BITS, FloatArray
from metrics.storage import MISSING_BITS

ODD = st.sampled_from([0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1e308, 2.0**53, 0.1, 1e-9])
VALUE = ODD | st.floats(width=64) | st.integers(-1000, 1000).map(lambda n: n / 100) | st.integers(0, 10**12).map(float)
SHAPE = st.tuples(st.integers(1, 12), st.integers(1, 6))


def there_and_back(values: FloatArray) -> FloatArray:
    result = np.zeros_like(values)
    seen = []
    for part in encode(values):
        result.view(np.uint64)[:, part.columns] = np.ascontiguousarray(decode(part.data)).view(np.uint64)
        seen += part.columns.tolist()
    assert sorted(seen) == list(range(values.shape[1]))
    return result


def size(values: FloatArray) -> float:
    return sum(len(part.data) for part in encode(values)) / values.size


@settings(max_examples=80, deadline=None)
@given(SHAPE.flatmap(lambda shape: arrays.arrays(np.float64, shape, elements=VALUE)), st.data())
def test_columns_come_back_bit_for_bit(values: FloatArray, data: st.DataObject) -> None:
    bits = values.view(np.uint64)
    for marker in (MISSING_BITS, STALE_BITS):
        bits[data.draw(arrays.arrays(np.bool_, values.shape))] = marker

    assert (there_and_back(values).view(np.uint64) == bits).all()


def test_many_columns_of_all_kinds_come_back() -> None:
    chance = np.random.default_rng(1)
    columns = [chance.integers(0, 50, 480).cumsum() * step for step in (1.0, 0.01, 4096.0, 0.001, 1e9)] * 40
    columns += [chance.random(480), np.zeros(480), np.arange(480) / 3]
    values = np.stack(columns, axis=1)
    values.view(np.uint64)[100:200, ::7] = MISSING_BITS

    assert (there_and_back(values).view(np.uint64) == values.view(np.uint64)).all()


@pytest.mark.parametrize(
    ("what", "column", "at_most"),
    [
        ("a constant", np.full(480, 3.7), 0.1),
        ("a steady counter", np.arange(480) * 15.0, 0.1),
        ("seconds with two decimals", np.round(np.arange(480) * 14.87, 2), 0.1),
        ("milliseconds times 0.001, as Go programs do it", np.arange(480) * 137 * 0.001, 0.1),
        ("pages of memory", 4096.0 * np.random.default_rng(1).integers(0, 200, 480), 1.3),
        ("a series that is hardly ever there", np.r_[1.0, 2.0, np.full(478, np.nan)], 0.2),
    ],
)
def test_regular_columns_are_small(what: str, column: FloatArray, at_most: float) -> None:
    values = np.repeat(column[:, np.newaxis], 20, axis=1)

    assert size(values) <= at_most, what
