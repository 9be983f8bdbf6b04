"""When a source is due: spread over the interval, never late in a pile. Pure."""

from __future__ import annotations

import math
from hashlib import blake2b

QUICK_SOURCES = frozenset({"system", "own"})
"""This machine's own sources, which a person who has just started the daemon wants to see at once."""

QUICK_SECONDS = 0.5


def first_due(source: str, now: float, interval_seconds: float) -> float:
    """Return when a source that is new at `now` is read first.

    The place within the interval comes from the source's name alone, so that it is the same after each restart and
    many targets do not all fall due at the same moment.
    """
    spread = min(interval_seconds, QUICK_SECONDS) if source in QUICK_SOURCES else interval_seconds
    return now + spread * _fraction(source)


def next_due(due: float, now: float, interval_seconds: float) -> tuple[float, int]:
    """Return the first due time after `now` on the grid of `due`, and how many were missed before it."""
    missed = max(0, math.floor((now - due) / interval_seconds))
    return due + (missed + 1) * interval_seconds, missed


def _fraction(source: str) -> float:
    digest = blake2b(source.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
