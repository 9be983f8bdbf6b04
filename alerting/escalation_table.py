"""The tables of escalation and on-call overrides, and the question whether anything is in them."""

from __future__ import annotations

from sqlalchemy import Connection, text

from core.db.migration import Migration

MIGRATIONS = (
    Migration(
        "escalation",
        1,
        (
            # `plan` and `told` are JSON.
            "CREATE TABLE escalation ("
            " incident INTEGER PRIMARY KEY, plan TEXT NOT NULL, state TEXT NOT NULL, position INTEGER NOT NULL,"
            " round INTEGER NOT NULL, since REAL NOT NULL, due_at REAL, status TEXT NOT NULL, told TEXT NOT NULL)",
            "CREATE INDEX escalation_state ON escalation (state)",
            "CREATE TABLE schedule_override ("
            " id INTEGER PRIMARY KEY AUTOINCREMENT, schedule TEXT NOT NULL, person TEXT NOT NULL,"
            " starts_at REAL NOT NULL, ends_at REAL NOT NULL, instead_of TEXT NOT NULL, created_by TEXT NOT NULL,"
            " comment TEXT NOT NULL)",
        ),
    ),
)


def has_chains(connection: Connection) -> bool:
    """Tell whether an escalation is not over, so that a daemon without any in its config must go on with it."""
    query = text("SELECT 1 FROM escalation WHERE state <> 'ended' LIMIT 1")
    return connection.execute(query).scalar() is not None
