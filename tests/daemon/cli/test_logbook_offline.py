"""Checking a state directory without a daemon."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.db.database import Database
from core.logbook import MIGRATIONS, Logbook
from core.tasks import Tasks
from tests.daemon.cli.conftest import Cli


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """A state directory with three entries."""
    clock = SystemClock()
    tasks = Tasks(clock)
    database = Database(tmp_path / "state.db", MIGRATIONS, clock=clock, tasks=tasks)
    await database.start()
    logbook = Logbook(database, clock)
    for number in range(3):
        await logbook.append("alert.firing", f"alert/{number}", {"value": number})
    await database.stop()
    await tasks.stop()
    (tmp_path / "lock").write_text("1\n")
    return tmp_path


def test_an_untouched_logbook_holds(run: Cli, state: Path) -> None:
    ran = run("logbook", "verify", "--state", str(state))
    assert (ran.code, ran.out) == (0, "logbook: ok: 3 entries, the chain holds\n")


def test_a_changed_entry_is_named(run: Cli, state: Path) -> None:
    with closing(sqlite3.connect(state / "state.db")) as connection, connection:
        connection.execute("UPDATE logbook_entry SET data = '{}' WHERE number = 2")
    ran = run("logbook", "verify", "--state", str(state))
    assert ran.code == 1
    assert "entry 2: changed: its content does not match its hash" in ran.out


def test_a_directory_without_a_logbook_is_refused(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    ran = run("logbook", "verify", "--state", str(tmp_path))
    assert ran.code == 2
    assert "has no state database with a logbook" in ran.err


def test_a_damaged_database_is_one_line(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    ran = run("logbook", "verify", "--state", str(tmp_path))
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "restore it from a backup" in ran.err
