"""The pipeline's memory in the state database: groups, what receivers were told, and ends that wait to be told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, TextClause, text

from alerting.alert import Alert, AlertState, Severity
from alerting.pipeline.decision import Decision, GroupRow, Memory
from alerting.pipeline.dedup import Sent
from core.db.migration import Migration

MIGRATIONS = (
    Migration(
        "pipeline",
        1,
        (
            "ALTER TABLE alert ADD COLUMN generator_url TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE alert ADD COLUMN expires_at REAL",
            "ALTER TABLE alert ADD COLUMN updated_at REAL NOT NULL DEFAULT 0",
            "CREATE TABLE alert_group ("
            " route TEXT NOT NULL, key TEXT NOT NULL, labels TEXT NOT NULL, next_at REAL NOT NULL,"
            " has_looked INTEGER NOT NULL, PRIMARY KEY (route, key))",
            "CREATE TABLE alert_group_ended ("
            " route TEXT NOT NULL, key TEXT NOT NULL, identity TEXT NOT NULL, alert TEXT NOT NULL,"
            " PRIMARY KEY (route, key, identity))",
            # Alerts' identities are JSON lists.
            "CREATE TABLE alert_sent ("
            " receiver TEXT NOT NULL, integration TEXT NOT NULL, group_key TEXT NOT NULL, firing TEXT NOT NULL,"
            " resolved TEXT NOT NULL, at REAL NOT NULL, message TEXT NOT NULL, refusals INTEGER NOT NULL,"
            " PRIMARY KEY (receiver, integration, group_key))",
        ),
    ),
    Migration("pipeline", 2, ("ALTER TABLE alert_group ADD COLUMN empty_since REAL",)),
)

SENT_KEPT_SECONDS = 30 * 86_400.0
"""A record whose group never comes back is forgotten after so long; longer than any `repeat_interval` in use."""

_LANE = ("receiver", "integration", "group_key")

_SAVE_GROUP = text(
    "INSERT OR REPLACE INTO alert_group VALUES (:route, :key, :labels, :next_at, :has_looked, :empty_since)"
)
_DROP_GROUP = text("DELETE FROM alert_group WHERE route = :route AND key = :key")
_SAVE_ENDED = text("INSERT OR REPLACE INTO alert_group_ended VALUES (:route, :key, :identity, :alert)")
_DROP_ENDED = text("DELETE FROM alert_group_ended WHERE route = :route AND key = :key AND identity = :identity")
_SAVE_SENT = text(
    "INSERT OR REPLACE INTO alert_sent"
    " VALUES (:receiver, :integration, :group_key, :firing, :resolved, :at, :message, :refusals)"
)
_DROP_SENT = text(
    "DELETE FROM alert_sent WHERE receiver = :receiver AND integration = :integration AND group_key = :group_key"
)


def save_memory(connection: Connection, decision: Decision) -> None:
    """Write what a decision changes of the memory; its messages are the outbox's."""
    groups = [({"route": route, "key": key}, row) for (route, key), row in decision.groups.items()]
    _write(connection, _DROP_GROUP, [place for place, row in groups if row is None])
    _write(connection, _SAVE_GROUP, [place | _group_row(row) for place, row in groups if row is not None])
    ended = [
        ({"route": route, "key": key, "identity": identity}, alert)
        for (route, key), alerts in decision.ended.items()
        for identity, alert in alerts.items()
    ]
    _write(connection, _DROP_ENDED, [place for place, alert in ended if alert is None])
    _write(connection, _SAVE_ENDED, [place | {"alert": _dump(alert)} for place, alert in ended if alert is not None])
    sent = [(dict(zip(_LANE, lane, strict=True)), record) for lane, record in decision.sent.items()]
    _write(connection, _DROP_SENT, [place for place, record in sent if record is None])
    _write(connection, _SAVE_SENT, [place | _sent_row(record) for place, record in sent if record is not None])


def _write(connection: Connection, statement: TextClause, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def load_memory(connection: Connection, now: float) -> Memory:
    """Return what an earlier process wrote down."""
    groups = {
        (row.route, row.key): GroupRow(json.loads(row.labels), row.next_at, bool(row.has_looked), row.empty_since)
        for row in connection.execute(text("SELECT * FROM alert_group"))
    }
    ended = [
        ((row.route, row.key), _load(row.alert))
        for row in connection.execute(text("SELECT route, key, alert FROM alert_group_ended ORDER BY rowid"))
    ]
    sent = {
        (row.receiver, row.integration, row.group_key): Sent(
            frozenset(json.loads(row.firing)), frozenset(json.loads(row.resolved)), row.at, row.message, row.refusals
        )
        for row in connection.execute(text("SELECT * FROM alert_sent WHERE at > :kept"), _kept(now))
    }
    return Memory(sent, groups, ended)


def forget_old_sent(connection: Connection, now: float) -> None:
    """Delete records whose groups have not been told for long."""
    connection.execute(text("DELETE FROM alert_sent WHERE at <= :kept"), _kept(now))


def _kept(now: float) -> dict[str, float]:
    return {"kept": now - SENT_KEPT_SECONDS}


def _group_row(row: GroupRow) -> dict[str, Any]:
    return {
        "labels": json.dumps(dict(row.labels)),
        "next_at": row.next_at,
        "has_looked": row.has_looked,
        "empty_since": row.empty_since,
    }


def _sent_row(sent: Sent) -> dict[str, Any]:
    return {
        "firing": _list(sent.firing),
        "resolved": _list(sent.resolved),
        "at": sent.at,
        "message": sent.message,
        "refusals": sent.refusals,
    }


def _list(identities: Iterable[str]) -> str:
    return json.dumps(sorted(identities), separators=(",", ":"))


def _dump(alert: Alert) -> str:
    return json.dumps(asdict(alert) | {"labels": dict(alert.labels), "annotations": dict(alert.annotations)})


def _load(content: str) -> Alert:
    values = json.loads(content)
    return Alert(**values | {"state": AlertState(values["state"]), "severity": Severity(values["severity"])})
