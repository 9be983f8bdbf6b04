"""Answers of the API: JSON documents, compressed where the client takes that, and errors in one shape."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from core.errors import (
    ConfigError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TransientError,
    UserError,
    WatchkeeperError,
)

COMPRESS_FROM_BYTES = 1024


def encode(document: Any) -> bytes:
    """Return a document as JSON; a number that JSON does not know becomes a string as Prometheus writes it."""
    return json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def json_answer(request: web.Request, document: Any, *, status: int = 200) -> web.Response:
    """Return a document as response."""
    return body_answer(request, encode(document), "application/json", status=status)


def body_answer(request: web.Request, body: bytes, content_type: str, *, status: int = 200) -> web.Response:
    """Return bytes as response, compressed where the client takes that and it is worth it."""
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    if len(body) >= COMPRESS_FROM_BYTES:
        headers["Vary"] = "Accept-Encoding"
        if accepts_gzip(request):
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, status=status, headers=headers)


def accepts_gzip(request: web.Request) -> bool:
    """Tell whether the client takes gzip."""
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def error_answer(
    status: int, message: str, remedy: str = "", *, headers: Iterable[tuple[str, str]] = ()
) -> web.Response:
    """Return an error as every client can show it: what is wrong, and what to do."""
    body = encode({"error": {"message": message, "remedy": remedy}})
    response = web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(headers)
    return response


def failure_answer(error: WatchkeeperError) -> web.Response:
    """Return an expected failure as response; its status says whose turn it is."""
    message, remedy = _parts(error)
    return error_answer(status_of(error), message, remedy)


_STATUSES = (
    (ForbiddenError, 403), (NotFoundError, 404), (ConflictError, 409), (UserError, 400), (TransientError, 503)
)  # fmt: skip


def status_of(error: WatchkeeperError) -> int:
    """Return the HTTP status for an expected failure."""
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 500


def _parts(error: WatchkeeperError) -> tuple[str, str]:
    """Split a message at the place where, by our rule, the remedy begins."""
    if isinstance(error, ConfigError):
        return str(error), "correct the file and reload again; the old configuration keeps running"
    message, _, remedy = str(error).partition("; ")
    return message, remedy


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
