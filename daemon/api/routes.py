"""The addresses of the API and what answers at each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from actions.action import known_action
from core.errors import ForbiddenError, UserError
from daemon.api import documents
from daemon.api.alertmanager.routes import AlertmanagerRoutes
from daemon.api.answer import body_answer, json_answer
from daemon.api.body import check_keys, read_body, read_object, text_field, whole_number
from daemon.api.connections import Limits
from daemon.api.console import asset_answer
from daemon.api.incidents import IncidentRoutes
from daemon.api.intake import IntakeRoutes
from daemon.api.middleware import ACTOR
from daemon.api.on_call import OnCallRoutes
from daemon.api.overview import OverviewBuilder, all_alerts
from daemon.api.prometheus.routes import prometheus_routes
from daemon.api.state import DaemonView
from daemon.api.stream import Stream
from security.gate import LOCAL_ACTOR

ROOT = "/api/watchkeeper/v1"
MAX_ENTRIES = 10_000
MAX_OPERATIONS = 1000

_OPERATION_KEYS = ("kind", "service", "environment", "parameters", "reason")


class Routes:
    """Answers requests from what a DaemonView shows."""

    def __init__(self, view: DaemonView, overview: OverviewBuilder, stream: Stream, limits: Limits) -> None:
        self._view = view
        self._overview = overview
        self._stream = stream
        self._limits = limits
        self._intake = IntakeRoutes(view, limits.body_seconds)
        self._body_seconds = limits.body_seconds
        self._on_call = OnCallRoutes(view, stream.changed, limits.body_seconds)
        self._incidents = IncidentRoutes(view, stream.changed, limits.body_seconds)

    def table(self) -> list[web.RouteDef]:
        """Return all routes."""
        get, post = web.get, web.post
        return [
            get("/", self._console),
            get("/console/{name}", self._console),
            get("/favicon.ico", self._icon),
            get("/metrics", self._metrics),
            get("/-/healthy", self._healthy),
            get("/-/ready", self._ready),
            post("/-/reload", self._reload),
            web.put("/-/reload", self._reload),
            get(ROOT + "/overview", self._overview_now),
            get(ROOT + "/stream", self._stream.serve),
            get(ROOT + "/health", self._health),
            get(ROOT + "/alerts", self._alerts),
            get(ROOT + "/targets", self._targets),
            get(ROOT + "/rules", self._rules),
            get(ROOT + "/services", self._services),
            get(ROOT + "/operations", self._operations),
            post(ROOT + "/operations", self._request_operation),
            get(ROOT + "/operations/{id}", self._operation),
            post(ROOT + "/operations/{id}/cancel", self._cancel_operation),
            get(ROOT + "/logbook", self._logbook),
            get(ROOT + "/logbook/verify", self._verify_logbook),
            *prometheus_routes(self._view, self._limits),
            *AlertmanagerRoutes(self._view, self._limits, self._stream.changed).table(),
            *self._intake.table(),
            *self._on_call.table(ROOT),
            *self._incidents.table(ROOT),
        ]

    # For people and other programs.

    async def _console(self, request: web.Request) -> web.Response:
        return asset_answer(request, request.match_info.get("name", "index.html"))

    async def _icon(self, request: web.Request) -> web.Response:
        return asset_answer(request, "icon.svg")

    async def _metrics(self, request: web.Request) -> web.Response:
        # Loaded by the first scrape: the exposition modules take memory that a daemon nobody scrapes can spare.
        from exporters.prometheus import render  # noqa: PLC0415

        readings = [one for _, one in self._view.collectors.exported_readings()]
        accept = request.headers.get("Accept", "")
        content_type, body = await asyncio.to_thread(render, readings, self._view.registry, accept)
        return await asyncio.to_thread(body_answer, request, body, content_type)

    async def _healthy(self, request: web.Request) -> web.Response:
        return json_answer(request, documents.health_document(self._view.health()))

    async def _ready(self, request: web.Request) -> web.Response:
        ready = self._view.ready
        return json_answer(request, {"ready": ready}, status=200 if ready else 503)

    async def _reload(self, request: web.Request) -> web.Response:
        await self._view.reload(actor=request[ACTOR])
        self._stream.changed()
        return json_answer(request, {"config": documents.config_document(self._view.config)})

    # What is.

    async def _overview_now(self, request: web.Request) -> web.Response:
        return json_answer(request, await self._overview.build())

    async def _health(self, request: web.Request) -> web.Response:
        return json_answer(request, documents.health_document(self._view.health()))

    async def _alerts(self, request: web.Request) -> web.Response:
        alerts = [documents.alert_document(alert) for alert in all_alerts(self._view)]
        return json_answer(request, {"alerts": alerts})

    async def _targets(self, request: web.Request) -> web.Response:
        targets = [documents.target_document(target) for target in self._view.collectors.targets()]
        return json_answer(request, {"targets": targets})

    async def _rules(self, request: web.Request) -> web.Response:
        rules = [documents.rule_document(rule) for rule in self._view.alerting.rules()]
        return json_answer(request, {"rules": rules})

    async def _services(self, request: web.Request) -> web.Response:
        services = [documents.service_document(service) for service in self._view.actions.services()]
        return json_answer(request, {"services": services})

    # What was.

    async def _logbook(self, request: web.Request) -> web.Response:
        query = request.query
        entries = await self._view.logbook.read(
            after=whole_number(query.get("after"), "after", default=0, most=10**18),
            limit=whole_number(query.get("limit"), "limit", default=100, most=MAX_ENTRIES),
            kind=query.get("kind", ""),
            subject=query.get("subject", ""),
            newest=query.get("newest", "") in ("1", "true"),
        )
        return json_answer(request, {"entries": [documents.entry_document(entry) for entry in entries]})

    async def _verify_logbook(self, request: web.Request) -> web.Response:
        faults = await self._view.logbook.verify()
        last = await self._view.logbook.read(limit=1, newest=True)
        count = last[-1].number if last else 0
        return json_answer(request, {"entries": count, "faults": [documents.fault_document(one) for one in faults]})

    # What shall be.

    async def _operations(self, request: web.Request) -> web.Response:
        limit = whole_number(request.query.get("limit"), "limit", default=20, most=MAX_OPERATIONS)
        operations = await self._view.actions.operations(limit=limit, service=request.query.get("service", ""))
        return json_answer(request, {"operations": [documents.operation_document(one) for one in operations]})

    async def _operation(self, request: web.Request) -> web.Response:
        operation = await self._view.actions.operation(request.match_info["id"])
        return json_answer(request, documents.operation_document(operation))

    async def _request_operation(self, request: web.Request) -> web.Response:
        asked = await read_object(request, self._body_seconds)
        check_keys(asked, _OPERATION_KEYS)
        kind = text_field(asked, "kind")
        _check_right(request[ACTOR], kind)
        operation = await self._view.actions.request(
            kind,
            text_field(asked, "service", ""),
            text_field(asked, "environment", ""),
            _parameters(asked),
            actor=request[ACTOR],
            reason=text_field(asked, "reason", ""),
        )
        self._stream.changed()
        return json_answer(request, documents.operation_document(operation), status=202)

    async def _cancel_operation(self, request: web.Request) -> web.Response:
        await read_body(request, self._body_seconds)
        operation = await self._view.actions.cancel(request.match_info["id"], actor=request[ACTOR])
        self._stream.changed()
        return json_answer(request, documents.operation_document(operation), status=202)


def _check_right(actor: str, kind: str) -> None:
    """Let whoever reaches loopback without a token move configured services, but not run what it brings along.

    Any user of this machine can connect to loopback; `command` would run in the daemon's name.
    """
    if actor == LOCAL_ACTOR and not known_action(kind).needs_service:
        raise ForbiddenError(f"operation {kind!r} can be started by policies only, or with a token; set web.token_file")


def _parameters(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = asked.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise UserError(f"'parameters' is {parameters!r}; give an object")
    return parameters
