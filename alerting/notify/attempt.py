"""One try to deliver a message, and what an HTTP answer to it means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum

MAX_RETRY_AFTER_SECONDS = 3600.0
_ANSWER_SHOWN_BYTES = 300


class Outcome(Enum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    """The receiver will not take this message, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver a message; `retry_after` in seconds where the receiver asked for a pause."""

    outcome: Outcome
    detail: str = ""
    retry_after: float = 0.0


def judge(status: int, headers: Mapping[str, str], answer: bytes, now: float) -> Attempt:
    """Return what an answer means: 2xx delivered; 408, 429 and 5xx try again; anything else is a refusal."""
    if 200 <= status < 300:
        return Attempt(Outcome.DELIVERED, f"status {status}")
    text = " ".join(answer[:_ANSWER_SHOWN_BYTES].decode(errors="replace").split())
    detail = f"status {status}" + (f": {text}" if text else "")
    if status in (408, 429) or status >= 500:
        return Attempt(Outcome.RETRY, detail, retry_after_seconds(headers.get("Retry-After", ""), now))
    return Attempt(Outcome.REJECTED, detail)


def retry_after_seconds(value: str, now: float) -> float:
    """Return the pause that a Retry-After header asks for, at most an hour; 0 where it asks for none."""
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return min(max(0.0, moment.timestamp() - now), MAX_RETRY_AFTER_SECONDS)
