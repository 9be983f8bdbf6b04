from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.label import labels_of
from metrics.promql.engine import Engine
from metrics.promql.parse import parse
from metrics.promql.result import Vector
from tests.fakes.storage import FakeStorage


def vector(text: str, values: dict[tuple[str, str], float]) -> Vector:
    """Evaluate over series x with the labels (group, n)."""
    store = FakeStorage()
    for (group, n), value in values.items():
        store.add(labels_of({"__name__": "x", "group": group, "n": n}), {0: value})
    result = Engine(store).instant(parse(text), 0)
    assert isinstance(result, Vector)
    return result


VALUES = {("a", "1"): 1.0, ("b", "1"): 5.0, ("a", "2"): 3.0, ("b", "2"): 7.0, ("a", "3"): 8.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum by (group) (x)", {"a": 12.0, "b": 12.0}),
        ("avg by (group) (x)", {"a": 4.0, "b": 6.0}),
        ("min without (n) (x)", {"a": 1.0, "b": 5.0}),
        ("max by (group) (x)", {"a": 8.0, "b": 7.0}),
        ("count by (group) (x > 4)", {"a": 1.0, "b": 2.0}),
        ("count by (group) (x > 7)", {"a": 1.0}),
        ("group by (group) (x)", {"a": 1.0, "b": 1.0}),
        ("stdvar by (group) (x)", {"a": 26 / 3, "b": 1.0}),
        ("quantile by (group) (0.5, x)", {"a": 3.0, "b": 6.0}),
        ("sum(topk by (group) (1, x)) by (group)", {"a": 8.0, "b": 7.0}),
        ("sum(bottomk by (group) (2, x)) by (group)", {"a": 4.0, "b": 12.0}),
    ],
)
def test_aggregation_is_made_for_each_group(text: str, expected: dict[str, float]) -> None:
    result = vector(text, VALUES)

    found = {dict(labels)["group"]: value for labels, value in zip(result.series, result.values.tolist(), strict=True)}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("topk(3, x)", [8.0, 7.0, 5.0]),
        ("bottomk(2, x)", [1.0, 3.0]),
        ("topk(0, x)", []),
        ("sort(x)", [1.0, 3.0, 5.0, 7.0, 8.0]),
        ("sort_desc(x > 3)", [8.0, 7.0, 5.0]),
        ('sort_by_label(x, "n", "group")', [1.0, 5.0, 3.0, 7.0, 8.0]),
    ],
)
def test_order_is_part_of_the_result(text: str, expected: list[float]) -> None:
    assert vector(text, VALUES).values.tolist() == expected


def test_cancellation_loses_nothing() -> None:
    values = {("a", "1"): 1.0, ("a", "2"): 1e100, ("a", "3"): 1.0, ("a", "4"): -1e100}

    assert vector("sum(x)", values).values.tolist() == [2.0]
    assert vector("avg(x)", values).values.tolist() == [0.5]


def test_mean_of_great_values_does_not_overflow() -> None:
    values = {("a", str(n)): 1e308 for n in range(8)}

    assert vector("avg(x)", values).values.tolist() == pytest.approx([1e308])
    assert vector("sum(x)", values).values.tolist() == [math.inf]


def test_counted_values_become_labels() -> None:
    result = vector('count_values by (group) ("v", x % 2)', VALUES)

    assert dict(zip(result.series, result.values.tolist(), strict=True)) == {
        (("group", "a"), ("v", "0")): 1.0,
        (("group", "a"), ("v", "1")): 2.0,
        (("group", "b"), ("v", "1")): 2.0,
    }


def histogram(text: str, **counts: float) -> Vector:
    store = FakeStorage()
    for name, count in counts.items():
        bound = "+Inf" if name == "inf" else name.removeprefix("le").replace("_", ".")
        store.add(labels_of({"__name__": "h_bucket", "job": "a", "le": bound}), {0: count})
    result = Engine(store).instant(parse(text), 0)
    assert isinstance(result, Vector)
    return result


def test_quantile_lies_inside_its_bucket() -> None:
    result = histogram("histogram_quantile(0.5, h_bucket)", le0_1=2.0, le0_5=6.0, le1=8.0, inf=8.0)

    assert result.series == ((("job", "a"),),)
    assert result.values.tolist() == pytest.approx([0.3])
    assert result.infos == ()


def test_bucket_that_is_filtered_out_widens_its_neighbour() -> None:
    text = "histogram_quantile(0.5, h_bucket != 6)"

    assert histogram(text, le0_1=2.0, le0_5=6.0, le1=8.0, inf=8.0).values.tolist() == pytest.approx([0.4])


def test_counts_that_fall_are_mended_and_told() -> None:
    result = histogram("histogram_quantile(0.5, h_bucket)", le0_1=4.0, le0_5=2.0, le1=8.0, inf=8.0)

    assert result.values.tolist() == pytest.approx([0.1])
    assert "needed to be fixed for monotonicity" in result.infos[0]


def test_histogram_without_its_last_bucket_has_no_quantile() -> None:
    assert math.isnan(histogram("histogram_quantile(0.5, h_bucket)", le1=4.0, le2=5.0).values[0])


_GROUPED = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9).map(str)), st.floats(-1e9, 1e9), min_size=1, max_size=20
)


@given(_GROUPED, st.sampled_from(["sum", "avg", "min", "max", "stdvar"]))
def test_aggregation_agrees_with_numpy(values: dict[tuple[str, str], float], operator: str) -> None:
    references: dict[str, Callable[..., np.float64]]
    references = {"sum": np.sum, "avg": np.mean, "min": np.min, "max": np.max, "stdvar": np.var}
    members: dict[str, list[float]] = {}
    for (group, _), value in values.items():
        members.setdefault(group, []).append(value)

    result = vector(f"{operator} by (group) (x)", values)

    found = {dict(labels)["group"]: value for labels, value in zip(result.series, result.values.tolist(), strict=True)}
    scale = max(1.0, *(abs(value) for value in values.values()))
    expected = {group: float(references[operator](np.array(some))) for group, some in members.items()}
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)
