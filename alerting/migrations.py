"""The tables of alerting."""

from __future__ import annotations

import alerting.pipeline.store
from alerting import escalation_table, incident_table
from core.db.migration import Migration

MIGRATIONS = (
    Migration(
        "alerting",
        1,
        (
            # Labels, series and annotations are JSON; value is text, because SQLite keeps no NaN.
            "CREATE TABLE alert ("
            " id TEXT PRIMARY KEY, rule TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, series TEXT NOT NULL,"
            " annotations TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL, active_since REAL NOT NULL,"
            " fired_at REAL, resolved_at REAL, missing_since REAL, value TEXT NOT NULL, expr TEXT NOT NULL,"
            " reason TEXT NOT NULL)",
            "CREATE INDEX alert_state ON alert (state, resolved_at)",
            "CREATE TABLE incident ("
            " id INTEGER PRIMARY KEY, subject TEXT NOT NULL, title TEXT NOT NULL, service TEXT NOT NULL,"
            " environment TEXT NOT NULL, severity TEXT NOT NULL, status TEXT NOT NULL, opened_at REAL NOT NULL,"
            " resolved_at REAL)",
            "CREATE INDEX incident_status ON incident (status, id)",
            "CREATE TABLE incident_alert ("
            " incident INTEGER NOT NULL REFERENCES incident (id), alert TEXT NOT NULL, position INTEGER NOT NULL,"
            " PRIMARY KEY (incident, alert))",
            "CREATE TABLE notification ("
            " number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, receiver TEXT NOT NULL,"
            " integration TEXT NOT NULL, group_key TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL,"
            " created_at REAL NOT NULL, failed_at REAL, failure TEXT NOT NULL DEFAULT '')",
        ),
    ),
    *alerting.pipeline.store.MIGRATIONS,
    *incident_table.MIGRATIONS,
    *escalation_table.MIGRATIONS,
)
