"""The addresses of on-call schedules: who is on call, who stands in, and how an incident escalates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from core.errors import NotFoundError, UserError
from daemon.api.answer import json_answer
from daemon.api.body import check_keys, read_body, read_object, text_field, whole_number
from daemon.api.middleware import ACTOR
from daemon.api.state import DaemonView

if TYPE_CHECKING:
    from alerting.escalation import Chain
    from alerting.schedule import Override, Shift
    from alerting.schedules import OnCall, Schedules

MAX_DAYS = 92
DAY_SECONDS = 86_400.0

_OVERRIDE_KEYS = ("schedule", "person", "from", "to", "instead_of", "comment")

Document = dict[str, Any]


class OnCallRoutes:
    """Answers requests about schedules and escalations.

    Args:
        changed: told after each change, for the pages that are open.
    """

    def __init__(self, view: DaemonView, changed: Callable[[], None], body_seconds: float) -> None:
        self._view = view
        self._changed = changed
        self._body_seconds = body_seconds

    def table(self, root: str) -> list[web.RouteDef]:
        """Return the routes; `root` is what the addresses of the API begin with."""
        return [
            web.get(root + "/oncall", self._on_call),
            web.post(root + "/oncall/overrides", self._add),
            web.post(root + "/oncall/overrides/{id}/remove", self._remove),
            web.get(root + "/incidents/{id}/escalation", self._escalation),
        ]

    async def _on_call(self, request: web.Request) -> web.Response:
        schedules, query = self._view.alerting.escalation.schedules, request.query
        days = whole_number(query.get("days"), "days", default=0, most=MAX_DAYS)
        name, now = query.get("schedule", ""), self._view.clock.now()
        at = now
        if query.get("at"):
            from alerting.schedule_time import parse_moment  # noqa: PLC0415 - most daemons have no schedules

            zone = schedules.zone_of(name) if schedules is not None and name else None
            at = parse_moment(query["at"], zone, now)
        if schedules is None:
            if name:
                raise NotFoundError(_NONE)
            return json_answer(request, {"at": at, "schedules": []})
        found = await asyncio.to_thread(schedules.status, at, name=name, horizon_seconds=days * DAY_SECONDS)
        return json_answer(request, {"at": at, "schedules": [on_call_document(one) for one in found]})

    async def _add(self, request: web.Request) -> web.Response:
        from alerting.schedule import Override  # noqa: PLC0415 - most daemons have no schedules
        from alerting.schedule_time import parse_moment  # noqa: PLC0415

        asked = await read_object(request, self._body_seconds)
        check_keys(asked, _OVERRIDE_KEYS)
        schedules, now = self._schedules(), self._view.clock.now()
        name = text_field(asked, "schedule")
        zone = schedules.zone_of(name)
        override = Override(
            schedule=name,
            person=text_field(asked, "person"),
            starts_at=parse_moment(text_field(asked, "from", "now"), zone, now),
            ends_at=parse_moment(text_field(asked, "to"), zone, now),
            instead_of=text_field(asked, "instead_of", ""),
            comment=text_field(asked, "comment", ""),
        )
        if not override.person:
            raise UserError("'person' is empty; name who stands in")
        added = await schedules.add(override, actor=request[ACTOR])
        self._changed()
        return json_answer(request, override_document(added), status=201)

    async def _remove(self, request: web.Request) -> web.Response:
        await read_body(request, self._body_seconds)
        number = _number(request.match_info["id"], "override")
        removed = await self._schedules().remove(number, actor=request[ACTOR])
        self._changed()
        return json_answer(request, override_document(removed))

    async def _escalation(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["id"], "incident")
        chain = await self._view.alerting.escalation.chain(number)
        if chain is None:
            raise NotFoundError(f"incident {number} does not escalate; 'escalation_policies' say which do")
        return json_answer(request, chain_document(chain))

    def _schedules(self) -> Schedules:
        schedules = self._view.alerting.escalation.schedules
        if schedules is None:
            raise NotFoundError(_NONE)
        return schedules


_NONE = "there are no schedules; add some under 'schedules' of the config file"


def on_call_document(on_call: OnCall) -> Document:
    """Return who is on call by a schedule."""
    return {
        "name": on_call.schedule,
        "time_zone": on_call.time_zone,
        "people": list(on_call.now.people),
        "until": None if on_call.next is None else on_call.now.ends_at,
        "next": None if on_call.next is None else shift_document(on_call.next),
        "overrides": [override_document(one) for one in on_call.overrides],
        "shifts": [shift_document(one) for one in on_call.shifts],
    }


def shift_document(shift: Shift) -> Document:
    """Return a time in which the same people are on call."""
    return {"starts_at": shift.starts_at, "ends_at": shift.ends_at, "people": list(shift.people)}


def override_document(override: Override) -> Document:
    """Return who stands in when; `id` is null for one of the config file."""
    return {
        "id": override.id or None,
        "schedule": override.schedule,
        "person": override.person,
        "instead_of": override.instead_of,
        "starts_at": override.starts_at,
        "ends_at": override.ends_at,
        "created_by": override.created_by,
        "comment": override.comment,
    }


def chain_document(chain: Chain) -> Document:
    """Return how an incident escalates; `step` is the one that comes next, counted from 1."""
    steps = chain.plan.policy.steps
    return {
        "incident": chain.incident,
        "policy": chain.plan.policy.name,
        "state": chain.state.value,
        "step": min(chain.position + 1, len(steps)) if chain.due_at is not None else None,
        "round": chain.round + 1,
        "due_at": chain.due_at,
        "told": list(chain.told),
        "steps": [
            {"wait_seconds": step.wait_seconds, "targets": [f"{target.kind} {target.name}" for target in step.targets]}
            for step in steps
        ],
    }


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise NotFoundError(f"there is no {what} {text[:40]!r}; its id is a number")
    return int(text)
