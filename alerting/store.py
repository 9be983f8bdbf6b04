"""Alerts in the state database: what is written for each change, and what a restarted daemon reads back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from alerting.alert import Alert, AlertState, Severity, Transition
from alerting.rule_state import Change
from metrics.label import labels_of

RESOLVED_KEPT = 1000
"""So many resolved alerts are kept for looking back; the logbook remembers all."""

RESOLVED_SLACK = 100

_COLUMNS = (
    "id, rule, name, labels, series, annotations, state, severity, active_since, fired_at, resolved_at, missing_since,"
    " value, expr, reason, generator_url, expires_at, updated_at"
)
_SAVE = text(
    f"INSERT OR REPLACE INTO alert ({_COLUMNS}) VALUES (:id, :rule, :name, :labels, :series, :annotations, :state,"
    " :severity, :active_since, :fired_at, :resolved_at, :missing_since, :value, :expr, :reason, :generator_url,"
    " :expires_at, :updated_at)"
)
_DROP = text("DELETE FROM alert WHERE id = :id")


def save_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """Write alerts as they are after their changes; a pending one that went away without firing is forgotten."""
    for is_gone, some in groupby(changes, lambda change: change.transition is Transition.INACTIVE):
        if is_gone:
            connection.execute(_DROP, [{"id": change.alert.id} for change in some])
        else:
            connection.execute(_SAVE, [_row(change) for change in some])
    if any(change.transition is Transition.RESOLVED for change in changes):
        count = connection.execute(text("SELECT count(*) FROM alert WHERE state = 'resolved'")).scalar()
        if int(count or 0) > RESOLVED_KEPT + RESOLVED_SLACK:
            forget_old(connection)


def load_active(connection: Connection) -> list[Change]:
    """Return the alerts that were pending or firing."""
    query = text(f"SELECT {_COLUMNS} FROM alert WHERE state <> 'resolved' ORDER BY active_since, id")
    return [_change(row) for row in connection.execute(query)]


def load_resolved(connection: Connection, limit: int) -> list[Alert]:
    """Return the alerts that were resolved last, newest first."""
    query = text(f"SELECT {_COLUMNS} FROM alert WHERE state = 'resolved' ORDER BY resolved_at DESC, id LIMIT :limit")
    return [_change(row).alert for row in connection.execute(query, {"limit": limit})]


def forget_old(connection: Connection) -> None:
    """Delete resolved alerts beyond those that are kept."""
    kept = "SELECT id FROM alert WHERE state = 'resolved' ORDER BY resolved_at DESC, id LIMIT :limit"
    statement = f"DELETE FROM alert WHERE state = 'resolved' AND id NOT IN ({kept})"
    connection.execute(text(statement), {"limit": RESOLVED_KEPT})


def alert_entry(change: Change) -> dict[str, Any]:
    """Return what the logbook keeps of a transition."""
    alert = change.alert
    entry: dict[str, Any] = {
        "name": alert.name,
        "severity": alert.severity.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "rule": alert.rule,
        "value": repr(alert.value),
        "active_since": alert.active_since,
    }
    if alert.is_posted:
        entry["generator_url"] = alert.generator_url
    return {**entry, "reason": alert.reason} if alert.reason else entry


def _row(change: Change) -> dict[str, Any]:
    alert = change.alert
    return {
        "id": alert.id,
        "rule": alert.rule,
        "name": alert.name,
        "labels": json.dumps(dict(alert.labels)),
        "series": json.dumps(change.series),
        "annotations": json.dumps(dict(alert.annotations)),
        "state": alert.state.value,
        "severity": alert.severity.value,
        "active_since": alert.active_since,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "missing_since": change.missing_since,
        "value": repr(alert.value),
        "expr": alert.expr,
        "reason": alert.reason,
        "generator_url": alert.generator_url,
        "expires_at": alert.expires_at,
        "updated_at": alert.updated_at,
    }


def _change(row: Any) -> Change:
    alert = Alert(
        id=row.id,
        name=row.name,
        labels=json.loads(row.labels),
        annotations=json.loads(row.annotations),
        state=AlertState(row.state),
        severity=Severity(row.severity),
        active_since=row.active_since,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        value=float(row.value),
        rule=row.rule,
        expr=row.expr,
        reason=row.reason,
        generator_url=row.generator_url,
        expires_at=row.expires_at,
        updated_at=row.updated_at,
    )
    return Change(None, alert, labels_of(json.loads(row.series)), row.missing_since)
