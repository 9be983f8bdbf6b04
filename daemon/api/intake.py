"""The doors through which others bring samples: Prometheus' remote write."""

from __future__ import annotations

from aiohttp import web

from collectors.remote_write.headers import HeaderError, check_headers
from core.errors import UserError
from daemon.api.answer import error_answer
from daemon.api.body import read_large_body
from daemon.api.state import DaemonView
from metrics.remote_write.block import TooLargeError


class IntakeRoutes:
    """Answers those who send samples.

    Errors are plain text, because senders write the first line of an answer into their logs.
    """

    def __init__(self, view: DaemonView, body_seconds: float) -> None:
        self._view = view
        self._body_seconds = body_seconds

    def table(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.post("/api/v1/write", self._write)]

    async def _write(self, request: web.Request) -> web.Response:
        headers = request.headers
        version = headers.get("X-Prometheus-Remote-Write-Version", "")
        try:
            check_headers(headers.get("Content-Type", ""), headers.get("Content-Encoding", ""), version)
        except HeaderError as error:
            return _text(415, error)
        body = await read_large_body(request, self._body_seconds, self._view.intake.max_body_size)
        if not self._view.ready:
            return error_answer(
                503, "the daemon is starting or stopping", "send it again", headers=[("Retry-After", "1")]
            )
        try:
            (await self._view.intake.write(body)).check()
        except TooLargeError as error:
            return _text(413, error)
        except UserError as error:
            return _text(400, error)
        return web.Response(status=204)


def _text(status: int, error: UserError) -> web.Response:
    return web.Response(text=f"{error}\n", status=status, headers={"Cache-Control": "no-store"})
