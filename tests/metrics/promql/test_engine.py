from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from core.errors import UserError
from metrics.frame import STALE
from metrics.label import Labels, format_labels, labels_of
from metrics.promql.engine import MAX_STEPS, Engine
from metrics.promql.error import QueryError, QueryTimeoutError
from metrics.promql.parse import parse
from metrics.promql.result import Matrix, Scalar, String, Vector
from metrics.storage import MISSING, Block, Matcher, is_missing
from tests.fakes.clock import FakeClock
from tests.fakes.storage import FakeStorage


def series(name: str, **labels: str) -> Labels:
    return labels_of({"__name__": name, **labels})


def storage(**metrics: Sequence[float | None]) -> FakeStorage:
    """Return a store with one series per argument, one sample a minute from time 0."""
    store = FakeStorage()
    for name, values in metrics.items():
        store.add(series(name), {60_000 * n: value for n, value in enumerate(values) if value is not None})
    return store


def ask(store: FakeStorage, text: str, at_seconds: float = 0) -> dict[str, float]:
    result = Engine(store).instant(parse(text), round(at_seconds * 1000))
    assert isinstance(result, Vector)
    return {format_labels(labels): value for labels, value in zip(result.series, result.values.tolist(), strict=True)}


def ask_range(store: FakeStorage, text: str, start: int, end: int, step: int) -> dict[str, list[float | None]]:
    matrix = Engine(store).range(parse(text), start * 1000, end * 1000, step * 1000)
    return _listed(matrix)


def _listed(matrix: Matrix) -> dict[str, list[float | None]]:
    holes = is_missing(matrix.values)
    return {
        format_labels(labels): [
            None if hole else value for value, hole in zip(matrix.values[:, n].tolist(), holes[:, n], strict=True)
        ]
        for n, labels in enumerate(matrix.series)
    }


def test_sample_exactly_at_the_end_of_the_lookback_is_too_old() -> None:
    store = storage(x=[1.0])

    assert ask(store, "x", 299.999) == {"x": 1.0}
    assert ask(store, "x", 300) == {}


def test_sample_exactly_at_the_left_of_a_range_is_outside() -> None:
    store = storage(x=[1.0, 2.0, 4.0])

    assert ask(store, "sum_over_time(x[2m])", 120) == {"{}": 6.0}
    assert ask(store, "sum_over_time(x[2m])", 119.999) == {"{}": 3.0}


def test_staleness_marker_ends_a_series_at_once_but_not_in_a_range() -> None:
    store = storage(x=[1.0, 2.0, STALE])

    assert ask(store, "x", 119) == {"x": 2.0}
    assert ask(store, "x", 120) == {}
    assert ask(store, "count_over_time(x[5m])", 120) == {"{}": 2.0}


def test_nan_is_a_value() -> None:
    store = storage(x=[math.nan], y=[1.0])

    assert math.isnan(ask(store, "x")["x"])
    assert ask(store, "x > 0") == {}
    assert ask(store, "x != 0").keys() == {"x"}
    assert ask(store, "count_over_time(x[1m])") == {"{}": 1.0}
    assert math.isnan(ask(store, 'sum({__name__=~"x|y"})')["{}"])


def test_hole_in_a_block_is_no_value() -> None:
    store = FakeStorage()
    values = np.array([[1.0, 10.0], [MISSING, 20.0], [3.0, MISSING]])
    store.add_block(Block((series("x"), series("y")), np.array([0, 60_000, 120_000]), values))

    assert ask(store, '{__name__=~"x|y"}', 120) == {"x": 3.0, "y": 20.0}
    assert ask(store, 'count_over_time({__name__=~"x"}[10m])', 120) == {"{}": 2.0}
    assert ask_range(store, "y", 0, 480, 120) == {"y": [10.0, 20.0, 20.0, None, None][:5]}


def test_series_in_two_blocks_is_one_series() -> None:
    store = FakeStorage()
    store.add_block(Block((series("x"), series("y")), np.array([0, 60_000]), np.array([[1.0, 7.0], [2.0, STALE]])))
    store.add_block(Block((series("x"),), np.array([60_000, 90_000]), np.array([[2.5], [4.0]])))

    assert ask(store, "x", 60) == {"x": 2.5}
    assert ask(store, "x", 90) == {"x": 4.0}
    assert ask(store, "sum_over_time(x[5m])", 90) == {"{}": 7.5}
    assert ask_range(store, '{__name__=~".+"}', 0, 90, 30) == {"x": [1.0, 1.0, 2.5, 4.0], "y": [7.0, 7.0, None, None]}


