"""`query`, `query_range` and what else takes an expression.

Source of the format: Prometheus' documentation, "HTTP API".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from core.errors import UserError, WatchkeeperError
from daemon.api.body import read_fields
from daemon.api.connections import Limits
from daemon.api.middleware import SECURITY_HEADERS
from daemon.api.prometheus.answer import failure, parts_answer, threaded_answer
from daemon.api.prometheus.parameter import Parameters, wrong
from daemon.api.prometheus.result import result_pieces
from daemon.api.prometheus.syntax_tree import node_document
from daemon.api.prometheus.work import LONGEST_SECONDS, Deadline, Worker
from daemon.api.state import DaemonView
from metrics.promql.ast import ValueType
from metrics.promql.error import ExpressionError, QueryError
from metrics.promql.parse import Expression, parse
from metrics.promql.result import Result

MAX_POINTS = 11_000
"""Steps of a range, as in Prometheus: one point more than that for each series."""

Evaluate = Callable[[Deadline], Result]


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked: how to evaluate it, the moment of an instant result, and how many series are wanted."""

    evaluate: Evaluate
    at_ms: int
    limit: int
    timeout_seconds: float


class Queries:
    """Answers expressions."""

    def __init__(self, view: DaemonView, limits: Limits, worker: Worker) -> None:
        self._view = view
        self._limits = limits
        self._worker = worker

    async def instant(self, request: web.Request) -> web.StreamResponse:
        """Evaluate `query` at `time` (now, where it is absent)."""
        return await self._answer(request, self._instant)

    async def range(self, request: web.Request) -> web.StreamResponse:
        """Evaluate `query` at `start`, `start` + `step`, ... up to `end`."""
        return await self._answer(request, self._range)

    async def exemplars(self, request: web.Request) -> web.StreamResponse:
        """Answer that there are no exemplars; the store keeps none."""
        return await self._told(request, _no_exemplars)

    async def format(self, request: web.Request) -> web.StreamResponse:
        """Return an expression in the usual layout."""
        return await self._told(request, lambda given: _expression(given).prettify())

    async def parse(self, request: web.Request) -> web.StreamResponse:
        """Return the syntax tree of an expression."""
        return await self._told(request, lambda given: node_document(_expression(given).root))

    async def _told(self, request: web.Request, tell: Callable[[Parameters], object]) -> web.StreamResponse:
        try:
            given = Parameters(await read_fields(request, self._limits.body_seconds))
            return await threaded_answer(request, lambda: tell(given))
        except WatchkeeperError as error:
            return failure(request, error)

    async def _answer(self, request: web.Request, ask: Callable[[Parameters], _Question]) -> web.StreamResponse:
        try:
            given = Parameters(await read_fields(request, self._limits.body_seconds))
            question = await asyncio.to_thread(ask, given)  # a long expression takes its time to read
            deadline = self._worker.deadline(question.timeout_seconds)
            result = await self._worker.run(partial(question.evaluate, deadline), deadline)
        except WatchkeeperError as error:
            return failure(request, error)
        pieces = result_pieces(result, question.at_ms, limit=question.limit)
        return await parts_answer(request, pieces, headers=SECURITY_HEADERS, write_seconds=self._limits.write_seconds)

    def _instant(self, given: Parameters) -> _Question:
        at_ms = given.time_ms("time", round(self._view.clock.now() * 1000))
        expression, lookback_ms = _expression(given), _lookback_ms(given)

        def evaluate(deadline: Deadline) -> Result:
            engine = self._view.engine
            return _evaluated(
                lambda: engine.instant(expression, at_ms, lookback_ms=lookback_ms, is_over=deadline.is_over)
            )

        return _Question(evaluate, at_ms, given.limit(), given.seconds("timeout", LONGEST_SECONDS))

    def _range(self, given: Parameters) -> _Question:
        start_ms, end_ms, step_ms = _steps(given)
        expression, lookback_ms = _expression(given), _lookback_ms(given)
        if expression.value_type not in (ValueType.SCALAR, ValueType.VECTOR):
            kind = expression.value_type.value
            remedy = "a range query needs a number or an instant vector at each step"
            raise UserError(f'invalid parameter "query": it is a {kind}; {remedy}')

        def evaluate(deadline: Deadline) -> Result:
            steps, engine = (start_ms, end_ms, step_ms), self._view.engine
            return _evaluated(
                lambda: engine.range(expression, *steps, lookback_ms=lookback_ms, is_over=deadline.is_over)
            )

        return _Question(evaluate, end_ms, given.limit(), given.seconds("timeout", LONGEST_SECONDS))


def _expression(given: Parameters) -> Expression:
    text = given.text("query").strip()
    if not text:
        raise UserError('invalid parameter "query": it is empty or missing; give an expression, such as up')
    try:
        return parse(text)
    except UserError as error:
        raise wrong("query", error) from error


def _evaluated(evaluate: Callable[[], Result]) -> Result:
    try:
        return evaluate()
    except QueryError:
        raise
    except (ExpressionError, UserError) as error:
        raise QueryError(str(error)) from error


def _lookback_ms(given: Parameters) -> int | None:
    seconds = given.seconds("lookback_delta", 0.0)
    if seconds < 0:
        raise UserError('invalid parameter "lookback_delta": it is negative; give a duration, such as 5m')
    return round(seconds * 1000) or None


def _steps(given: Parameters) -> tuple[int, int, int]:
    start_ms, end_ms = given.period_ms(default=False)
    if end_ms < start_ms:
        raise UserError('invalid parameter "end": it is before "start"; exchange them')
    step_ms = given.step_ms()
    if (end_ms - start_ms) // step_ms > MAX_POINTS:
        raise UserError(f"exceeded maximum resolution of {MAX_POINTS:,} points per timeseries; give a greater 'step'")
    return start_ms, end_ms, step_ms


def _no_exemplars(given: Parameters) -> list[object]:
    start_ms, end_ms = given.period_ms(default=True)
    if end_ms < start_ms:
        raise UserError('invalid parameter "end": it is before "start"; exchange them')
    _expression(given)
    return []
