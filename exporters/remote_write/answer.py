"""What the answer of a receiver means. No I/O.

Source: Prometheus Remote-Write 1.0 specification, "Retries & Backoff": 5xx and 429 are tried again, other 4xx never.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

MAX_RETRY_AFTER_SECONDS = 300.0


class Verdict(Enum):
    """What becomes of a request."""

    TAKEN = "taken"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said.

    Attributes:
        status: of HTTP; 0 where no answer came.
        reason: for people, in one line.
        retry_after_seconds: how long it wants us to wait; 0 for no wish.
    """

    verdict: Verdict
    status: int = 0
    reason: str = ""
    retry_after_seconds: float = 0.0


def judge(status: int, text: str, retry_after: str, now: float) -> Answer:
    """Return what an HTTP answer means.

    Args:
        text: the beginning of the body.
        retry_after: that header, empty where absent.
        now: Unix seconds.
    """
    if 200 <= status < 300:
        return Answer(Verdict.TAKEN, status)
    lines = text.strip().splitlines()
    reason = f"status {status}" + (f": {lines[0][:200]}" if lines else "")
    if status >= 500 or status == 429:
        return Answer(Verdict.RETRY, status, reason, retry_after_seconds(retry_after, now))
    return Answer(Verdict.REFUSED, status, reason)


def retry_after_seconds(header: str, now: float) -> float:
    """Return the wish of a Retry-After header, at most five minutes; 0 where it says nothing."""
    header = header.strip()
    if not header:
        return 0.0
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    wish = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.fromtimestamp(now, UTC)
    seconds = wish.total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS) if math.isfinite(seconds) else 0.0
