"""The tables of incidents beside those that alerting began with."""

from __future__ import annotations

from core.db.migration import Migration

MIGRATIONS = (
    Migration(
        "incidents",
        1,
        (
            "ALTER TABLE incident ADD COLUMN started_at REAL NOT NULL DEFAULT 0",
            "ALTER TABLE incident ADD COLUMN changed_at REAL NOT NULL DEFAULT 0",
            "ALTER TABLE incident ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE incident ADD COLUMN acknowledged_at REAL",
            "ALTER TABLE incident ADD COLUMN acknowledged_by TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE incident ADD COLUMN mitigated_at REAL",
            "ALTER TABLE incident ADD COLUMN reviewed_at REAL",
            "ALTER TABLE incident ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE incident ADD COLUMN merged_into INTEGER",
            "UPDATE incident SET started_at = opened_at, changed_at = coalesce(resolved_at, opened_at)",
            "CREATE INDEX incident_opened ON incident (opened_at)",
            "CREATE INDEX incident_merged ON incident (merged_into)",
            # An incident remembers its alerts itself: resolved ones are forgotten elsewhere, posted ones are not there.
            "ALTER TABLE incident_alert ADD COLUMN name TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE incident_alert ADD COLUMN subject TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE incident_alert ADD COLUMN severity TEXT NOT NULL DEFAULT 'medium'",
            "ALTER TABLE incident_alert ADD COLUMN labels TEXT NOT NULL DEFAULT '{}'",
            "ALTER TABLE incident_alert ADD COLUMN annotations TEXT NOT NULL DEFAULT '{}'",
            "ALTER TABLE incident_alert ADD COLUMN expr TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE incident_alert ADD COLUMN value TEXT NOT NULL DEFAULT 'nan'",
            "ALTER TABLE incident_alert ADD COLUMN active_since REAL NOT NULL DEFAULT 0",
            "ALTER TABLE incident_alert ADD COLUMN joined_at REAL NOT NULL DEFAULT 0",
            "ALTER TABLE incident_alert ADD COLUMN resolved_at REAL",
            "UPDATE incident_alert SET"
            " subject = coalesce((SELECT subject FROM incident WHERE incident.id = incident_alert.incident), ''),"
            " joined_at = coalesce((SELECT opened_at FROM incident WHERE incident.id = incident_alert.incident), 0),"
            " active_since = coalesce((SELECT opened_at FROM incident WHERE incident.id = incident_alert.incident), 0)",
            "UPDATE incident_alert SET (name, severity, labels, annotations, expr, value, active_since) ="
            " (SELECT name, severity, labels, annotations, expr, value, active_since FROM alert"
            "  WHERE alert.id = incident_alert.alert)"
            " WHERE EXISTS (SELECT 1 FROM alert WHERE alert.id = incident_alert.alert)",
            "UPDATE incident_alert SET resolved_at = coalesce("
            "  (SELECT resolved_at FROM alert WHERE alert.id = incident_alert.alert),"
            "  (SELECT resolved_at FROM incident WHERE incident.id = incident_alert.incident), joined_at)"
            " WHERE NOT EXISTS (SELECT 1 FROM alert WHERE alert.id = incident_alert.alert AND state = 'firing')",
            "CREATE INDEX incident_alert_alert ON incident_alert (alert)",
            # Links work once: these were used.
            "CREATE TABLE incident_link (nonce TEXT PRIMARY KEY, expires_at REAL NOT NULL)",
        ),
    ),
)
