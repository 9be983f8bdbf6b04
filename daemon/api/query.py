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
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import web

from core.duration import parse_duration
from core.errors import UserError, WatchkeeperError
from daemon.api.answer import body_answer, encode
from daemon.api.body import read_fields
from daemon.api.state import DaemonView
from metrics.storage import is_missing

if TYPE_CHECKING:
    from metrics.promql.result import Result

MAX_POINTS = 11_000
"""Points per series, as in Prometheus."""

MAX_TIME_SECONDS = 8e12
"""Beyond this, milliseconds leave what a float keeps exactly."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


async def answer_instant(request: web.Request, view: DaemonView, timeout_seconds: float) -> web.Response:
    """Evaluate `query` at `time` (now, where it is absent)."""

    def evaluate(fields: Mapping[str, str]) -> dict[str, Any]:
        at_ms = _milliseconds(fields, "time", view.clock.now())
        expression = _expression(fields)
        return result_document(_evaluated(lambda: view.engine.instant(expression, at_ms)), at_ms)

    return await _answer(request, evaluate, timeout_seconds)


async def answer_range(request: web.Request, view: DaemonView, timeout_seconds: float) -> web.Response:
    """Evaluate `query` at `start`, `start` + `step`, ... up to `end`."""

    def evaluate(fields: Mapping[str, str]) -> dict[str, Any]:
        start_ms, end_ms, step_ms = _range(fields)
        expression = _expression(fields)
        return result_document(_evaluated(lambda: view.engine.range(expression, start_ms, end_ms, step_ms)), end_ms)

    return await _answer(request, evaluate, timeout_seconds)


class _ExecutionError(UserError):
    """The expression could be read but not evaluated: status 422, error type `execution`."""


async def _answer(
    request: web.Request, evaluate: Callable[[Mapping[str, str]], dict[str, Any]], timeout_seconds: float
) -> web.Response:
    try:
        fields = await read_fields(request, timeout_seconds)
        data = evaluate(fields)
    except _ExecutionError as error:
        return _error(request, 422, "execution", error)
    except UserError as error:
        return _error(request, 400, "bad_data", error)
    return body_answer(
        request, await asyncio.to_thread(encode, {"status": "success", "data": data}), "application/json"
    )


def _error(request: web.Request, status: int, kind: str, error: WatchkeeperError) -> web.Response:
    document = {"status": "error", "errorType": kind, "error": str(error)}
    return body_answer(request, encode(document), "application/json", status=status)


def _expression(fields: Mapping[str, str]) -> Any:
    from metrics.promql.parse import parse  # noqa: PLC0415 - its native library costs memory that idle daemons spare

    text = fields.get("query", "").strip()
    if not text:
        raise UserError("'query' is required; give an expression, such as up")
    return parse(text)


def _evaluated(evaluate: Callable[[], Any]) -> Any:
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


def result_document(result: Result, at_ms: int) -> dict[str, Any]:
    """Return a result as the `data` of an answer.

    Args:
        at_ms: the moment of an instant result.
    """
    from metrics.promql.result import Matrix, Scalar, String, Vector  # noqa: PLC0415 - as above

    at = _seconds(at_ms)
    if isinstance(result, Scalar):
        return {"resultType": "scalar", "result": [at, format_number(result.value)]}
    if isinstance(result, String):
        return {"resultType": "string", "result": [at, result.value]}
    if isinstance(result, Vector):
        vector = [
            {"metric": dict(labels), "value": [at, format_number(value)]}
            for labels, value in zip(result.series, result.values.tolist(), strict=True)
        ]
        return {"resultType": "vector", "result": vector}
    assert isinstance(result, Matrix)
    return {"resultType": "matrix", "result": _matrix(result.series, result.timestamps_ms, result.values)}


def _matrix(series: Sequence[Any], timestamps_ms: Any, values: Any) -> list[dict[str, Any]]:
    times = np.array([_seconds(moment) for moment in timestamps_ms.tolist()])
    present = ~is_missing(values)
    return [
        {
            "metric": dict(labels),
            "values": [
                [time, format_number(value)]
                for time, value in zip(
                    times[present[:, column]].tolist(), values[present[:, column], column].tolist(), strict=True
                )
            ],
        }
        for column, labels in enumerate(series)
        if present[:, column].any()
    ]


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


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000
