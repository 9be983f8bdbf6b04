"""The addresses of incidents: what they are, what people do with them, and the links that act without a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from alerting.alert import Severity
from alerting.incident import Incident
from alerting.incident_figures import by_service, figures
from alerting.incident_link import PATH
from alerting.incident_work import MAX_NAME, Doer
from core.errors import NotFoundError, UserError
from daemon.api import documents
from daemon.api.answer import body_answer, json_answer
from daemon.api.body import check_keys, read_fields, read_object, text_field, whole_number
from daemon.api.middleware import ACTOR
from daemon.api.state import DaemonView

MAX_INCIDENTS = 1000
DAY_SECONDS = 86_400
MAX_DAYS = 3650

_Answer = Callable[[web.Request], Awaitable[web.Response]]
_Act = Callable[[int, Doer, Mapping[str, Any]], Awaitable[Incident]]

FINDINGS = ("cause", "impact", "follow_ups", "note")
"""What a review may say."""


class IncidentRoutes:
    """Answers requests about incidents.

    Args:
        changed: told after each change, for the pages that are open.
    """

    def __init__(self, view: DaemonView, changed: Callable[[], None], body_seconds: float) -> None:
        self._view = view
        self._changed = changed
        self._body_seconds = body_seconds

    def table(self, root: str) -> list[web.RouteDef]:
        """Return the routes; `root` is what the addresses of the API begin with."""
        one = root + "/incidents/{id}"
        return [
            web.get(root + "/incidents", self._list),
            web.post(root + "/incidents", self._open),
            web.get(root + "/incidents/figures", self._figures),
            web.get(one, self._show),
            web.post(one + "/acknowledge", self._noted("acknowledge")),
            web.post(one + "/mitigate", self._noted("mitigate")),
            web.post(one + "/resolve", self._noted("resolve")),
            web.post(one + "/reopen", self._noted("reopen")),
            web.post(one + "/note", self._acts(self._note, "note")),
            web.post(one + "/assign", self._acts(self._assign, "owner", "note")),
            web.post(one + "/severity", self._acts(self._severity, "severity", "note")),
            web.post(one + "/merge", self._acts(self._merge, "into", "note")),
            web.post(one + "/split", self._acts(self._split, "alerts", "title", "note")),
            web.get(one + "/review", self._report),
            web.post(one + "/review", self._acts(self._review, *FINDINGS)),
            web.get(PATH + "{token}", self._link),
            web.post(PATH + "{token}", self._use_link),
        ]

    # What is.

    async def _list(self, request: web.Request) -> web.Response:
        limit = whole_number(request.query.get("limit"), "limit", default=20, most=MAX_INCIDENTS)
        incidents = await self._view.alerting.incidents(limit=limit)
        return json_answer(request, {"incidents": [documents.incident_document(one) for one in incidents]})

    async def _show(self, request: web.Request) -> web.Response:
        record = await self._view.alerting.room.records.read(_number(request))
        return json_answer(request, documents.record_document(record))

    async def _figures(self, request: web.Request) -> web.Response:
        days = whole_number(request.query.get("days"), "days", default=30, most=MAX_DAYS)
        since = self._view.clock.now() - days * DAY_SECONDS
        incidents = await self._view.alerting.room.records.opened_since(since)
        services = [{"service": name, **documents.figures_document(one)} for name, one in by_service(incidents).items()]
        all_of_them = documents.figures_document(figures(incidents))
        return json_answer(request, {"days": days, "all": all_of_them, "services": services})

    async def _report(self, request: web.Request) -> web.Response:
        # Loaded when somebody asks: a daemon whose incidents nobody reviews can spare it.
        from daemon.api import incident_review  # noqa: PLC0415

        record = await self._view.alerting.room.records.read(_number(request))
        form = request.query.get("format", "markdown")
        body, content_type = await incident_review.report(self._view, record, form)
        answer = body_answer(request, body, content_type)
        if content_type.startswith("text/html"):
            answer.headers["Content-Security-Policy"] = incident_review.POLICY
        return answer

    # What people do.

    async def _open(self, request: web.Request) -> web.Response:
        asked = await read_object(request, self._body_seconds)
        check_keys(asked, ("title", "service", "environment", "severity", "note", "person"))
        incident = await self._view.alerting.room.desk.open(
            _doer(request, asked),
            title=text_field(asked, "title"),
            service=text_field(asked, "service", ""),
            environment=text_field(asked, "environment", ""),
            severity=_severity(text_field(asked, "severity", "high")),
            note=text_field(asked, "note", ""),
        )
        self._changed()
        return json_answer(request, documents.incident_document(incident), status=201)

    def _acts(self, act: _Act, *keys: str) -> _Answer:
        """Return what answers a request that does something with an incident."""

        async def answer(request: web.Request) -> web.Response:
            asked = await read_object(request, self._body_seconds) if request.body_exists else {}
            check_keys(asked, (*keys, "person"))
            incident = await act(_number(request), _doer(request, asked), asked)
            self._changed()
            return json_answer(request, documents.incident_document(incident))

        return answer

    def _noted(self, name: str) -> _Answer:
        async def act(number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
            change: Callable[..., Awaitable[Incident]] = getattr(self._view.alerting.room.desk, name)
            return await change(number, by, text_field(asked, "note", ""))

        return self._acts(act, "note")

    async def _note(self, number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
        return await self._view.alerting.room.desk.note(number, by, text_field(asked, "note"))

    async def _assign(self, number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
        owner, note = text_field(asked, "owner"), text_field(asked, "note", "")
        return await self._view.alerting.room.desk.assign(number, by, owner, note)

    async def _severity(self, number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
        severity, note = _severity(text_field(asked, "severity")), text_field(asked, "note", "")
        return await self._view.alerting.room.desk.set_severity(number, by, severity, note)

    async def _merge(self, number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
        into = asked.get("into")
        if not isinstance(into, int) or isinstance(into, bool):
            raise UserError(f"'into' is {into!r}; give the number of an incident")
        return await self._view.alerting.room.desk.merge(number, into, by, text_field(asked, "note", ""))

    async def _split(self, number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
        alerts = asked.get("alerts")
        if not isinstance(alerts, list) or not all(isinstance(alert, str) for alert in alerts):
            raise UserError("'alerts' is no list of texts; give the ids of the alerts that belong elsewhere")
        title, note = text_field(asked, "title", ""), text_field(asked, "note", "")
        return await self._view.alerting.room.desk.split(number, alerts, by, title, note)

    async def _review(self, number: int, by: Doer, asked: Mapping[str, Any]) -> Incident:
        findings = {name: text_field(asked, name, "") for name in FINDINGS}
        return await self._view.alerting.room.desk.review(number, by, findings)

    # Links in notifications.

    async def _link(self, request: web.Request) -> web.Response:
        """Show what a link would do, and do nothing: mail scanners follow links."""
        from daemon.api.incident_link_page import page_of_link  # noqa: PLC0415 - most days nobody opens one

        return await page_of_link(self._view.alerting.room, request.match_info["token"])

    async def _use_link(self, request: web.Request) -> web.Response:
        from daemon.api.incident_link_page import page_of_used_link  # noqa: PLC0415

        fields = await read_fields(request, self._body_seconds)
        person = fields.get("person", "")
        page = await page_of_used_link(self._view.alerting.room, request.match_info["token"], person)
        self._changed()
        return page


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise NotFoundError(f"there is no incident {text[:40]!r}; 'watchkeeper incidents' lists them")
    return int(text)


def _severity(text: str) -> Severity:
    try:
        return Severity(text)
    except ValueError:
        known = ", ".join(severity.value for severity in Severity)
        raise UserError(f"'severity' is {text[:40]!r}; give one of: {known}") from None


def _doer(request: web.Request, asked: Mapping[str, Any]) -> Doer:
    person = " ".join(text_field(asked, "person", "").split())
    if len(person) > MAX_NAME or not person.isprintable():
        raise UserError(f"'person' is no name; give one of at most {MAX_NAME} printable letters")
    return Doer(request[ACTOR], person)
