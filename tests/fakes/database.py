"""A state database in memory that works at once, in the caller's thread; it outlives a restart of what uses it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, StaticPool, create_engine, event

from core.db.migration import Migration, migrate
from core.errors import StoreUnavailableError

T = TypeVar("T")


class InlineDatabase:
    """Has the `read` and `write` of core.db.database.Database.

    Attributes:
        down: while true, every write fails as it does on a full disk.
        work: how many reads and writes there were.
    """

    def __init__(self, migrations: Sequence[Migration]) -> None:
        self.down = False
        self.work = 0
        self._engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

        @event.listens_for(self._engine, "connect")
        def configure(connection: object, _record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]

        @event.listens_for(self._engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        with self._engine.begin() as connection:
            migrate(connection, migrations)

    async def write(self, work: Callable[[Connection], T]) -> T:
        self.work += 1
        if self.down:
            raise StoreUnavailableError("the state database cannot be written: the disk is full")
        with self._engine.begin() as connection:
            return work(connection)

    async def read(self, work: Callable[[Connection], T]) -> T:
        self.work += 1
        with self._engine.connect() as connection:
            return work(connection)

    def close(self) -> None:
        self._engine.dispose()
