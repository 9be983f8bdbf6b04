"""What the collector asks of a database, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import TransientError


class SqlError(TransientError):
    """The database cannot be reached, or refused the query; the message is the database's own, in one line."""


class ConnectionLostError(SqlError):
    """The connection is gone: no other query can succeed on it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class SqlSource(Protocol):
    """A database that is asked read-only.

    Attributes:
        keeps_connection: whether the connection stays from one collection to the next.
    """

    keeps_connection: bool

    async def connect(self, timeout_seconds: float) -> None:
        """Make sure that there is a connection.

        Raises: SqlError: there is none.
        """

    async def query(self, text: str, max_rows: int) -> Rows:
        """Return at most `max_rows` + 1 rows; one more than asked for tells that there are more.

        Raises: SqlError: the query failed; ConnectionLostError: so will all others.
        """

    async def disconnect(self) -> None:
        """Release the connection; the next `connect` makes a new one. Also ends a query that is under way."""


def one_line(text: str) -> str:
    """Return an error's text in one line of bounded length."""
    return " ".join(text.split())[:300]
