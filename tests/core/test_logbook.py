from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from core.db.database import Database
from core.db.migration import migrate
from core.logbook import MIGRATIONS, Fault, Logbook, find_faults, write_all
from core.tasks import Tasks
from tests.fakes.clock import FakeClock

_CHANGED = "changed: its content does not match its hash"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    clock = FakeClock()
    tasks = Tasks(clock)
    database = Database(tmp_path / "state.db", MIGRATIONS, clock=clock, tasks=tasks)
    await database.start()
    yield database
    await database.stop()
    await tasks.stop()


@pytest.fixture
def logbook(database: Database) -> Logbook:
    return Logbook(database, FakeClock())


async def _fill(logbook: Logbook, count: int) -> None:
    for index in range(count):
        await logbook.append("alert.firing", f"alert/{index % 2}", {"index": index})


async def test_entries_are_read_back_in_order(logbook: Logbook) -> None:
    await _fill(logbook, 5)
    await logbook.append("operation.started", "operation/x", {"ä": "ö"}, actor="mia")
    assert [entry.number for entry in await logbook.read()] == [1, 2, 3, 4, 5, 6]
    assert [entry.number for entry in await logbook.read(after=4, limit=1)] == [5]
    assert [entry.number for entry in await logbook.read(limit=2, newest=True)] == [5, 6]
    assert [entry.number for entry in await logbook.read(subject="alert/1")] == [2, 4]
    assert [entry.actor for entry in await logbook.read(kind="operation.")] == ["mia"]
    assert await logbook.read(kind="alert") == []
    assert await logbook.verify() == []


async def test_entries_that_are_written_together_are_one_chain_and_keep_their_place(
    database: Database, logbook: Logbook
) -> None:
    counts: list[object] = []

    def count(connection: Connection) -> None:
        counts.append(connection.execute(text("SELECT max(number) FROM logbook_entry")).scalar())

    await _fill(logbook, 1)
    first, second, third = (logbook.appending("alert.firing", f"alert/{index}", {"n": index}) for index in range(3))
    await database.write(lambda connection: write_all(connection, [first, second, count, third]))
    assert counts == [3]
    assert [entry.subject for entry in await logbook.read(after=1)] == ["alert/0", "alert/1", "alert/2"]
    assert await logbook.verify() == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE logbook_entry SET data = '{}' WHERE number = 3", Fault(3, _CHANGED)),
        ("UPDATE logbook_entry SET time = time + 1 WHERE number = 1", Fault(1, _CHANGED)),
        ("DELETE FROM logbook_entry WHERE number = 3", Fault(3, "removed: entry 3 is missing")),
        ("DELETE FROM logbook_entry WHERE number IN (2, 3)", Fault(2, "removed: entries 2 to 3 are missing")),
        ("DELETE FROM logbook_entry WHERE number = 5", Fault(5, "removed: the last entry was 5, the end is missing")),
        ("DELETE FROM logbook_entry", Fault(1, "removed: the last entry was 5, the end is missing")),
        (
            "INSERT INTO logbook_entry SELECT 6, time, kind, subject, actor, data, hash, hash"
            " FROM logbook_entry WHERE number = 5",
            Fault(6, _CHANGED),
        ),
    ],
)  # fmt: skip
async def test_tampering_is_found_and_named(database: Database, logbook: Logbook, statement: str, fault: Fault) -> None:
    await _fill(logbook, 5)
    await database.write(lambda connection: connection.execute(text(statement)) and None)
    assert (await logbook.verify())[0] == fault


async def test_forged_entry_that_fits_its_own_hash_is_found(database: Database, logbook: Logbook) -> None:
    await _fill(logbook, 3)
    entry = (await logbook.read())[1]
    await _fill(logbook, 1)
    forged = {"previous": "f" * 64, "number": entry.number}
    await database.write(
        lambda c: (
            c.execute(text("UPDATE logbook_entry SET previous = :previous WHERE number = :number"), forged) and None
        )
    )
    assert Fault(2, "inserted or out of order: it does not follow from the entry before") in await logbook.verify()


def test_any_single_changed_field_is_found() -> None:
    engine = create_engine("sqlite://")
    columns = ("time", "kind", "subject", "actor", "data", "previous", "hash")
    for column in columns:
        for number in (1, 2, 3):
            with engine.begin() as connection:
                connection.execute(text("DROP TABLE IF EXISTS schema_migration"))
                connection.execute(text("DROP TABLE IF EXISTS logbook_entry"))
                connection.execute(text("DROP TABLE IF EXISTS logbook_head"))
                migrate(connection, MIGRATIONS)
                logbook = Logbook.__new__(Logbook)
                logbook._clock = FakeClock()
                for index in range(3):
                    logbook.appending("k", "s", {"index": index})(connection)
                assert list(find_faults(connection)) == []
                connection.execute(
                    text(f"UPDATE logbook_entry SET {column} = '0' WHERE number = :number"), {"number": number}
                )
                assert any(fault.number in (number, number + 1) for fault in find_faults(connection))
    engine.dispose()


async def test_a_span_of_time_is_found_however_long_the_logbook_is(database: Database) -> None:
    clock = FakeClock()
    logbook, start = Logbook(database, clock), clock.now()
    for _ in range(50):
        await logbook.append("x", "y", {})
        await clock.advance(10)
    assert [entry.number for entry in await logbook.between(start + 100, start + 130)] == [11, 12, 13, 14]
    assert await logbook.between(0, start - 1) == []
    assert await logbook.between(start + 1000, start + 2000) == []
    assert len(await logbook.between(0, start + 2000, limit=7)) == 7
