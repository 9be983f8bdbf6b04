"""Business metrics: a query per metric, against SQLite and PostgreSQL, read-only."""

from collectors.sql.plugin import SqlPlugin

__all__ = ["SqlPlugin"]
