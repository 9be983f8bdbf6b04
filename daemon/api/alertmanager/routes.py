"""The addresses of Alertmanager's API and what answers at each."""

from __future__ import annotations

import asyncio
import functools
import platform
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from core.errors import UserError, WatchkeeperError
from daemon.api.alertmanager.answer import ROOT, SchemaError, answer, failure, format_time
from daemon.api.alertmanager.body import alerts_of, read_json, silence_of
from daemon.api.alertmanager.choice import agree, choice_of, filter_of
from daemon.api.alertmanager.documents import Teller, silence_document, silence_documents
from daemon.api.body import read_body, read_large_body
from daemon.api.connections import Limits
from daemon.api.middleware import ACTOR
from daemon.api.state import DaemonView

MAX_ALERTS_BYTES = 32 * 1024 * 1024
"""So large a posted body may be."""

_V1_ROOT = "/api/v1"
_V1_PATHS = (
    ("GET", "status"), ("GET", "receivers"), ("GET", "alerts/groups"), ("POST", "alerts"), ("GET", "silences"),
    ("POST", "silences"), ("GET", "silence/{id}"), ("DELETE", "silence/{id}"),
)  # fmt: skip
_V1_ENDED = (
    "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the"
    " equivalent route in the v2 API"
)

Handler = Callable[[Any, web.Request], Awaitable[web.StreamResponse]]


def _told(handler: Handler) -> Handler:
    """Return a handler whose expected failures are told as Alertmanager tells them."""

    @functools.wraps(handler)
    async def wrapped(self: Any, request: web.Request) -> web.StreamResponse:
        try:
            return await handler(self, request)
        except WatchkeeperError as error:
            return failure(request, error)

    return wrapped


class AlertmanagerRoutes:
    """Answers from the pipeline and the silences of a DaemonView.

    Args:
        changed: called when a silence was changed, for pages that are open.
    """

    def __init__(self, view: DaemonView, limits: Limits, changed: Callable[[], None]) -> None:
        self._view = view
        self._changed = changed
        self._body_seconds = limits.body_seconds

    def table(self) -> list[web.RouteDef]:
        """Return all routes."""
        return [
            web.get(ROOT + "/status", self._status),
            web.get(ROOT + "/receivers", self._receivers),
            web.get(ROOT + "/alerts", self._alerts),
            web.post(ROOT + "/alerts", self._post_alerts),
            web.get(ROOT + "/alerts/groups", self._groups),
            web.get(ROOT + "/silences", self._silences),
            web.post(ROOT + "/silences", self._set_silence),
            web.get(ROOT + "/silence/{id}", self._silence),
            web.delete(ROOT + "/silence/{id}", self._expire_silence),
            *(web.route(method, f"{_V1_ROOT}/{path}", _removed) for method, path in _V1_PATHS),
        ]

    async def _status(self, request: web.Request) -> web.StreamResponse:
        return answer(
            request,
            {
                "cluster": {"peers": [], "status": "disabled"},
                "config": {"original": self._view.alerting.routing_text()},
                "uptime": format_time(self._view.started_at),
                "versionInfo": {
                    "branch": "",
                    "buildDate": "",
                    "buildUser": "",
                    "goVersion": f"Python {platform.python_version()}",
                    "revision": "",
                    "version": self._view.version,
                },
            },
        )

    async def _receivers(self, request: web.Request) -> web.StreamResponse:
        return answer(request, [{"name": name} for name in self._view.alerting.receivers()])

    @_told
    async def _alerts(self, request: web.Request) -> web.StreamResponse:
        pipeline = self._view.alerting.pipeline
        teller = self._teller(request)
        alerts = pipeline.alerts()
        return await asyncio.to_thread(lambda: answer(request, teller.alerts(alerts)))

    @_told
    async def _groups(self, request: web.Request) -> web.StreamResponse:
        groups = self._view.alerting.pipeline.groups()
        teller = self._teller(request)
        return await asyncio.to_thread(lambda: answer(request, teller.groups(groups)))

    def _teller(self, request: web.Request) -> Teller:
        view = self._view
        return Teller(
            view.alerting.pipeline.statuses(), choice_of(request.query), view.clock.now(), view.alerting.external_url
        )

    @_told
    async def _post_alerts(self, request: web.Request) -> web.StreamResponse:
        body = await read_large_body(request, self._body_seconds, MAX_ALERTS_BYTES)
        alerts, mistakes = await asyncio.to_thread(lambda: alerts_of(read_json(body, "alerts")))
        await self._view.alerting.pipeline.post(alerts)
        if mistakes:
            # As Alertmanager: what is valid is taken, and the rest is told of.
            raise UserError("; ".join(mistakes[:10]))
        return web.Response(headers={"Cache-Control": "no-store"})

    @_told
    async def _silences(self, request: web.Request) -> web.StreamResponse:
        wanted = filter_of(request.query)
        found = [
            silence
            for silence in self._view.alerting.silences.all()
            if agree(wanted, {matcher.name: matcher.value for matcher in silence.matchers})
        ]
        return answer(request, silence_documents(found, self._view.clock.now()))

    @_told
    async def _silence(self, request: web.Request) -> web.StreamResponse:
        silence = self._view.alerting.silences.get(_silence_id(request))
        return answer(request, silence_document(silence, self._view.clock.now()))

    @_told
    async def _set_silence(self, request: web.Request) -> web.StreamResponse:
        silence = silence_of(read_json(await read_body(request, self._body_seconds), "silence"))
        id_ = await self._view.alerting.silences.set(silence, request[ACTOR])
        self._changed()
        return answer(request, {"silenceID": id_})

    @_told
    async def _expire_silence(self, request: web.Request) -> web.StreamResponse:
        await self._view.alerting.silences.expire(_silence_id(request), request[ACTOR])
        self._changed()
        return web.Response(headers={"Cache-Control": "no-store"})


def _silence_id(request: web.Request) -> str:
    text = request.match_info["id"]
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise SchemaError(f'silenceID in path must be of type uuid: "{text[:100]}"', 601) from None


async def _removed(request: web.Request) -> web.StreamResponse:
    return answer(request, {"status": "deprecated", "error": _V1_ENDED}, 410)
