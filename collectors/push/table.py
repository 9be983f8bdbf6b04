"""Groups of pushed metrics in the state database."""

from __future__ import annotations

import json

from sqlalchemy import Connection, text

from collectors.push.group import Group, content_from_json
from core.db.migration import Migration
from metrics.label import labels_of

MIGRATIONS = (
    Migration(
        "push",
        1,
        (
            "CREATE TABLE push_group ("
            " source TEXT PRIMARY KEY, grouping TEXT NOT NULL, content TEXT NOT NULL,"
            " pushed_at REAL NOT NULL, failed_at REAL NOT NULL)",
        ),
    ),
)


def load_groups(connection: Connection) -> list[Group]:
    """Return all groups."""
    rows = connection.execute(text("SELECT grouping, content, pushed_at, failed_at FROM push_group ORDER BY source"))
    return [
        Group(labels_of(json.loads(grouping)), content_from_json(content), float(pushed_at), float(failed_at))
        for grouping, content, pushed_at, failed_at in rows
    ]


def save_group(connection: Connection, group: Group) -> None:
    """Write a group, in place of what was written of it before."""
    connection.execute(
        text(
            "INSERT INTO push_group (source, grouping, content, pushed_at, failed_at)"
            " VALUES (:source, :grouping, :content, :pushed_at, :failed_at)"
            " ON CONFLICT (source) DO UPDATE SET content = excluded.content, pushed_at = excluded.pushed_at,"
            " failed_at = excluded.failed_at"
        ),
        {
            "source": group.source, "grouping": json.dumps(dict(group.grouping)), "content": group.to_json(),
            "pushed_at": group.pushed_at, "failed_at": group.failed_at,
        },
    )  # fmt: skip


def delete_group(connection: Connection, source: str) -> None:
    """Remove a group."""
    connection.execute(text("DELETE FROM push_group WHERE source = :source"), {"source": source})