def test_labels_are_worked_out_once_for_series_that_are_listed_anew() -> None:
    class Lists(FakeStorage):
        def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
            blocks = super().select(matchers, start_ms, end_ms)
            return [Block(list(block.series), block.timestamps_ms, block.values) for block in blocks]

    store = Lists()
    store.add(series("x"), {0: 1.0})
    engine, expression = Engine(store), parse("x")

    first, second = engine.instant(expression, 0), engine.instant(expression, 1)

    assert isinstance(first, Vector)
    assert isinstance(second, Vector)
    assert first.series is second.series


def test_store_that_offers_the_newest_samples_is_asked_for_them() -> None:
    class Newest(FakeStorage):
        def select_newest(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
            return [
                Block(b.series, b.timestamps_ms[-1:], b.values[-1:]) for b in self.select(matchers, start_ms, end_ms)
            ]

    store = Newest()
    store.add(series("x"), {0: 1.0, 60_000: 2.0})

    assert ask(store, "x", 60) == {"x": 2.0}
    assert ask(store, "sum_over_time(x[5m])", 60) == {"{}": 3.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x offset 1m", {"x": 2.0}),
        ("x offset -1m", {"x": 8.0}),
        ("x @ 0", {"x": 1.0}),
        ("x @ end()", {"x": 4.0}),
        ("x + 1", {"{}": 5.0}),
        ("x > 3", {"x": 4.0}),
        ("3 < x", {"x": 4.0}),
        ("x > bool 5", {"{}": 0.0}),
        ("x % 3", {"{}": 1.0}),
        ("-x", {"{}": -4.0}),
        ("x ^ 0.5", {"{}": 2.0}),
        ("x and y", {"x": 4.0}),
        ("x unless y", {}),
        ("x or y", {"x": 4.0}),
        ("x or on (nothing) y", {"x": 4.0}),
        ("x / y", {"{}": 2.0}),
        ("scalar(x) + y", {"{}": 6.0}),
        ("vector(1)", {"{}": 1.0}),
        ('absent(nothing{a="b"})', {'{a="b"}': 1.0}),
        ("absent(x)", {}),
        ("clamp(x, 5, 3)", {}),
        ("hour(vector(3600))", {"{}": 1.0}),
        ("day_of_week(vector(0))", {"{}": 4.0}),
        ('label_replace(x, "a", "$1-$1", "__name__", "(.)")', {'x{a="x-x"}': 4.0}),
        ('label_join(x, "__name__", "_", "__name__", "b")', {"x_": 4.0}),
        ("idelta(x[5m])", {"{}": 2.0}),
        ("predict_linear(x[2m], 60)", {"{}": 6.0}),
        ("avg_over_time(x[3m:1m])", {"{}": 7 / 3}),
        ("quantile_over_time(0.5, x[3m])", {"{}": 2.0}),
        ("mad_over_time(x[3m])", {"{}": 1.0}),
        ('count_values("v", x)', {'{v="4"}': 1.0}),
        ('count_values("v", x * 1e21)', {'{v="4000000000000000000000"}': 1.0}),
    ],
)
def test_expression_has_its_documented_value(text: str, expected: dict[str, float]) -> None:
    store = storage(x=[1.0, 2.0, 4.0, 8.0], y=[0.0, 1.0, 2.0])

    assert ask(store, text, 120) == pytest.approx(expected)


def test_kinds_of_results() -> None:
    engine = Engine(storage(x=[1.0, 2.0]))

    scalar = engine.instant(parse("1 + time()"), 5000)
    text = engine.instant(parse('"hello"'), 0)
    raw = engine.instant(parse("x[2m]"), 60_000)

    assert isinstance(scalar, Scalar)
    assert scalar.value == 6.0
    assert isinstance(text, String)
    assert text.value == "hello"
    assert isinstance(raw, Matrix)
    assert _listed(raw) == {"x": [1.0, 2.0]}
    assert raw.timestamps_ms.tolist() == [0, 60_000]


def test_result_is_no_view_of_the_store() -> None:
    values = np.array([[1.0, 2.0]])
    store = FakeStorage()
    store.add_block(Block((series("x"), series("y")), np.array([0]), values))
    engine = Engine(store)

    for text in ("x", "last_over_time(x[5m])", "x[5m]"):
        result = engine.instant(parse(text), 0)
        assert isinstance(result, Vector | Matrix)
        result.values[...] = 9.0

    assert ask(store, "x") == {"x": 1.0}


def two_sided() -> FakeStorage:
    store = FakeStorage()
    for instance, value in (("a", 1.0), ("b", 2.0)):
        store.add(series("cpu", instance=instance), {0: value})
        store.add(series("memory", instance=instance), {0: value})
        store.add(series("limit", instance=instance, zone="z"), {0: value * 10})
    return store


