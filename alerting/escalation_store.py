"""Escalations and on-call overrides in the state database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text

from alerting.escalation import Chain, ChainState
from alerting.escalation_config import read_plan
from alerting.incident import IncidentStatus
from alerting.schedule import Override

OVERRIDES_KEPT_SECONDS = 400 * 86_400.0
"""Overrides that ended longer ago are forgotten; the logbook remembers them."""

_COLUMNS = "incident, plan, state, position, round, since, due_at, status, told"
_SAVE = text(
    f"INSERT OR REPLACE INTO escalation ({_COLUMNS})"
    " VALUES (:incident, :plan, :state, :position, :round, :since, :due_at, :status, :told)"
)
_OVERRIDE_COLUMNS = "schedule, person, starts_at, ends_at, instead_of, id, created_by, comment"


def saving(chain: Chain) -> Callable[[Connection], None]:
    """Return the write of an escalation as it is, for the transaction of what it does."""
    values = {
        "incident": chain.incident,
        "plan": chain.plan.source,
        "state": chain.state.value,
        "position": chain.position,
        "round": chain.round,
        "since": chain.since,
        "due_at": chain.due_at,
        "status": chain.status.value,
        "told": json.dumps(chain.told),
    }

    def save(connection: Connection) -> None:
        connection.execute(_SAVE, values)

    return save


def load_chains(connection: Connection) -> list[Chain]:
    """Return the escalations that are not over."""
    query = text(f"SELECT {_COLUMNS} FROM escalation WHERE state <> 'ended' ORDER BY incident")
    return [_chain(row) for row in connection.execute(query)]


def load_chain(connection: Connection, incident: int) -> Chain | None:
    """Return the escalation of an incident, over or not; None where it has none."""
    query = text(f"SELECT {_COLUMNS} FROM escalation WHERE incident = :incident")
    row = connection.execute(query, {"incident": incident}).one_or_none()
    return None if row is None else _chain(row)


def load_overrides(connection: Connection, now: float) -> list[Override]:
    """Return the overrides that people added, in that order, and forget old ones."""
    query = text(f"SELECT {_OVERRIDE_COLUMNS} FROM schedule_override WHERE ends_at >= :since ORDER BY id")
    return [Override(*row) for row in connection.execute(query, {"since": now - OVERRIDES_KEPT_SECONDS})]


def add_override(connection: Connection, override: Override, now: float) -> int:
    """Write an override and return its id; forget old ones."""
    forget = text("DELETE FROM schedule_override WHERE ends_at < :since")
    connection.execute(forget, {"since": now - OVERRIDES_KEPT_SECONDS})
    insert = text(
        "INSERT INTO schedule_override (schedule, person, starts_at, ends_at, instead_of, created_by, comment)"
        " VALUES (:schedule, :person, :starts_at, :ends_at, :instead_of, :created_by, :comment) RETURNING id"
    )
    names = ("schedule", "person", "starts_at", "ends_at", "instead_of", "created_by", "comment")
    values = {name: getattr(override, name) for name in names}
    return int(connection.execute(insert, values).scalar_one())


def remove_override(connection: Connection, number: int) -> None:
    """Delete an override."""
    connection.execute(text("DELETE FROM schedule_override WHERE id = :id"), {"id": number})


def _chain(row: Any) -> Chain:
    return Chain(
        incident=row.incident,
        plan=read_plan(row.plan),
        state=ChainState(row.state),
        position=row.position,
        round=row.round,
        since=row.since,
        due_at=row.due_at,
        status=IncidentStatus(row.status),
        told=tuple(json.loads(row.told)),
    )
