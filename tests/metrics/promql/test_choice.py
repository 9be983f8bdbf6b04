"""Aggregations that choose series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.label import Labels, labels_of
from metrics.promql.engine import Engine
from metrics.promql.error import QueryError
from metrics.promql.label_hash import hash_labels, xxh64
from metrics.promql.parse import parse
from metrics.promql.result import Matrix, Vector
from metrics.storage import is_missing
from tests.fakes.storage import FakeStorage

# From the xxHash project's own test vectors and its command `xxhsum -H1`.
HASHES = [
    (b"", 0xEF46DB3751D8E999),
    (b"abc", 0x44BC2CF5AD770999),
    (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
]


@pytest.mark.parametrize(("data", "expected"), HASHES)
def test_hash_is_that_of_the_specification(data: bytes, expected: int) -> None:
    assert xxh64(data) == expected


def test_long_label_values_are_hashed_after_three_more_bytes() -> None:
    value = "x" * 300

    assert hash_labels((("a", value),)) == xxh64(b"\x01a\xff\x2c\x01\x00" + value.encode())
    assert hash_labels((("a", "b"), ("c", "d"))) == xxh64(b"\x01a\x01b\x01c\x01d")


def store(values: list[float], groups: int = 2) -> FakeStorage:
    fake = FakeStorage()
    for number, value in enumerate(values):
        fake.add(labels_of({"__name__": "x", "g": str(number % groups), "n": str(number)}), {0: value})
    return fake


def numbers(series: list[Labels] | tuple[Labels, ...]) -> list[int]:
    return [int(dict(labels)["n"]) for labels in series]


def ask(fake: FakeStorage, text: str) -> list[int]:
    result = Engine(fake).instant(parse(text), 0)
    assert isinstance(result, Vector)
    return numbers(list(result.series))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limitk(3, x)", [0, 1, 2]),
        ("limitk by (g) (1, x)", [0, 1]),
        ("limitk by (g) (2.9, x)", [0, 1, 2, 3]),
        ("limitk(3, x > 2)", [3, 4, 5]),
        ("limitk(0, x)", []),
        ("limitk(-3, x)", []),
        ("topk by (g) (1, x)", [4, 5]),
        ("bottomk(2, x)", [0, 1]),
        ("topk(1e9, x)", [5, 4, 3, 2, 1, 0]),
    ],
)
def test_chosen_series(text: str, expected: list[int]) -> None:
    assert ask(store([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), text) == expected


def test_ratio_and_its_complement_share_the_series_out() -> None:
    fake = store([1.0] * 400)

    some, others = ask(fake, "limit_ratio(0.3, x)"), ask(fake, "limit_ratio(-0.7, x)")

    assert sorted(some + others) == list(range(400))
    assert len(some) == pytest.approx(120, abs=30)


@pytest.mark.parametrize("text", ["limit_ratio(NaN, x)", "limitk(NaN, x)", "topk(Inf, x)"])
def test_choice_needs_a_number(text: str) -> None:
    with pytest.raises(QueryError):
        ask(store([1.0]), text)


VALUES = st.lists(st.sampled_from([1.0, 2.0, 3.0, -4.0, math.inf, -math.inf, math.nan]), min_size=1, max_size=90)


@given(VALUES, st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_topk_is_what_sorting_gives(values: list[float], count: int, groups: int, greatest: bool) -> None:
    sign = -1.0 if greatest else 1.0
    expected = []
    for group in sorted({number % groups for number in range(len(values))}):
        members = [number for number in range(len(values)) if number % groups == group]
        expected += sorted(members, key=lambda number: _key(sign * values[number]))[:count]

    assert ask(store(values, groups), f"{'topk' if greatest else 'bottomk'} by (g) ({count}, x)") == expected


def _key(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


@given(st.lists(VALUES, min_size=2, max_size=5), st.integers(1, 6), st.sampled_from(["topk", "bottomk", "limitk"]))
def test_choice_of_many_steps_is_that_of_each(rows: list[list[float]], count: int, operator: str) -> None:
    width = min(len(row) for row in rows)
    fake = FakeStorage()
    for number in range(width):
        samples = {60_000 * row: values[number] for row, values in enumerate(rows) if (row + number) % 5}
        fake.add(labels_of({"__name__": "x", "g": str(number % 3), "n": str(number)}), samples)
    engine, expression = Engine(fake, lookback_ms=60_000), parse(f"{operator} by (g) ({count}, x)")

    matrix = engine.range(expression, 0, 60_000 * (len(rows) - 1), 60_000)

    assert isinstance(matrix, Matrix)
    there = ~is_missing(matrix.values)
    for row in range(len(rows)):
        one = engine.instant(expression, 60_000 * row)
        assert isinstance(one, Vector)
        found = [labels for labels, present in zip(matrix.series, there[row], strict=True) if present]
        assert sorted(numbers(found)) == sorted(numbers(list(one.series)))


def test_quantile_of_groups_of_different_sizes() -> None:
    fake = FakeStorage()
    for number, value in enumerate([1.0, 5.0, 2.0, 9.0, 3.0, math.nan]):
        fake.add(
            labels_of({"__name__": "x", "g": "abc"[number % 3 if number < 3 else 0], "n": str(number)}), {0: value}
        )

    result = Engine(fake).instant(parse("quantile by (g) (0.5, x)"), 0)

    assert isinstance(result, Vector)
    assert np.array_equal(result.values, [2.0, 5.0, 2.0])
