"""Numbered changes of the database schema, each applied once, in order, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from core.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Migration:
    """One change; never edited after its release, because a state database remembers it by package and number."""

    package: str
    number: int
    statements: tuple[str, ...]


def migrate(connection: Connection, migrations: Sequence[Migration]) -> int:
    """Apply what is not yet applied, in the given order, and return how many that were.

    Raises: PermanentError: the database was written by a newer version, which knew more migrations.
    """
    connection.execute(
        text(
            "CREATE TABLE IF NOT EXISTS schema_migration"
            " (package TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (package, number))"
        )
    )
    rows = connection.execute(text("SELECT package, number FROM schema_migration"))
    applied = {(str(package), int(number)) for package, number in rows}
    newer = applied - {(migration.package, migration.number) for migration in migrations}
    if newer:
        names = ", ".join(f"{package} {number}" for package, number in sorted(newer))
        raise PermanentError(f"the state database is of a newer version (migrations {names}); start that version")
    missing = [m for m in migrations if (m.package, m.number) not in applied]
    for migration in missing:
        for statement in migration.statements:
            connection.execute(text(statement))
        connection.execute(
            text("INSERT INTO schema_migration (package, number) VALUES (:package, :number)"),
            {"package": migration.package, "number": migration.number},
        )
    return len(missing)
