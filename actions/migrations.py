"""The tables of operations, revisions and policy decisions."""

from __future__ import annotations

from core.db.migration import Migration

MIGRATIONS = (
    Migration(
        "actions",
        1,
        (
            "CREATE TABLE operation ("
            " number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, service TEXT NOT NULL,"
            " environment TEXT NOT NULL, state TEXT NOT NULL, parameters TEXT NOT NULL, settings TEXT NOT NULL,"
            " requested_by TEXT NOT NULL, reason TEXT NOT NULL, created_at REAL NOT NULL, deadline_at REAL NOT NULL,"
            " started_at REAL, ended_at REAL, error TEXT, result TEXT, cancel_requested_by TEXT,"
            " settling INTEGER NOT NULL DEFAULT 0, run INTEGER NOT NULL DEFAULT 1, plan TEXT, held TEXT,"
            " idempotency_key TEXT UNIQUE)",
            # One operation at a time per service and environment: the database itself refuses a second one.
            "CREATE UNIQUE INDEX operation_held ON operation (held)"
            " WHERE held IS NOT NULL AND state IN ('pending', 'running')",
            "CREATE INDEX operation_state ON operation (state)",
            "CREATE INDEX operation_service ON operation (service, environment, number)",
            "CREATE TABLE operation_step ("
            " operation INTEGER NOT NULL REFERENCES operation (number), position INTEGER NOT NULL,"
            " name TEXT NOT NULL, state TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, detail TEXT NOT NULL,"
            " PRIMARY KEY (operation, position))",
            "CREATE TABLE revision ("
            " service TEXT NOT NULL, environment TEXT NOT NULL, number INTEGER NOT NULL, version TEXT NOT NULL,"
            " state TEXT NOT NULL, artifact TEXT NOT NULL, artifact_sha256 TEXT NOT NULL, folder TEXT NOT NULL,"
            " settings TEXT NOT NULL, operation TEXT NOT NULL, created_at REAL NOT NULL, deployed_at REAL,"
            " promoted_at REAL, rolled_back_by TEXT,"
            " PRIMARY KEY (service, environment, number), UNIQUE (service, environment, operation))",
            "CREATE TABLE revision_port ("
            " service TEXT NOT NULL, environment TEXT NOT NULL, revision INTEGER NOT NULL, instance INTEGER NOT NULL,"
            " port INTEGER NOT NULL, PRIMARY KEY (service, environment, revision, instance),"
            " UNIQUE (service, environment, port))",
            "CREATE TABLE serving ("
            " service TEXT NOT NULL, environment TEXT NOT NULL, current INTEGER, standby INTEGER, baking_until REAL,"
            " PRIMARY KEY (service, environment))",
            "CREATE TABLE policy_decision ("
            " policy TEXT NOT NULL, trigger_id TEXT NOT NULL, transition TEXT NOT NULL, decided_at REAL NOT NULL,"
            " service TEXT NOT NULL, environment TEXT NOT NULL, taken INTEGER NOT NULL, reason TEXT NOT NULL,"
            " operation TEXT, PRIMARY KEY (policy, trigger_id, transition))",
            "CREATE INDEX policy_decision_taken ON policy_decision (policy, service, environment, taken, decided_at)",
        ),
    ),
)
