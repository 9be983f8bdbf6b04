"""SQL statements that are put together once: SQLAlchemy spends more on a new `text()` than SQLite on running it."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import TextClause
from sqlalchemy import text as make_text


@lru_cache(maxsize=200)
def sql(statement: str) -> TextClause:
    """Return the statement with its bound names, made once."""
    return make_text(statement)
