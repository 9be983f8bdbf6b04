"""PostgreSQL through asyncpg, which is an extra: it is imported only when such a database is configured."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from collectors.sql.source import ConnectionLostError, Rows, SqlError, one_line

MISSING_DRIVER = "needs the package asyncpg, which is not installed; install watchkeeper[postgresql]"


def has_driver() -> bool:
    """Tell whether asyncpg is installed, without importing it (5 MB)."""
    return find_spec("asyncpg") is not None


class PostgresqlSource:
    """Keeps one connection open between collections; every transaction on it is read-only."""

    keeps_connection = True

    def __init__(self, url: str, password_file: Path | None, statement_seconds: float) -> None:
        self._url = url
        self._password_file = password_file
        self._statement_ms = max(1, round(statement_seconds * 1000))
        self._connection: Any = None

    async def connect(self, timeout_seconds: float) -> None:
        """Make a connection, unless the one from before still stands."""
        if self._connection is not None and not self._connection.is_closed():
            return
        asyncpg = _driver()
        password = await self._password()
        try:
            self._connection = await asyncpg.connect(
                self._url,
                password=password,
                timeout=timeout_seconds,
                # A pooler such as pgbouncer may give each transaction another connection.
                statement_cache_size=0,
                server_settings={
                    "application_name": "watchkeeper",
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(self._statement_ms),
                },
            )
        except TimeoutError as error:
            raise SqlError(f"no connection within {timeout_seconds:g} s") from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise SqlError(one_line(_reason(error))) from error

    async def query(self, text: str, max_rows: int) -> Rows:
        """Run a query in a read-only transaction, by a cursor, so that no more rows travel than are wanted."""
        asyncpg = _driver()
        connection = self._connection
        if connection is None:
            raise SqlError("is not connected")
        try:
            async with connection.transaction(readonly=True):
                statement = await connection.prepare(text)
                columns = [attribute.name for attribute in statement.get_attributes()]
                cursor = await statement.cursor()
                rows = await cursor.fetch(max_rows + 1)
            return Rows(columns, [tuple(row.values()) for row in rows])
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            kind = ConnectionLostError if connection.is_closed() else SqlError
            raise kind(one_line(_reason(error))) from error

    async def disconnect(self) -> None:
        """Drop the connection at once; the server ends what runs on it by its statement timeout."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()
            await asyncio.sleep(0)  # let the transport close

    async def _password(self) -> str | None:
        if self._password_file is None:
            return None
        try:
            return (await asyncio.to_thread(self._password_file.read_text)).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SqlError(f"cannot read {self._password_file}: {error}") from error


def _driver() -> Any:
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, see above

    return asyncpg


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if "Connect call failed" not in error.strerror else "connection refused"
    return str(error) or type(error).__name__
