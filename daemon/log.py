"""Log lines on standard error: for a person, for the journal, or as JSON for a log store."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

_SYSLOG_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return f"{moment}Z {record.levelname.lower():7} {record.name}: {_message(self, record)}"


class _JournalFormatter(logging.Formatter):
    """The journal keeps the time itself and reads the priority from `<n>` (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_SYSLOG_PRIORITY.get(record.levelno, 6)}>"
        lines = f"{record.name}: {_message(self, record)}".splitlines()
        return "\n".join(prefix + line for line in lines)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": moment, "level": record.levelname.lower(), "logger": record.name}
        return json.dumps({**fields, "message": _message(self, record)}, ensure_ascii=False)


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + formatter.formatException(record.exc_info)
    return message


def set_up_logging(
    *, level: str, form: str, stream: TextIO = sys.stderr, environment: Mapping[str, str] = os.environ
) -> None:
    """Send all log records to `stream`.

    Args:
        level: debug, info, warning or error.
        form: text or json; text becomes the journal's form where the stream goes there.
    """
    formatter: logging.Formatter
    if form == "json":
        formatter = _JsonFormatter()
    elif "JOURNAL_STREAM" in environment:
        formatter = _JournalFormatter()
    else:
        formatter = _TextFormatter()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line for every request is the access log of a web server; we are none. The libraries say too much at info.
    for name in ("aiohttp.access", "asyncio", "dbos"):
        logging.getLogger(name).setLevel(logging.WARNING)
