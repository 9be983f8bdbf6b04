"""Incidents in the state database: what is written for each event, and what is read back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, text

from alerting.alert import Severity
from alerting.incident import Incident, IncidentAlert, IncidentEvent, IncidentStatus, IncidentTransition, subject_of

ALERTS_IN_ENTRY = 50
"""So many of the alerts that joined at once are named in the logbook; all are counted."""

_COLUMNS = (
    "id", "subject", "title", "service", "environment", "severity", "status", "opened_at", "resolved_at",
    "started_at", "changed_at", "owner", "acknowledged_at", "acknowledged_by", "mitigated_at", "reviewed_at", "by_hand",
    "merged_into",
)  # fmt: skip
_FIXED = ("id", "subject", "opened_at")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM incident"
_SAVE = text(
    f"INSERT INTO incident ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + name for name in _COLUMNS)})"
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _FIXED)
)
_ALERT_COLUMNS = (
    "incident", "alert", "position", "name", "subject", "severity", "labels", "annotations", "expr", "value",
    "active_since", "joined_at",
)  # fmt: skip
_SAVE_ALERT = text(
    f"INSERT OR REPLACE INTO incident_alert ({', '.join(_ALERT_COLUMNS)})"
    f" VALUES ({', '.join(':' + name for name in _ALERT_COLUMNS)})"
)
_END_ALERT = text("UPDATE incident_alert SET resolved_at = :at WHERE incident = :incident AND alert = :alert")
_MOVE_ALERT = text("UPDATE OR REPLACE incident_alert SET incident = :to, position = :position"
                   " WHERE incident = :from AND alert = :alert")  # fmt: skip
_JOINING = (IncidentTransition.OPENED, IncidentTransition.REOPENED, IncidentTransition.JOINED)
_ENDING = (IncidentTransition.LEFT, IncidentTransition.RESOLVED)


def save_incidents(connection: Connection, events: Iterable[IncidentEvent], now: float) -> None:
    """Write incidents as they are after their events, and the alerts that came or went with these."""
    for event in events:
        incident = event.incident
        row = {name: getattr(incident, name) for name in _COLUMNS}
        connection.execute(_SAVE, {**row, "by_hand": int(incident.by_hand)})
        position = {alert: index for index, alert in enumerate(incident.alerts)}
        if event.transition in _JOINING and event.alerts:
            connection.execute(_SAVE_ALERT, [_alert_row(event, alert, position, now) for alert in event.alerts])
        elif event.transition in _ENDING and event.alerts:
            ends = [(alert.id, now if alert.resolved_at is None else alert.resolved_at) for alert in event.alerts]
            connection.execute(_END_ALERT, [{"incident": incident.id, "alert": one, "at": at} for one, at in ends])
        if event.moved:
            moved = [{"to": incident.id, "from": event.moved_from, "alert": one, "position": position[one]}
                     for one in event.moved]  # fmt: skip
            connection.execute(_MOVE_ALERT, moved)


def incident_entry(event: IncidentEvent) -> dict[str, Any]:
    """Return what the logbook keeps of an event."""
    incident = event.incident
    entry: dict[str, Any] = {
        "title": incident.title,
        "severity": incident.severity.value,
        "status": incident.status.value,
        "service": incident.service,
        "environment": incident.environment,
        **event.data,
    }
    if event.alert is not None:
        entry |= {"alert": event.alert.id, "alert_name": event.alert.name}
    if len(event.alerts) > 1:
        entry |= {
            "alert_count": len(event.alerts),
            "alerts": [alert.id for alert in event.alerts[:ALERTS_IN_ENTRY]],
        }
    return entry


def load_open(connection: Connection) -> tuple[list[Incident], int]:
    """Return the open incidents, and the greatest id that any incident has."""
    rows = connection.execute(text(f"{_SELECT} WHERE status NOT IN ('resolved', 'reviewed') ORDER BY id"))
    last = connection.execute(text("SELECT max(id) FROM incident")).scalar()
    return _build(connection, rows), int(last or 0)


def load_closed_since(connection: Connection, moment: float) -> list[Incident]:
    """Return the incidents that were resolved at or after a time, oldest first."""
    where = " WHERE status = 'resolved' AND resolved_at >= :moment ORDER BY id"
    return _build(connection, connection.execute(text(_SELECT + where), {"moment": moment}))


def load_incidents(
    connection: Connection, limit: int, *, before: int | None = None, service: str = "", status: str = ""
) -> list[Incident]:
    """Return the newest incidents, newest first.

    Args:
        before: only those with a smaller id.
        service, status: only those of this service and status; empty for all.
    """
    query = text(
        f"{_SELECT} WHERE (:before IS NULL OR id < :before) AND (:service = '' OR service = :service)"
        " AND (:status = '' OR status = :status) ORDER BY id DESC LIMIT :limit"
    )
    values = {"limit": limit, "before": before, "service": service, "status": status}
    return _build(connection, connection.execute(query, values))


def load_opened_since(connection: Connection, moment: float) -> list[Incident]:
    """Return the incidents that were opened at or after a time and not merged into others, without their alerts."""
    query = text(f"{_SELECT} WHERE opened_at >= :moment AND merged_into IS NULL ORDER BY id")
    return [_incident(row, (), frozenset(), frozenset(), frozenset())
            for row in connection.execute(query, {"moment": moment})]  # fmt: skip


def load_incident(connection: Connection, number: int) -> Incident | None:
    """Return one incident; None when there is none of that id."""
    rows = connection.execute(text(f"{_SELECT} WHERE id = :id"), {"id": number})
    return next(iter(_build(connection, rows)), None)


def load_alerts(connection: Connection, number: int) -> list[IncidentAlert]:
    """Return an incident's alerts in the order in which they joined."""
    query = text(
        "SELECT alert, name, subject, severity, labels, annotations, expr, value, active_since, joined_at, resolved_at"
        " FROM incident_alert WHERE incident = :id ORDER BY position, alert"
    )
    return [
        IncidentAlert(
            id=row.alert,
            name=row.name or row.alert,
            subject=row.subject,
            severity=Severity(row.severity),
            labels=json.loads(row.labels),
            annotations=json.loads(row.annotations),
            expr=row.expr,
            value=float(row.value),
            active_since=row.active_since,
            joined_at=row.joined_at,
            resolved_at=row.resolved_at,
        )
        for row in connection.execute(query, {"id": number})
    ]


