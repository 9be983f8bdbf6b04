"""`query` and `query_range`: expressions evaluated over the store, answered in Prometheus' format.

Source of the format: Prometheus' documentation, "HTTP API".
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from aiohttp import web

from core.duration import parse_duration
from core.errors import UserError, WatchkeeperError
from daemon.api.answer import body_answer, encode
from daemon.api.body import read_fields
from daemon.api.connections import Limits
from daemon.api.documents import Document
from daemon.api.state import DaemonView
from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels
from metrics.promql.parse import Expression, parse
from metrics.promql.result import Result, Scalar, String, Vector
from metrics.storage import is_missing

MAX_POINTS = 11_000
"""Points per series, as in Prometheus."""

AT_ONCE = 2
"""Questions that are worked on at the same time; the threads are shared with the state database."""

MAX_TIME_SECONDS = 8e12
"""Beyond this, milliseconds leave what a float keeps exactly."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Queries:
    """Answers questions about the store."""

    def __init__(self, view: DaemonView, limits: Limits) -> None:
        self._view = view
        self._body_seconds = limits.body_seconds
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def instant(self, request: web.Request) -> web.Response:
        """Evaluate `query` at `time` (now, where it is absent)."""

        def evaluate(fields: Mapping[str, str]) -> Document:
            at_ms = _milliseconds(fields, "time", self._view.clock.now())
            expression = _expression(fields)
            return result_document(_evaluated(lambda: self._view.engine.instant(expression, at_ms)), at_ms)

        return await self._answer(request, evaluate)

    async def range(self, request: web.Request) -> web.Response:
        """Evaluate `query` at `start`, `start` + `step`, ... up to `end`."""

        def evaluate(fields: Mapping[str, str]) -> Document:
            start, end, step = _range(fields)
            expression = _expression(fields)
            return result_document(_evaluated(lambda: self._view.engine.range(expression, start, end, step)), end)

        return await self._answer(request, evaluate)

    async def _answer(self, request: web.Request, evaluate: Callable[[Mapping[str, str]], Document]) -> web.Response:
        try:
            fields = await read_fields(request, self._body_seconds)
            async with self._turn:
                # The store may be read in any thread; a heavy question must not hold up collection and alerting.
                body = await asyncio.to_thread(lambda: encode(evaluate(fields)))
        except _ExecutionError as error:
            return _error(request, 422, "execution", error)
        except UserError as error:
            return _error(request, 400, "bad_data", error)
        return body_answer(request, body, "application/json")


class _ExecutionError(UserError):
    """The expression could be read but not evaluated: status 422, error type `execution`."""


def _error(request: web.Request, status: int, kind: str, error: WatchkeeperError) -> web.Response:
    document = {"status": "error", "errorType": kind, "error": str(error)}
    return body_answer(request, encode(document), "application/json", status=status)


def _expression(fields: Mapping[str, str]) -> Expression:
    text = fields.get("query", "").strip()
    if not text:
        raise UserError("'query' is required; give an expression, such as up")
    return parse(text)


def _evaluated(evaluate: Callable[[], Result]) -> Result:
    try:
        return evaluate()
    except WatchkeeperError as error:
        raise _ExecutionError(str(error)) from error


def _range(fields: Mapping[str, str]) -> tuple[int, int, int]:
    start_ms, end_ms = _milliseconds(fields, "start"), _milliseconds(fields, "end")
    step_ms = _step(fields.get("step", ""))
    if end_ms < start_ms:
        raise UserError("'end' is before 'start'; exchange them")
    if (end_ms - start_ms) // step_ms >= MAX_POINTS:
        raise UserError(f"more than {MAX_POINTS} points per series; give a greater 'step'")
    return start_ms, end_ms, step_ms


def _milliseconds(fields: Mapping[str, str], name: str, default: float | None = None) -> int:
    text = fields.get(name, "").strip()
    if not text:
        if default is None:
            raise UserError(f"{name!r} is required; give Unix seconds or a time as in RFC 3339")
        return round(default * 1000)
    seconds = float(text) if _NUMBER.fullmatch(text) else _rfc3339(text, name)
    if not abs(seconds) <= MAX_TIME_SECONDS:
        raise UserError(f"{name!r} is {text[:40]!r}; it is too far away")
    return round(seconds * 1000)


def _rfc3339(text: str, name: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UserError(f"{name!r} is {text[:40]!r}; give Unix seconds or a time as in RFC 3339")
    return moment.timestamp()


def _step(text: str) -> int:
    text = text.strip()
    if not text:
        raise UserError("'step' is required; give seconds or a duration, such as 15s")
    seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
    if not 0.001 <= seconds <= MAX_TIME_SECONDS:
        raise UserError(f"'step' is {text[:40]!r}; give at least 1ms")
    return round(seconds * 1000)


def result_document(result: Result, at_ms: int) -> Document:
    """Return a result as an answer.

    Args:
        at_ms: the moment of an instant result.
    """
    kind, value = _data(result, at_ms / 1000)
    document: Document = {"status": "success", "data": {"resultType": kind, "result": value}}
    if result.warnings:
        document["warnings"] = list(result.warnings)
    if result.infos:
        document["infos"] = list(result.infos)
    return document


def _data(result: Result, at: float) -> tuple[str, list[Any]]:
    if isinstance(result, Scalar):
        return "scalar", [at, format_number(result.value)]
    if isinstance(result, String):
        return "string", [at, result.value]
    if isinstance(result, Vector):
        pairs = zip(result.series, result.values.tolist(), strict=True)
        return "vector", [{"metric": dict(labels), "value": [at, format_number(value)]} for labels, value in pairs]
    return "matrix", _matrix(result.series, result.timestamps_ms, result.values)


def _matrix(series: Sequence[Labels], timestamps_ms: TimeArray, values: FloatArray) -> list[Document]:
    times = timestamps_ms / 1000
    present = ~is_missing(values)
    rows = []
    for column, labels in enumerate(series):
        shown = present[:, column]
        points = zip(times[shown].tolist(), values[shown, column].tolist(), strict=True)
        rows.append({"metric": dict(labels), "values": [[time, format_number(value)] for time, value in points]})
    return [row for row in rows if row["values"]]


def format_number(value: float) -> str:
    """Return a number as Prometheus writes it into JSON: the shortest digits that read back as the same float.

    Source: prometheus/util/jsonutil, MarshalFloat (exponent below 1e-6 and from 1e21).
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return re.sub(r"e-0(\d)$", r"e-\1", text)
