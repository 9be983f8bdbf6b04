"""Moments as people write them when they ask who is on call, or stand in. Pure."""

from __future__ import annotations

from datetime import datetime

from alerting.local_time import Zone, moment_of
from core.duration import parse_duration
from core.errors import UserError

_EARLIEST, _LATEST = 0.0, 7_258_118_400.0  # the years 1970 to 2199
_REMEDY = "write 'now', '+8h', '2026-12-24 09:00', '2026-12-24T09:00:00Z' or Unix seconds"


def parse_moment(text: str, zone: Zone, now: float) -> float:
    """Return the moment that a text means, in Unix seconds.

    Args:
        text: `now`, `+8h` from now on, Unix seconds, or date and time; those of `zone` where they name none.
    Raises: UserError: it means none.
    """
    written = text.strip()
    if written == "now":
        return now
    moment = now + parse_duration(written[1:]) if written.startswith("+") else _absolute(written, zone)
    if not _EARLIEST <= moment < _LATEST:
        raise UserError(f"{text[:40]!r} is too far away; {_REMEDY}")
    return moment


def _absolute(text: str, zone: Zone) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
        return moment_of(moment.replace(microsecond=0), zone)
    except (ValueError, OverflowError):
        raise UserError(f"{text[:40]!r} is no moment; {_REMEDY}") from None
