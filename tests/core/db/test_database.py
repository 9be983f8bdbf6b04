import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from core.db.database import Database, Trouble
from core.db.migration import Migration
from core.errors import PermanentError, StoreUnavailableError
from core.tasks import Tasks
from tests.fakes.clock import FakeClock

_MIGRATIONS = (Migration("test", 1, ("CREATE TABLE thing (name TEXT PRIMARY KEY)",)),)


@asynccontextmanager
async def _open(
    path: Path, migrations: tuple[Migration, ...] = _MIGRATIONS, troubles: list[Trouble | None] | None = None
) -> AsyncIterator[tuple[Database, FakeClock]]:
    clock = FakeClock()
    tasks = Tasks(clock)
    seen = troubles if troubles is not None else []
    database = Database(path, migrations, clock=clock, tasks=tasks, on_trouble=seen.append)
    await database.start()
    try:
        yield database, clock
    finally:
        await database.stop()
        await tasks.stop()


def _ignore(_result: object) -> None:
    pass


def _insert(name: str) -> object:
    def work(connection: Connection) -> str:
        connection.execute(text("INSERT INTO thing VALUES (:name)"), {"name": name})
        return name

    return work


def _names(connection: Connection) -> list[str]:
    return [str(name) for (name,) in connection.execute(text("SELECT name FROM thing ORDER BY name"))]


async def test_write_returns_when_other_connections_see_it(tmp_path: Path) -> None:
    async with _open(tmp_path / "s.db") as (database, _):
        assert await database.write(_insert("a")) == "a"  # type: ignore[arg-type]
        with sqlite3.connect(tmp_path / "s.db") as other:
            assert other.execute("SELECT name FROM thing").fetchall() == [("a",)]
        other.close()


async def test_failed_write_undoes_only_itself_within_its_group(tmp_path: Path) -> None:
    async with _open(tmp_path / "s.db") as (database, _):
        writes = [database.write(_insert(name)) for name in ("a", "b", "a", "c")]  # type: ignore[arg-type, var-annotated]
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["str", "str", "IntegrityError", "str"]
        assert await database.read(_names) == ["a", "b", "c"]
        assert database.trouble is None


async def test_mistake_in_a_statement_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    async with _open(tmp_path / "s.db") as (database, _):
        with pytest.raises(OperationalError, match="no such table"):
            await database.write(lambda connection: connection.execute(text("DELETE FROM elsewhere")))
        assert database.trouble is None


async def test_locked_database_degrades_and_recovers_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.db.database.LOCK_WAIT_SECONDS", 0.05)
    troubles: list[Trouble | None] = []
    async with _open(tmp_path / "s.db", troubles=troubles) as (database, clock):
        other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="database is locked"):
            await database.write(_insert("a"))  # type: ignore[arg-type]
        assert database.trouble is not None
        other.execute("ROLLBACK")
        other.close()
        recovered = asyncio.Event()
        loop = asyncio.get_running_loop()
        database._on_trouble = lambda _trouble: _ignore(loop.call_soon_threadsafe(recovered.set))
        await clock.advance(3)
        await asyncio.wait_for(recovered.wait(), 5)
        assert await database.read(_names) == []
        assert len(troubles) == 1


async def test_full_disk_degrades_and_recovers_by_itself(tmp_path: Path) -> None:
    async with _open(tmp_path / "s.db") as (database, _):
        # The page limit makes SQLite report what it reports on a full disk.
        await database.write(lambda connection: connection.execute(text("PRAGMA max_page_count = 10")) and None)
        with pytest.raises(StoreUnavailableError, match="full"):
            await database.write(_insert("x" * 1_000_000))  # type: ignore[arg-type]
        assert database.trouble is not None
        await database.write(_insert("small"))  # type: ignore[arg-type]
        assert database.trouble is None


async def test_file_that_is_no_database_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(PermanentError, match="move the file away or restore it from a backup"):
        async with _open(tmp_path / "s.db"):
            pass


async def test_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="unable to open database file"):
        async with _open(tmp_path / "missing" / "s.db"):
            pass


async def test_migrations_run_once_and_a_newer_database_is_refused(tmp_path: Path) -> None:
    second = Migration("test", 2, ("ALTER TABLE thing ADD COLUMN size INTEGER",))
    for _ in range(2):
        async with _open(tmp_path / "s.db", (*_MIGRATIONS, second)):
            pass
    with pytest.raises(PermanentError, match=r"newer version \(migrations test 2\)"):
        async with _open(tmp_path / "s.db"):
            pass


async def test_closed_database_refuses_writes(tmp_path: Path) -> None:
    async with _open(tmp_path / "s.db") as (database, _):
        pass
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.write(_insert("a"))  # type: ignore[arg-type]
