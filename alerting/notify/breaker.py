"""When an address that fails again and again is left alone for a while. Pure.

Closed: every message is tried. After some failures in a row it opens: nothing is sent for a while. Then one message
tries it (half open); what becomes of it closes the breaker or opens it for longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

FAILURES = 5
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0


class Circuit(StrEnum):
    """What is done with a message."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of an address; times are monotonic seconds.

    Attributes:
        failures: in a row.
        opened_at: since when it is left alone; None while it is not.
        pause_seconds: how long it is left alone.
        is_trying: whether a trial is under way.
    """

    failures: int = 0
    opened_at: float | None = None
    pause_seconds: float = FIRST_PAUSE_SECONDS
    is_trying: bool = False

    def circuit(self, now: float) -> Circuit:
        """Return what a message would find."""
        if self.opened_at is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.is_trying or self.wait(now) > 0 else Circuit.HALF_OPEN

    def wait(self, now: float) -> float:
        """Return the seconds until the next trial; 0 where there may be one."""
        return 0.0 if self.opened_at is None else max(0.0, self.opened_at + self.pause_seconds - now)

    def trying(self) -> Breaker:
        """Return what it is while the trial of an open one is under way."""
        return replace(self, is_trying=self.opened_at is not None)

    def gave_up(self) -> Breaker:
        """Return what it is after a try that nothing came of, because we were stopped."""
        return replace(self, is_trying=False)

    def succeeded(self) -> Breaker:
        """Return what it is after an answer, also one that refused the message: the address works."""
        return Breaker()

    def failed(self, now: float) -> Breaker:
        """Return what it is after a failure."""
        failures = self.failures + 1
        if self.opened_at is not None:
            if not self.is_trying:
                return replace(self, failures=failures)
            longer = min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
            return Breaker(failures, now, longer)
        return Breaker(failures, now if failures >= FAILURES else None)
