"""How far each receiver has acknowledged, in the state database."""

from __future__ import annotations

from sqlalchemy import Connection, text

from core.db.migration import Migration
from metrics.disk.wal import Position

MIGRATIONS = (
    Migration(
        "remote_write",
        1,
        (
            "CREATE TABLE remote_write_position ("
            " name TEXT PRIMARY KEY, file INTEGER NOT NULL, byte_offset INTEGER NOT NULL)",
        ),
    ),
)


def load_position(connection: Connection, name: str) -> Position | None:
    """Return where to go on; None for a receiver that is new."""
    row = connection.execute(
        text("SELECT file, byte_offset FROM remote_write_position WHERE name = :name"), {"name": name}
    ).one_or_none()
    return None if row is None else Position(int(row[0]), int(row[1]))


def save_position(connection: Connection, name: str, position: Position) -> None:
    """Note that everything before a position was acknowledged."""
    connection.execute(
        text(
            "INSERT INTO remote_write_position (name, file, byte_offset) VALUES (:name, :file, :byte_offset)"
            " ON CONFLICT (name) DO UPDATE SET file = excluded.file, byte_offset = excluded.byte_offset"
        ),
        {"name": name, "file": position.file, "byte_offset": position.offset},
    )


def forget_position(connection: Connection, name: str) -> None:
    """Remove what was noted of a receiver."""
    connection.execute(text("DELETE FROM remote_write_position WHERE name = :name"), {"name": name})