def load_merged(connection: Connection, number: int) -> list[int]:
    """Return the incidents that were merged into one, and into those."""
    found: list[int] = []
    waiting = [number]
    while waiting:
        rows = connection.execute(text("SELECT id FROM incident WHERE merged_into = :id"), {"id": waiting.pop()})
        new = [int(row.id) for row in rows if row.id not in found and row.id != number]
        found += new
        waiting += new
    return sorted(found)


def claim_link(connection: Connection, nonce: str, expires_at: float, now: float) -> None:
    """Note that a link was used; what has expired works no more and is forgotten."""
    connection.execute(text("DELETE FROM incident_link WHERE expires_at < :now"), {"now": now})
    values = {"nonce": nonce, "expires_at": expires_at}
    connection.execute(text("INSERT OR IGNORE INTO incident_link VALUES (:nonce, :expires_at)"), values)


def is_link_used(connection: Connection, nonce: str) -> bool:
    """Tell whether a link was used."""
    query = text("SELECT 1 FROM incident_link WHERE nonce = :nonce")
    return connection.execute(query, {"nonce": nonce}).one_or_none() is not None


def _alert_row(event: IncidentEvent, alert: Any, position: Mapping[str, int], now: float) -> dict[str, Any]:
    return {
        "incident": event.incident.id,
        "alert": alert.id,
        "position": position[alert.id],
        "name": alert.name,
        "subject": subject_of(alert.labels),
        "severity": alert.severity.value,
        "labels": json.dumps(dict(alert.labels)),
        "annotations": json.dumps(dict(alert.annotations)),
        "expr": alert.expr,
        "value": repr(alert.value),
        "active_since": alert.active_since,
        "joined_at": now,
    }


def _build(connection: Connection, rows: Iterable[Any]) -> list[Incident]:
    found = list(rows)
    alerts: defaultdict[int, list[str]] = defaultdict(list)
    active: defaultdict[int, set[str]] = defaultdict(set)
    subjects: defaultdict[int, set[str]] = defaultdict(set)
    names: defaultdict[int, set[str]] = defaultdict(set)
    query = text(
        "SELECT alert, name, subject, resolved_at FROM incident_alert WHERE incident = :id ORDER BY position, alert"
    )
    for incident in found:
        for row in connection.execute(query, {"id": incident.id}):
            alerts[incident.id].append(row.alert)
            subjects[incident.id].add(row.subject)
            names[incident.id].add(row.name)
            if row.resolved_at is None:
                active[incident.id].add(row.alert)
    return [
        _incident(
            row, tuple(alerts[row.id]), frozenset(active[row.id]),
            frozenset(subjects[row.id]) or frozenset({row.subject}), frozenset(names[row.id]),
        )
        for row in found
    ]  # fmt: skip


def _incident(
    row: Any, alerts: tuple[str, ...], active: frozenset[str], subjects: frozenset[str], names: frozenset[str]
) -> Incident:
    return Incident(
        id=row.id,
        subject=row.subject,
        title=row.title,
        service=row.service,
        environment=row.environment,
        severity=Severity(row.severity),
        status=IncidentStatus(row.status),
        opened_at=row.opened_at,
        resolved_at=row.resolved_at,
        alerts=alerts,
        active=active,
        started_at=row.started_at,
        changed_at=row.changed_at,
        subjects=subjects,
        names=names,
        owner=row.owner,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        mitigated_at=row.mitigated_at,
        reviewed_at=row.reviewed_at,
        by_hand=bool(row.by_hand),
        merged_into=row.merged_into,
    )
