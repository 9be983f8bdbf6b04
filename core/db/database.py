"""The state database: one SQLite file in WAL mode behind one writer thread that groups commits.

A lone durable commit costs about a millisecond, a hundred together hardly more; so every write waits for its group's
commit and returns when its change is on the disk. A write that fails is undone alone (savepoint); when the disk
itself fails, the whole group fails with StoreUnavailableError, the database says why in `trouble`, and a probe finds
out by itself when writing works again.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from core.clock import Clock
from core.db.migration import Migration, migrate
from core.errors import PermanentError, StoreUnavailableError
from core.tasks import Tasks

_log = logging.getLogger(__name__)

GROUP_LIMIT = 500
PROBE_SECONDS = 2.0
LOCK_WAIT_SECONDS = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the database cannot be written now, and since when (Unix seconds)."""

    reason: str
    since: float


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    done: Future[Any]


_Outcome: TypeAlias = tuple[_Job, Any, BaseException | None]
"""A job, its result, and what it raised."""


def _tell(outcomes: list[_Outcome]) -> None:
    for job, result, failure in outcomes:
        if failure is None:
            job.done.set_result(result)
        else:
            job.done.set_exception(failure)


class Database:
    """Runs functions on the state database: one at a time for writing, in other threads for reading.

    Args:
        path: the SQLite file; its folder must exist.
        migrations: of all packages, each package's in order.
        on_trouble: called, in the writer thread, with each new trouble and with None when it is over.
    """

    name = "state database"

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        *,
        clock: Clock,
        tasks: Tasks,
        on_trouble: Callable[[Trouble | None], None] = lambda _trouble: None,
    ) -> None:
        self._path = path
        self._migrations = tuple(migrations)
        self._clock = clock
        self._tasks = tasks
        self._on_trouble = on_trouble
        self._trouble: Trouble | None = None
        self._writer_engine = _engine(path, begin="BEGIN IMMEDIATE")
        self._reader_engine = _engine(path, begin="BEGIN")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._probe: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> Trouble | None:
        """Why writing fails now; None while all is well."""
        return self._trouble

    async def start(self) -> None:
        """Open the file, bring its schema up to date and start the writer.

        Raises: StoreUnavailableError, PermanentError: the file cannot be opened or is not ours.
        """
        await asyncio.to_thread(self._prepare)
        self._thread = threading.Thread(target=self._run_writer, name="state-writer", daemon=True)
        self._thread.start()
        self._probe = self._tasks.spawn(self._probe_trouble, name="state-probe")

    async def stop(self) -> None:
        """Finish the writes that are queued and close the file."""
        if self._probe is not None:
            self._probe.cancel()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join, 5.0)
        self._writer_engine.dispose()
        self._reader_engine.dispose()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result once that is durably committed.

        `work` runs in the writer thread and must be quick. Whatever it raises undoes its own change only and is
        raised here.

        Raises: StoreUnavailableError: the change could not be made durable; nothing of it is kept.
        """
        if self._thread is None:
            raise StoreUnavailableError("the state database is closed")
        job = _Job(work, Future())
        self._jobs.put(job)
        return cast(T, await asyncio.shield(asyncio.wrap_future(job.done)))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a consistent view of the last commit, in a thread of its own.

        Raises: StoreUnavailableError: the file cannot be read now.
        """

        def run() -> T:
            try:
                with self._reader_engine.connect() as connection:
                    return work(connection)
            except DatabaseError as error:
                if not _is_storage_failure(error):
                    raise
                self._reader_engine.dispose()
                raise StoreUnavailableError(f"the state database cannot be read: {_reason(error)}") from error

        return await asyncio.to_thread(run)

    def _prepare(self) -> None:
        try:
            with self._writer_engine.begin() as connection:
                migrate(connection, self._migrations)
        except OperationalError as error:
            raise StoreUnavailableError(f"{self._path}: {_reason(error)}") from error
        except DatabaseError as error:
            remedy = "move the file away or restore it from a backup"
            raise PermanentError(f"{self._path}: {_reason(error)}; {remedy}") from error

    def _run_writer(self) -> None:
        while True:
            group = self._next_group()
            if group is None:
                return
            try:
                outcomes = self._run_group(group)
            except Exception as error:  # noqa: BLE001 - the writer thread must outlive any failure
                self._fail(group, error)
            else:
                self._set_trouble(None)
                _tell(outcomes)

    def _next_group(self) -> list[_Job] | None:
        """Wait for work and take all that is queued; None when the writer shall end."""
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP_LIMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return group

    def _run_group(self, group: list[_Job]) -> list[_Outcome]:
        """Run the jobs in one transaction and return, after its commit, what came of each."""
        outcomes: list[_Outcome] = []
        with self._writer_engine.begin() as connection:
            for job in group:
                if not job.done.set_running_or_notify_cancel():
                    continue
                savepoint = connection.begin_nested()
                try:
                    result = job.work(connection)
                except Exception as error:
                    if _is_storage_failure(error):
                        raise
                    savepoint.rollback()
                    outcomes.append((job, None, error))
                else:
                    savepoint.commit()
                    outcomes.append((job, result, None))
        return outcomes

    def _fail(self, group: list[_Job], error: Exception) -> None:
        reason = _reason(error)
        if not _is_storage_failure(error):
            _log.error("state database: a group of writes failed", exc_info=error)
        self._writer_engine.dispose()  # a connection that saw an I/O error may not be trusted again
        self._set_trouble(Trouble(reason, self._clock.now()))
        for job in group:
            if not job.done.done():
                job.done.set_exception(StoreUnavailableError(f"the state database cannot be written: {reason}"))

    def _set_trouble(self, trouble: Trouble | None) -> None:
        before, now = self._trouble, trouble
        if before is not None and now is not None and before.reason == now.reason:
            return
        self._trouble = now
        if before is not now:
            if now is not None:
                _log.error("state database: cannot be written: %s", now.reason)
            else:
                _log.warning("state database: can be written again")
            self._on_trouble(now)

    async def _probe_trouble(self) -> None:
        """While there is trouble, try a small write now and then, so that recovery needs no hand and no traffic."""
        while True:
            await self._clock.sleep(PROBE_SECONDS)
            if self._trouble is not None:
                try:
                    await self.write(_touch)
                except StoreUnavailableError as error:
                    _log.debug("state database: %s", error)


def _touch(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)"))
    connection.execute(text("INSERT INTO probe VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1"))


def _engine(path: Path, *, begin: str) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": LOCK_WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


_STORAGE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def _is_storage_failure(error: BaseException) -> bool:
    """Tell a failing disk or lock from a mistake in one statement: SQLite reports both as operational errors."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _STORAGE_CODES


def _reason(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error) or type(error).__name__
