"""The query engine: evaluates expressions over a store, for all series and all steps at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.clock import Clock, SystemClock
from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels, format_labels
from metrics.promql.error import QueryError
from metrics.promql.parse import Expression
from metrics.promql.result import Matrix, Result, Scalar, String, Vector
from metrics.promql.run import Run, Shared
from metrics.promql.value import BoolArray, ScalarValue, StringValue, Value, VectorValue, flags, without_name
from metrics.promql.window import Samples
from metrics.storage import MISSING, Storage, is_missing

MAX_STEPS = 11_000
"""How many points of each series one range query may ask for, as in Prometheus."""


class Engine:
    """Evaluates expressions.

    Args:
        lookback_ms: how old the newest sample of a series may be for the series to count as present.
        max_samples: how many samples one query may read and make; bounds its time and memory.
        subquery_step_ms: the step of subqueries that name none.
        max_seconds: how long one query may take; looked at between operators, and between the parts of long ones.
        clock: measures that.
    """

    def __init__(
        self,
        storage: Storage,
        lookback_ms: int = 300_000,
        max_samples: int = 50_000_000,
        subquery_step_ms: int = 60_000,
        max_seconds: float = 120.0,
        clock: Clock | None = None,
    ) -> None:
        self._storage = storage
        self._lookback_ms = lookback_ms
        self._max_samples = max_samples
        self._subquery_step_ms = subquery_step_ms
        self._max_seconds = max_seconds
        self._monotonic = (clock or SystemClock()).monotonic

    def instant(
        self,
        expression: Expression,
        at_ms: int,
        *,
        lookback_ms: int | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> Result:
        """Return the expression's value at one time, Unix milliseconds; nothing in it is a view of the store.

        Args:
            lookback_ms: instead of the engine's.
            is_over: asked again and again whether to give up.
        Raises: QueryError: the data has no answer (ambiguous matching, twice the same labels, too many samples), or
            (as QueryTimeoutError) `is_over` said so.
        """
        run = self._run(np.array([at_ms], dtype=np.int64), at_ms, at_ms, lookback_ms, is_over)
        with np.errstate(all="ignore"):
            if expression.source is not None:
                return _raw(run, expression)
            assert expression.plan is not None
            return _instant(run, expression, expression.plan.evaluate(run))

    def range(
        self,
        expression: Expression,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        lookback_ms: int | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> Matrix:
        """Return the expression's values from start to end (included where a step meets it).

        Raises: QueryError: as above; or the steps are too many, or the expression is no number at a time.
        """
        times = _steps(start_ms, end_ms, step_ms)
        if expression.plan is None:
            raise QueryError("a range query needs an expression with one value per step; this is a range vector")
        run = self._run(times, start_ms, end_ms, lookback_ms, is_over)
        with np.errstate(all="ignore"):
            return _matrix(run, expression, expression.plan.evaluate(run))

    def _run(
        self,
        times: TimeArray,
        start_ms: int,
        end_ms: int,
        lookback_ms: int | None,
        is_over: Callable[[], bool] | None,
    ) -> Run:
        shared = Shared(
            self._storage,
            self._lookback_ms if lookback_ms is None else lookback_ms,
            self._subquery_step_ms,
            self._max_samples,
            start_ms,
            end_ms,
            self._max_seconds,
            self._monotonic,
            self._monotonic() + self._max_seconds,
            is_over,
        )
        return Run(shared, times, int(times[0]), int(times[-1]))


def _steps(start_ms: int, end_ms: int, step_ms: int) -> TimeArray:
    if step_ms <= 0:
        raise QueryError(f"the step is {step_ms / 1000:g} s; give one greater than 0")
    if end_ms < start_ms:
        raise QueryError("the end of the query is before its start")
    if (end_ms - start_ms) // step_ms > MAX_STEPS:
        raise QueryError(f"the query has more than {MAX_STEPS} steps; give a larger step or a shorter time")
    return np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64)


def _notes(run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(run.shared.warnings), tuple(run.shared.infos)


def _instant(run: Run, expression: Expression, value: Value) -> Result:
    if isinstance(value, ScalarValue):
        return Scalar(float(np.asarray(value.values).flat[0]), *_notes(run))
    if isinstance(value, StringValue):
        return String(value.value, *_notes(run))
    columns = None if value.present is None else value.present[0].nonzero()[0]
    if columns is not None and len(columns) == 0:
        return Vector((), np.empty(0), *_notes(run))
    series, unique = _final(expression, value)
    values = value.values[0]
    if columns is None:
        values = values.copy()
    elif len(columns) < len(series):
        series, values = tuple([series[column] for column in columns]), values[columns]
        unique = unique or len(set(series)) == len(series)
    else:
        values = values[columns]
    if not unique:
        raise _twins(series)
    return Vector(series, values, *_notes(run))


def _matrix(run: Run, expression: Expression, value: Value) -> Matrix:
    if isinstance(value, StringValue):
        raise QueryError("a range query needs an expression with a number at each step; this is a text")
    if isinstance(value, ScalarValue):
        values = np.broadcast_to(np.asarray(value.values, dtype=np.float64), (run.steps, 1)).copy()
        return Matrix(((),), run.times, values, *_notes(run))
    series, unique = _final(expression, value)
    values = value.values.copy() if value.present is None else np.where(value.present, value.values, MISSING)
    there: BoolArray = np.logical_or.reduce(value.mask(), axis=0)
    if not there.all():
        series, values = tuple(labels for labels, kept in zip(series, there, strict=True) if kept), values[:, there]
    if not unique and len(set(series)) < len(series):
        series, values = _merged(series, values)
    return Matrix(series, run.times, values, *_notes(run))


def _final(expression: Expression, value: VectorValue) -> tuple[tuple[Labels, ...], bool]:
    """Return the series under the labels that are shown, and whether all are different."""
    nameless = value.nameless

    def compute() -> tuple[tuple[Labels, ...], bool]:
        series = value.series if nameless is False else _named(value.series, nameless)
        return series, len(set(series)) == len(series)

    if not isinstance(nameless, bool):
        return compute()
    return expression.final_labels.get((value.series,), compute, nameless)


def _named(series: tuple[Labels, ...], nameless: bool | BoolArray) -> tuple[Labels, ...]:
    pairs = zip(series, flags(nameless, len(series)), strict=True)
    return tuple(without_name(labels) if drop else labels for labels, drop in pairs)


def _merged(series: tuple[Labels, ...], values: FloatArray) -> tuple[tuple[Labels, ...], FloatArray]:
    """Put series with the same labels together that are never present at the same step."""
    column_of = {labels: column for column, labels in enumerate(dict.fromkeys(series))}
    merged = np.full((len(values), len(column_of)), MISSING)
    for column, labels in enumerate(series):
        target = merged[:, column_of[labels]]
        there = ~is_missing(values[:, column])
        if (there & ~is_missing(target)).any():
            raise _twins(series)
        target[there] = values[there, column]
    return tuple(column_of), merged


def _twins(series: tuple[Labels, ...]) -> QueryError:
    seen: set[Labels] = set()
    twin = next(labels for labels in series if labels in seen or seen.add(labels))  # type: ignore[func-returns-value]
    return QueryError(
        f"the result has the series {format_labels(twin)} twice, because names or labels were dropped; aggregate, or"
        " keep the labels that tell them apart"
    )


def _raw(run: Run, expression: Expression) -> Matrix:
    """Return the samples of a range vector themselves."""
    assert expression.source is not None
    look, groups = expression.source.samples(run)
    parts = [_inside(samples, look.first - expression.source.range_ms, look.last) for samples in groups]
    if not parts:
        return Matrix((), np.empty(0, dtype=np.int64), np.empty((0, 0)))
    times = np.unique(np.concatenate([times for _, times, _ in parts]))
    series = tuple(labels for labels_of_part, _, _ in parts for labels in labels_of_part)
    values = np.full((len(times), len(series)), MISSING)
    column = 0
    for labels_of_part, stamps, some in parts:
        values[np.searchsorted(times, stamps), column : column + len(labels_of_part)] = some
        column += len(labels_of_part)
    there: BoolArray = np.logical_or.reduce(~is_missing(values), axis=0)
    kept = tuple(labels for labels, present in zip(series, there, strict=True) if present)
    return Matrix(kept, times, values[:, there], *_notes(run))


def _inside(samples: Samples, after_ms: int, until_ms: int) -> tuple[tuple[Labels, ...], TimeArray, FloatArray]:
    low, high = np.searchsorted(samples.timestamps_ms, [after_ms, until_ms], side="right")
    holes: BoolArray = samples.absent()[low:high]
    values = np.where(holes, MISSING, samples.values[low:high])
    return _named(samples.series, samples.nameless), samples.timestamps_ms[low:high], values
