"""SQLite, opened read-only, in threads that can be interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote

from collectors.sql.source import Rows, SqlError, one_line
from collectors.thread import in_own_thread

_BUSY_SECONDS = 1.0
_CLOSE_SECONDS = 1.0


class SqliteSource:
    """Opens the file anew for each collection, because it may be replaced in between; that takes 0.1 ms."""

    keeps_connection = False

    def __init__(self, file: Path) -> None:
        self._file = file
        self._handle: _Handle | None = None

    async def connect(self, timeout_seconds: float) -> None:
        """Open the file and look into it, because SQLite itself looks only at the first query."""
        handle = self._handle = _Handle(self._file, min(_BUSY_SECONDS, timeout_seconds))
        try:
            await in_own_thread(handle.open, name="sqlite open")
        except sqlite3.Error as error:
            raise SqlError(f"cannot open {self._file}: {one_line(str(error))}") from error

    async def query(self, text: str, max_rows: int) -> Rows:
        """Run a query; `disconnect` interrupts it."""
        handle = self._handle
        if handle is None:
            raise SqlError("is not open")
        try:
            return await in_own_thread(lambda: handle.run(text, max_rows), name="sqlite query")
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise SqlError(one_line(str(error))) from error

    async def disconnect(self) -> None:
        """Interrupt what runs and close; a file system that hangs is not waited for."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await in_own_thread(handle.close, name="sqlite close")


class _Handle:
    """A connection that several threads use one after the other; only `close` may come in between."""

    def __init__(self, file: Path, busy_seconds: float) -> None:
        self._file = file
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()
        self._closing = False
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        with self._lock:
            if self._closing:
                return
            uri = f"file:{quote(str(self._file))}?mode=ro"
            self._connection = connection = sqlite3.connect(
                uri, uri=True, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
            )
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # ATTACH could create another file
            connection.execute("PRAGMA query_only = ON").close()
            connection.execute("SELECT count(*) FROM sqlite_master").close()

    def run(self, text: str, max_rows: int) -> Rows:
        with self._lock:
            if self._closing or self._connection is None:
                raise sqlite3.InterfaceError("is closed")
            with contextlib.closing(self._connection.execute(text)) as cursor:
                columns = [column[0] for column in cursor.description or ()]
                return Rows(columns, cursor.fetchmany(max_rows + 1))

    def close(self) -> None:
        self._closing = True
        # Once is not enough: an interrupt that comes before the query has begun is lost.
        while not self._lock.acquire(timeout=0.02):
            if self._connection is not None:
                self._connection.interrupt()
        try:
            if self._connection is not None:
                self._connection.close()
        finally:
            self._lock.release()
