"""The doors through which others bring samples: Prometheus' remote write, and pushes as to a Pushgateway."""

from __future__ import annotations

from aiohttp import web

from collectors.push.address import grouping_of
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
        routes = [web.post("/api/v1/write", self._write)]
        for path in ("/metrics/job/{rest:.*}", "/metrics/job@base64/{rest:.*}"):
            routes += [web.put(path, self._push), web.post(path, self._push), web.delete(path, self._delete)]
        return routes

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

    async def _push(self, request: web.Request) -> web.Response:
        door = self._view.push
        try:
            grouping = grouping_of(_after_metrics(request))
            body = await read_large_body(request, self._body_seconds, door.max_body_size)
            content_type = request.headers.get("Content-Type", "")
            await door.push(grouping, body, content_type, replace_all=request.method == "PUT")
        except UserError as error:
            return _text(400, error)
        return web.Response(status=200)

    async def _delete(self, request: web.Request) -> web.Response:
        try:
            await self._view.push.delete(grouping_of(_after_metrics(request)))
        except UserError as error:
            return _text(400, error)
        return web.Response(status=202)


def _after_metrics(request: web.Request) -> str:
    return request.rel_url.raw_path.removeprefix("/metrics/")


def _text(status: int, error: UserError) -> web.Response:
    return web.Response(text=f"{error}\n", status=status, headers={"Cache-Control": "no-store"})