def test_group_left_takes_labels_from_the_one_side() -> None:
    assert ask(two_sided(), "cpu * on (instance) group_left (zone) limit") == {
        '{instance="a",zone="z"}': 10.0,
        '{instance="b",zone="z"}': 40.0,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpu * on () limit", "several series for one match on its right side"),
        ("cpu * on (zone) group_right limit", "several series for one match on its left side"),
        ("cpu * on () sum(limit)", "add group_left"),
        ('-{__name__=~"cpu|memory"}', '{instance="a"} twice'),
        ('label_replace(cpu, "instance", "", "", "")', "the same for several series"),
        ("topk(scalar(cpu), cpu)", "topk and bottomk need a number"),
        ("double_exponential_smoothing(cpu[5m:1s], 2, 0.5)", "give 0 < factor < 1"),
    ],
)
def test_query_without_an_answer_says_why(text: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(two_sided(), text, 60)

    assert message in str(caught.value)


def test_labels_from_the_one_side_must_tell_results_apart() -> None:
    store = two_sided()
    store.add(series("limit", instance="a", zone="y"), {0: 3.0})

    with pytest.raises(QueryError, match="do not tell its results apart"):
        ask(store, 'limit * on (instance) group_left (zone) label_replace(cpu, "zone", "q", "", "")')


def test_matching_is_ambiguous_only_where_both_are_present() -> None:
    store = FakeStorage()
    store.add(series("many", a="1"), {0: 1.0, 60_000: STALE})
    store.add(series("many", a="2"), {60_000: 2.0})
    store.add(series("one"), {0: 10.0, 60_000: 20.0})

    assert ask_range(store, "one + on () many", 0, 60, 60) == {"{}": [11.0, 22.0]}
    assert ask_range(store, "many + on () one", 0, 60, 60) == {"{}": [11.0, 22.0]}
    assert ask_range(store, "many * ignoring (a) one", 0, 60, 60) == {"{}": [10.0, 40.0]}
    assert ask_range(store, "sum by (a) (many) or on () one", 0, 60, 60) == {
        '{a="1"}': [1.0, None],
        '{a="2"}': [None, 2.0],
    }


def test_series_that_lose_their_names_are_one_where_they_never_meet() -> None:
    store = FakeStorage()
    store.add(series("old", a="1"), {0: 1.0, 60_000: STALE})
    store.add(series("new", a="1"), {60_000: 2.0})

    assert ask_range(store, '{a="1"} * 2', 0, 60, 60) == {'{a="1"}': [2.0, 4.0]}


def test_comparison_keeps_the_name_and_order_of_operands() -> None:
    store = two_sided()

    assert ask(store, "cpu < on (instance) group_left limit") == {'cpu{instance="a"}': 1.0, 'cpu{instance="b"}': 2.0}
    assert ask(store, "limit > on (instance) group_left cpu").keys() == {
        'limit{instance="a",zone="z"}',
        'limit{instance="b",zone="z"}',
    }
    assert ask(store, "cpu < on (instance) group_right limit") == {
        'limit{instance="a",zone="z"}': 1.0,
        'limit{instance="b",zone="z"}': 2.0,
    }


def test_many_samples_are_refused() -> None:
    engine = Engine(storage(x=[1.0] * 100), max_samples=50)

    with pytest.raises(QueryError, match="more than 50 samples"):
        engine.instant(parse("rate(x[2h])"), 6_000_000)
    with pytest.raises(QueryError, match="more than 50 samples"):
        engine.range(parse("x"), 0, 6000, 1)


class Sluggish(FakeClock):
    """A clock on which a second passes whenever somebody looks."""

    def monotonic(self) -> float:
        self.looks = getattr(self, "looks", 0) + 1
        return float(self.looks)


@pytest.mark.parametrize(
    "text",
    [
        "x + x + x + x",
        "x and x and x and x and x",
        "abs(ceil(floor(abs(x))))",
        "sum(sum(sum(sum(x))))",
        "1 + (1 + (1 + (1 + x)))",
        "sum_over_time((x > 0)[5m:1s])",
        "label_join(label_join(label_join(label_join(x, 'a', ''), 'a', ''), 'a', ''), 'a', '')",
    ],
)
def test_query_that_takes_too_long_is_ended_between_its_parts(text: str) -> None:
    store, expression = storage(x=[1.0] * 10), parse(text)
    patient = Engine(store, max_seconds=1000, clock=Sluggish())
    hasty = Engine(store, max_seconds=2.5, clock=Sluggish())

    patient.instant(expression, 300_000)
    with pytest.raises(QueryError, match=r"takes longer than 2\.5 s"):
        hasty.instant(expression, 300_000)


def test_long_windows_of_many_steps_are_ended_between_their_parts() -> None:
    store = FakeStorage()
    series_of = tuple(series("x", n=str(n)) for n in range(100))
    store.add_block(Block(series_of, np.arange(0, 3_000_000, 1000), np.ones((3000, 100))))
    engine = Engine(store, max_seconds=8, clock=Sluggish())

    with pytest.raises(QueryError, match="takes longer than 8 s"):
        engine.range(parse("max_over_time(x[10m])"), 0, 3_000_000, 1000)


@pytest.mark.parametrize(
    ("start", "end", "step", "message"),
    [(0, 10, 0, "the step is 0"), (10, 0, 1, "before its start"), (0, MAX_STEPS + 1, 1, "steps")],
)
def test_range_that_makes_no_sense_is_refused(start: int, end: int, step: int, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        Engine(FakeStorage()).range(parse("1"), start, end, step)


def test_a_query_whose_time_is_over_is_given_up() -> None:
    engine = Engine(storage(x=[1.0] * 10))

    with pytest.raises(QueryTimeoutError):
        engine.range(parse("x"), 0, 60_000, 1000, is_over=lambda: True)
    with pytest.raises(QueryTimeoutError):
        engine.instant(parse("rate(x[5m])"), 60_000, is_over=lambda: True)
    assert len(engine.range(parse("x"), 0, 60_000, 1000, is_over=lambda: False).series) == 1


def test_a_query_may_look_back_less_far() -> None:
    engine = Engine(storage(x=[1.0]))

    near = engine.instant(parse("x"), 30_000, lookback_ms=10_000)
    far = engine.instant(parse("x"), 30_000)

    assert isinstance(near, Vector)
    assert isinstance(far, Vector)
    assert (len(near.series), len(far.series)) == (0, 1)


@pytest.mark.parametrize("text", ["x[5m]", '"text"'])
def test_range_query_needs_a_number_at_each_step(text: str) -> None:
    with pytest.raises(UserError):
        Engine(FakeStorage()).range(parse(text), 0, 10, 1)


def test_result_carries_what_is_doubtful() -> None:
    engine = Engine(storage(x=[1.0, 2.0]))

    rate = engine.instant(parse("rate(x[5m])"), 60_000)
    quantile = engine.instant(parse("quantile(2, x)"), 0)

    assert rate.infos == (
        'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "x"',
    )
    assert quantile.warnings == ("PromQL warning: quantile value should be between 0 and 1, got 2",)


RANGES = [
    "x",
    "x offset 90s",
    "x @ 240",
    "x > 4 or y",
    "x and y > 1",
    "x unless y",
    "x / y",
    "sum(x) - avg by (a) (y)",
    "topk(1, {__name__=~'x.*|y'})",
    "quantile(0.3, {__name__=~'x.*|y'})",
    "stddev({__name__=~'x.*|y'})",
    "count_values('v', x)",
    "absent(y)",
    "scalar(x) + vector(time())",
    "timestamp(x)",
    "rate(x[2m30s])",
    "irate(x[3m])",
    "avg_over_time(x[100s])",
    "max_over_time(x[5m] @ end())",
    "predict_linear(x[5m] @ 300, 60)",
    "quantile_over_time(scalar(y) / 10, x[4m])",
    "stdvar_over_time(x[4m])",
    "changes(x[10m])",
    "double_exponential_smoothing(x[10m], 0.5, 0.5)",
    "sum_over_time(rate(x[2m])[5m:30s])",
    "last_over_time((x > 3)[3m:1m])",
    "absent_over_time(y[1m])",
    "hour() + minute(x)",
]


@pytest.mark.parametrize("text", RANGES)
def test_range_query_is_many_instant_queries(text: str) -> None:
    store = storage(
        x=[1.0, 2.0, None, 5.0, 3.0, 8.0, math.nan, STALE, None, 2.0, 2.0],
        y=[None, 3.0, 1.0, STALE, None, None, 7.0, -2.0, 9.0, 1e9, 0.0],
    )
    store.add(series("x2", a="1"), {n * 45_000: float(n % 4) for n in range(14)})
    engine, expression = Engine(store), parse(text.replace("@ end()", "@ 800"))
    times = range(0, 800_001, 20_000)

    matrix = engine.range(expression, 0, 800_000, 20_000)

    listed = _listed(matrix)
    for row, time in enumerate(times):
        one = engine.instant(expression, time)
        assert isinstance(one, Vector | Scalar)
        if isinstance(one, Scalar):
            assert listed["{}"][row] == pytest.approx(one.value, nan_ok=True)
            continue
        here = {labels: values[row] for labels, values in listed.items() if values[row] is not None}
        found = {format_labels(labels): value for labels, value in zip(one.series, one.values.tolist(), strict=True)}
        assert here == pytest.approx(found, nan_ok=True), time
