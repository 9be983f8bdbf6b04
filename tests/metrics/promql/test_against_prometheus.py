"""A real Prometheus 2.42 gives the same answers to several hundred made-up queries over the same samples.

Where it decides otherwise, one of RULES names the reason and says what is still compared.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from core.errors import UserError
from metrics.label import Labels, labels_of
from metrics.promql.compile import SUPPORTED
from metrics.promql.engine import Engine
from metrics.promql.parse import parse
from metrics.promql.result import Matrix, Result, Scalar, Vector
from metrics.storage import is_missing
from tests.components import require
from tests.metrics.promql import queries
from tests.metrics.promql.odd_data import MINUTES, START, Points, as_bytes, as_storage, points
from tests.metrics.promql.peer import PeerError, Prometheus, labels_from, running, values_from

pytestmark = [pytest.mark.slow, pytest.mark.component("prometheus")]

EXAMPLES = 400
Answer = dict[Labels, dict[int, float]]


@dataclass(frozen=True)
class Case:
    """What both are asked, and what they say; None for a refusal."""

    text: str
    ours: Answer | None
    theirs: Answer | None
    reason: str


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running(require("prometheus"), tmp_path_factory.mktemp("prometheus")) as prometheus:
        prometheus.write(as_bytes(points() | edge_points()))
        yield prometheus


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(as_storage(points() | edge_points()))


SECONDS = st.integers(0, MINUTES * 60 + 400)
SEEN: Counter[str] = Counter()


def _hypothesis(examples: int) -> Callable[..., Any]:
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@_hypothesis(EXAMPLES)
@given(text=queries.ROOTS, second=SECONDS)
def test_instant_queries_have_the_same_answers(peer: Prometheus, engine: Engine, text: str, second: int) -> None:
    at_ms = START + second * 1000 + 250

    theirs, reason = _asked(lambda: peer.instant(queries.for_version_2(text), at_ms))
    ours, our_reason = _answered(lambda: engine.instant(parse(text), at_ms))

    _compare(Case(text, _of_result(ours, at_ms), _of_data(theirs), reason or our_reason), f"at {at_ms}")


@_hypothesis(EXAMPLES // 2)
@given(text=queries.ROOTS, second=SECONDS, step=st.sampled_from([7, 15, 61, 300]), steps=st.integers(1, 40))
def test_range_queries_have_the_same_answers(
    peer: Prometheus, engine: Engine, text: str, second: int, step: int, steps: int
) -> None:
    start_ms = START + second * 1000 + 250
    end_ms = start_ms + steps * step * 1000

    theirs, reason = _asked(lambda: peer.range(queries.for_version_2(text), start_ms, end_ms, step * 1000))
    ours, our_reason = _answered(lambda: engine.range(parse(text), start_ms, end_ms, step * 1000))

    case = Case(text, _of_result(ours, start_ms), _of_data(theirs), reason or our_reason)
    _compare(case, f"from {start_ms} to {end_ms} step {step} s")


def _compare(case: Case, when: str) -> None:
    difference = _difference(case)
    if difference:
        rule = next((name for name, applies in RULES.items() if applies(case)), None)
        SEEN[rule or "unexplained"] += 1
        note(f"{case.text} {when}")
        assert rule, f"{case.text} {when}: {difference}"
    else:
        SEEN["equal"] += 1


def _difference(case: Case, tolerance: float = 1e-9) -> str:
    if case.ours is None or case.theirs is None:
        return "" if case.ours is case.theirs else f"only one has an answer: {case.reason}"
    if case.ours.keys() != case.theirs.keys():
        return f"series: ours {sorted(case.ours)}, theirs {sorted(case.theirs)}"
    for labels, ours in case.ours.items():
        theirs = case.theirs[labels]
        if ours.keys() != theirs.keys():
            return f"{labels}: ours at {sorted(ours)}, theirs at {sorted(theirs)}"
        for at, value in ours.items():
            if not _alike(value, theirs[at], tolerance):
                return f"{labels} at {at}: ours {value}, theirs {theirs[at]}"
    return ""


def _alike(left: float, right: float, tolerance: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=tolerance, abs_tol=1e-12)


def _ties(case: Case) -> bool:
    """Which of equal values topk and bottomk take is left open: the values must be the same."""
    if not case.text.startswith(("topk", "bottomk")) or case.ours is None or case.theirs is None:
        return False
    moments = {at for answer in (case.ours, case.theirs) for points in answer.values() for at in points}
    return all(_row(case.ours, at) == _row(case.theirs, at) for at in moments)


def _row(answer: Answer, at: int) -> list[str]:
    return sorted(f"{points[at]:.9g}" for points in answer.values() if at in points)


def _rounding(case: Case) -> bool:
    """Deviations and slopes of numbers that are great beside them lose digits, and what is left over by % does."""
    return re.search("std|deriv|predict_linear|%", case.text) is not None and not _difference(case, tolerance=1e-6)


def _names_dropped_at_the_end(case: Case) -> bool:
    """Version 3 drops names last of all, so that series which differ in nothing else can still be aggregated."""
    return case.theirs is None and "same labelset" in case.reason and "__name__" in case.text


def _pinned_below_subqueries(case: Case) -> bool:
    """Version 2.42 looks at other times than '@' says where it stands below a subquery inside of a subquery."""
    return len(re.findall(r"\[\w+:", case.text)) > 1 and case.text.count("@") > 1


RULES: dict[str, Callable[[Case], bool]] = {
    "rounding": _rounding,
    "which of equal values is taken": _ties,
    "pinned below two subqueries": _pinned_below_subqueries,
    "names are dropped at the end": _names_dropped_at_the_end,
}


def _asked(ask: Callable[[], Any]) -> tuple[Any, str]:
    try:
        return ask(), ""
    except PeerError as error:
        return None, f"theirs: {error}"


def _answered(ask: Callable[[], Result]) -> tuple[Result | None, str]:
    try:
        return ask(), ""
    except UserError as error:
        return None, f"ours: {error}"


def _of_data(data: Any) -> Answer | None:
    if data is None:
        return None
    result = data["result"]
    match data["resultType"]:
        case "scalar":
            return {(): values_from([result])}
        case "vector":
            return {labels_from(one["metric"]): values_from([one["value"]]) for one in result}
        case _:
            return {labels_from(one["metric"]): values_from(one["values"]) for one in result}


def _of_result(result: Result | None, at_ms: int) -> Answer | None:
    match result:
        case Scalar(value):
            return {(): {at_ms: value}}
        case Vector():
            return {labels: {at_ms: value} for labels, value in zip(result.series, result.values.tolist(), strict=True)}
        case Matrix():
            return {labels: _column(result, number) for number, labels in enumerate(result.series)}
        case _:
            return None


def _column(matrix: Matrix, number: int) -> dict[int, float]:
    values = np.ascontiguousarray(matrix.values[:, number])
    there = ~is_missing(values)
    return dict(zip(matrix.timestamps_ms[there].tolist(), values[there].tolist(), strict=True))


GRID = START + 137
"""The samples of `edge` are at whole minutes from here: 0, 1, 2, … up to 10."""


def _edge(name: str = "edge") -> Labels:
    return labels_of({"__name__": name})


def edge_points() -> dict[Labels, Points]:
    """Return samples for what is decided otherwise on purpose."""
    counter: Points = {GRID + 60_000 * n: 50.0 + 60.0 * (n - 4) for n in range(4, 9)}
    return {
        _edge(): {GRID + 60_000 * n: float(n) for n in range(11)},
        _edge("young_total"): counter,
        _edge("lone"): {GRID: math.nan},
        labels_of({"__name__": "lines", "line": "a\nb"}): {GRID: 1.0},
    }


DIFFERENCES = [
    ("the left boundary of a range is outside", "count_over_time(edge[5m])", 10, [5.0], [6.0]),
    ("the left boundary of a subquery is outside", "count_over_time(vector(1)[5m:1m] @ 1700000400)", 0, [5.0], [6.0]),
    ("a sample as old as the lookback is too old", "edge", 15, [], [10.0]),
    ("the dot of a pattern matches a line break", 'lines{line=~"a.b"}', 0, [1.0], []),
    ("the deviation of NaN is NaN", "stddev(lone)", 0, [math.nan], [0.0]),
    ("a counter is extended to its zero only within half a distance", "increase(young_total[8m])", 9, [330.0], [350.0]),
]


@pytest.mark.parametrize(("rule", "text", "minute", "ours", "theirs"), DIFFERENCES)
def test_version_3_decides_otherwise(
    peer: Prometheus, engine: Engine, rule: str, text: str, minute: int, ours: list[float], theirs: list[float]
) -> None:
    at_ms = GRID + 60_000 * minute

    assert _values(_of_result(engine.instant(parse(text), at_ms), at_ms)) == pytest.approx(ours, nan_ok=True), rule
    assert _values(_of_data(peer.instant(text, at_ms))) == pytest.approx(theirs, nan_ok=True), rule


def _values(answer: Answer | None) -> list[float]:
    return [value for points in (answer or {}).values() for value in points.values()]


@pytest.mark.parametrize("function", ["avg", "count", "last", "max", "min", "stddev", "sum", "quantile"])
def test_range_longer_by_a_millisecond_is_what_version_2_reads(peer: Prometheus, engine: Engine, function: str) -> None:
    text = f"{function}_over_time({'0.3, ' if function == 'quantile' else ''}edge[WINDOW])"
    at_ms = GRID + 600_000

    ours = engine.instant(parse(text.replace("WINDOW", "5m1ms")), at_ms)
    theirs = peer.instant(text.replace("WINDOW", "5m"), at_ms)

    assert _difference(Case(text, _of_result(ours, at_ms), _of_data(theirs), "")) == ""


def test_every_function_that_both_have_is_asked_for() -> None:
    newer = {"mad_over_time", "sort_by_label", "sort_by_label_desc"}

    assert SUPPORTED - newer == queries.FUNCTIONS
