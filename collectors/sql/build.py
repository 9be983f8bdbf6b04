"""Makes a collector of each entry in `sql`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from collectors.collector import Collector
from collectors.config_problem import build_each, config_error
from collectors.context import CollectorContext
from collectors.sql import postgresql
from collectors.sql.collector import SqlCollector
from collectors.sql.config import SqlConfig
from collectors.sql.source import SqlSource
from collectors.sql.sqlite import SqliteSource
from core.yaml_file import Path_


def build(config: Sequence[SqlConfig], context: CollectorContext) -> Sequence[Collector]:
    """Make the collectors."""
    return build_each("sql", config, lambda one, path: [_collector(one, context, path)])


def _collector(config: SqlConfig, context: CollectorContext, path: Path_) -> SqlCollector:
    interval = config.interval or context.interval_seconds
    timeout = config.timeout or min(context.timeout_seconds, interval)
    if timeout > interval:
        message = f"{timeout:g} s is longer than the interval of {interval:g} s; shorten it, or set interval"
        raise config_error((*path, "timeout"), message)
    return SqlCollector(
        config,
        _source(config, context.base, timeout, path),
        context.clock,
        interval_seconds=interval,
        timeout_seconds=timeout,
        signature=(config, interval, timeout, context.base),
    )


def _source(config: SqlConfig, base: Path, timeout_seconds: float, path: Path_) -> SqlSource:
    parts = urlsplit(config.url)
    if parts.scheme == "sqlite":
        if config.password_file is not None:
            raise config_error((*path, "password_file"), "means nothing for SQLite; remove it")
        return SqliteSource(base / unquote(parts.path[1:]))
    if not postgresql.has_driver():
        raise config_error((*path, "url"), postgresql.MISSING_DRIVER)
    password_file = None if config.password_file is None else base / config.password_file
    if password_file is not None:
        _check_readable(password_file, (*path, "password_file"))
    return postgresql.PostgresqlSource(config.url, password_file, timeout_seconds)


def _check_readable(file: Path, path: Path_) -> None:
    try:
        file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        remedy = "check the path and that the daemon's user may read it"
        raise config_error(path, f"cannot read {str(file)!r}: {why}; {remedy}") from error
