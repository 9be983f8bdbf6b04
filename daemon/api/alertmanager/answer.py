"""Answers as Alertmanager gives them: an expected failure is a JSON text, a body that breaks the schema an object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from core.errors import WatchkeeperError
from daemon.api.answer import body_answer, encode, status_of

ROOT = "/api/v2"
JSON = "application/json"


class SchemaError(WatchkeeperError):
    """A request that does not have the form that the API asks for.

    Attributes:
        code: 400 for what is no JSON, otherwise that of go-openapi: 601 for a type, 602 for what is missing.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def answer(request: web.Request, document: Any, status: int = 200) -> web.Response:
    """Return a document as response."""
    return body_answer(request, encode(document), JSON, status=status)


def failure(request: web.Request, error: WatchkeeperError) -> web.Response:
    """Return an expected failure as response."""
    if isinstance(error, SchemaError):
        status = 400 if error.code == 400 else 422
        return answer(request, {"code": error.code, "message": str(error)}, status)
    return answer(request, str(error), status_of(error))


def format_time(seconds: float) -> str:
    """Return Unix seconds as this API writes them: RFC 3339, UTC, three decimals."""
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
