"""Answers in the envelope of Prometheus' API, in one piece or, where they are large, part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aiohttp import web

from core.errors import NotFoundError, TransientError, UserError, WatchkeeperError
from daemon.api.answer import accepted_coding, body_answer, compressor, encode
from metrics.promql.error import ExpressionError, QueryError, QueryTimeoutError

ROOT = "/api/v1"
"""Where Prometheus' clients look for its API."""

JSON = "application/json"
PART_BYTES = 128 * 1024
"""How much is written at a time; what is smaller is an answer in one piece."""

TRUNCATED = "results truncated due to limit"
"""The warning of an answer that was cut at the `limit` that was asked for."""

_KINDS = {400: "bad_data", 401: "unauthorized", 404: "not_found", 422: "execution", 503: "unavailable"}


def success(data: Any, *, warnings: Iterable[str] = (), infos: Iterable[str] = ()) -> dict[str, Any]:
    """Return an answer's document."""
    return {"status": "success", "data": data} | notes(warnings, infos)


def notes(warnings: Iterable[str], infos: Iterable[str]) -> dict[str, Any]:
    """Return what stands beside the data: nothing, warnings, infos or both."""
    found = {"warnings": list(warnings), "infos": list(infos)}
    return {name: texts for name, texts in found.items() if texts}


def error_document(status: int, message: str, kind: str = "") -> dict[str, Any]:
    """Return the document of a failure."""
    known = kind or _KINDS.get(status) or ("bad_data" if status < 500 else "internal")
    return {"status": "error", "errorType": known, "error": message}


async def threaded_answer(request: web.Request, tell: Callable[[], Any]) -> web.Response:
    """Return as response what `tell` gives; it may be large, so it is made and written in a thread."""

    def work() -> web.Response:
        return body_answer(request, encode(success(tell())), JSON)

    return await asyncio.to_thread(work)


def failure(request: web.Request, error: WatchkeeperError) -> web.Response:
    """Return an expected failure as Prometheus tells it."""
    status, kind = _status_of(error)
    return body_answer(request, encode(error_document(status, str(error), kind)), JSON, status=status)


def failure_status(error: WatchkeeperError) -> int:
    """Return the HTTP status of an expected failure."""
    return _status_of(error)[0]


def _status_of(error: WatchkeeperError) -> tuple[int, str]:
    if isinstance(error, QueryTimeoutError):
        return 503, "timeout"
    if isinstance(error, QueryError) and not isinstance(error, ExpressionError):
        return 422, "execution"
    for type_, status, kind in (
        (NotFoundError, 404, "not_found"),
        (UserError, 400, "bad_data"),
        (TransientError, 503, "unavailable"),
    ):
        if isinstance(error, type_):
            return status, kind
    return 500, "internal"


class Parts:
    """The parts of a body, put together to a good size and compressed where the client takes that.

    `next_part` does the work of making them and so belongs into a thread.
    """

    def __init__(self, pieces: Iterator[bytes], coding: str) -> None:
        self._pieces = pieces
        self._press = compressor(coding) if coding else None

    def next_part(self) -> tuple[bytes, bool]:
        """Return the next part, and whether it is the last one."""
        found: list[bytes] = []
        size, is_last = 0, True
        for piece in self._pieces:
            found.append(piece)
            size += len(piece)
            if size >= PART_BYTES:
                is_last = False
                break
        part = b"".join(found)
        if self._press is not None:
            part = self._press.compress(part) + (self._press.flush() if is_last else b"")
        return part, is_last


async def parts_answer(
    request: web.Request, pieces: Iterator[bytes], *, headers: dict[str, str], write_seconds: float
) -> web.StreamResponse:
    """Return a body that is made piece by piece as response; large ones are sent while they are made.

    Args:
        headers: besides those of the content and its coding.
        write_seconds: how long the client may take for one part.
    """
    coding = accepted_coding(request)
    parts = Parts(pieces, coding)
    part, is_last = await asyncio.to_thread(parts.next_part)
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding", "Content-Type": JSON} | headers
    if coding:
        headers["Content-Encoding"] = coding
    if is_last:
        return web.Response(body=part, headers=headers)
    response = web.StreamResponse(headers=headers)
    try:
        await response.prepare(request)
        await _write(response, part, write_seconds)
        while not is_last:
            part, is_last = await asyncio.to_thread(parts.next_part)
            await _write(response, part, write_seconds)
        await response.write_eof()
    except (ConnectionError, TimeoutError):
        request.protocol.force_close()
    return response


async def _write(response: web.StreamResponse, part: bytes, write_seconds: float) -> None:
    if part:
        async with asyncio.timeout(write_seconds):
            await response.write(part)
