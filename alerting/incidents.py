"""Incidents kept: the open ones in memory, all of them in the state database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, text

from alerting.alert import Alert, Severity, Transition
from alerting.incident import Incident, IncidentEvent, IncidentStatus, IncidentTransition, decide, resolved

_COLUMNS = "id, subject, title, service, environment, severity, status, opened_at, resolved_at"


class Incidents:
    """The open incidents, and what alert transitions do to them."""

    def __init__(self) -> None:
        self._open: dict[str, Incident] = {}
        self._next_id = 1

    def restore(self, open_incidents: Iterable[Incident], last_id: int, now: float) -> list[IncidentEvent]:
        """Take back the incidents that an earlier process left open; one without any firing alert is resolved."""
        events = []
        for incident in open_incidents:
            if incident.active:
                self._open[incident.subject] = incident
                events.append(IncidentEvent(IncidentTransition.RESTORED, incident))
            else:
                events.append(IncidentEvent(IncidentTransition.RESOLVED, resolved(incident, now)))
        self._next_id = last_id + 1
        return events

    def update(self, changes: Sequence[tuple[Transition, Alert]], now: float) -> list[IncidentEvent]:
        """Return what the alert transitions of one round do to incidents; the open ones follow."""
        events, self._open = decide(self._open, changes, next_id=self._next_id, now=now)
        self._next_id = max([self._next_id, *(event.incident.id + 1 for event in events)])
        return events

    @property
    def open(self) -> list[Incident]:
        """The open incidents, oldest first."""
        return sorted(self._open.values(), key=lambda incident: incident.id)


def save_incidents(connection: Connection, events: Iterable[IncidentEvent]) -> None:
    """Write incidents as they are after their events."""
    for event in events:
        incident = event.incident
        connection.execute(
            text(
                f"INSERT INTO incident ({_COLUMNS}) VALUES (:id, :subject, :title, :service, :environment, :severity,"
                " :status, :opened_at, :resolved_at) ON CONFLICT (id) DO UPDATE SET severity = excluded.severity,"
                " status = excluded.status, resolved_at = excluded.resolved_at"
            ),
            {name: getattr(incident, name) for name in _COLUMNS.split(", ")},
        )
        for position, alert in enumerate(incident.alerts):
            connection.execute(
                text(
                    "INSERT OR IGNORE INTO incident_alert (incident, alert, position) VALUES (:id, :alert, :position)"
                ),
                {"id": incident.id, "alert": alert, "position": position},
            )


def load_open(connection: Connection) -> tuple[list[Incident], int]:
    """Return the open incidents, and the greatest id that any incident has."""
    rows = connection.execute(text(f"SELECT {_COLUMNS} FROM incident WHERE status NOT IN ('resolved', 'reviewed')"))
    last = connection.execute(text("SELECT max(id) FROM incident")).scalar()
    return _build(connection, rows), int(last or 0)


def load_incidents(connection: Connection, limit: int) -> list[Incident]:
    """Return the newest incidents, newest first."""
    query = text(f"SELECT {_COLUMNS} FROM incident ORDER BY id DESC LIMIT :limit")
    return _build(connection, connection.execute(query, {"limit": limit}))


def load_incident(connection: Connection, number: int) -> Incident | None:
    """Return one incident; None when there is none of that id."""
    query = text(f"SELECT {_COLUMNS} FROM incident WHERE id = :id")
    return next(iter(_build(connection, connection.execute(query, {"id": number}))), None)


def incident_entry(event: IncidentEvent) -> dict[str, Any]:
    """Return what the logbook keeps of an event."""
    incident = event.incident
    entry: dict[str, Any] = {
        "title": incident.title,
        "severity": incident.severity.value,
        "service": incident.service,
        "environment": incident.environment,
        "alerts": list(incident.alerts),
    }
    return entry if event.alert is None else {**entry, "alert": event.alert.id, "alert_name": event.alert.name}


def _build(connection: Connection, rows: Iterable[Any]) -> list[Incident]:
    found = list(rows)
    alerts: defaultdict[int, list[str]] = defaultdict(list)
    active: defaultdict[int, set[str]] = defaultdict(set)
    for row in found:
        query = text(
            "SELECT incident_alert.alert, alert.state FROM incident_alert"
            " LEFT JOIN alert ON alert.id = incident_alert.alert WHERE incident = :id ORDER BY position"
        )
        for alert, state in connection.execute(query, {"id": row.id}):
            alerts[row.id].append(alert)
            if state == "firing":
                active[row.id].add(alert)
    return [
        Incident(
            id=row.id,
            subject=row.subject,
            title=row.title,
            service=row.service,
            environment=row.environment,
            severity=Severity(row.severity),
            status=IncidentStatus(row.status),
            opened_at=row.opened_at,
            resolved_at=row.resolved_at,
            alerts=tuple(alerts[row.id]),
            active=frozenset(active[row.id]),
        )
        for row in found
    ]
