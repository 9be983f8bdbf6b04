"""The watchdog is fed only while collection and evaluation make progress: a timer alone would feed a dead loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.tasks import Tasks
from daemon.systemd import Notifier


@dataclass(frozen=True, slots=True)
class Progress:
    """A part of the daemon that must move on.

    Attributes:
        name: what it is, for the log.
        last: gives the monotonic time of its last step.
        allowed_seconds: gives how long it may take between two steps, by the configuration that runs now.
    """

    name: str
    last: Callable[[], float]
    allowed_seconds: Callable[[], float]


def stalled(parts: Sequence[Progress], now: float) -> str | None:
    """Return what has not moved for too long, and for how long; None while all make progress.

    Args:
        now: monotonic seconds.
    """
    for part in parts:
        idle = now - part.last()
        allowed = part.allowed_seconds()
        if idle > allowed:
            return f"{part.name} made no progress for {idle:.0f} s (allowed are {allowed:.0f} s)"
    return None


class Watchdog:
    """Tells the service manager that we live, at least three times in each of its periods."""

    name = "watchdog"

    def __init__(
        self,
        parts: Sequence[Progress],
        notifier: Notifier,
        *,
        clock: Clock,
        tasks: Tasks,
        on_stall: Callable[[str | None], None],
    ) -> None:
        self._parts = tuple(parts)
        self._notifier = notifier
        self._clock = clock
        self._tasks = tasks
        self._on_stall = on_stall

    async def start(self) -> None:
        """Begin to look."""
        self._tasks.spawn(self._run, name="watchdog")

    async def stop(self) -> None:
        """Nothing to release: the task ends with all others."""

    async def _run(self) -> None:
        period = self._notifier.watchdog_seconds
        pause = min(10.0, period / 3) if period else 10.0
        while True:
            reason = stalled(self._parts, self._clock.monotonic())
            self._on_stall(reason)
            if reason is None:
                self._notifier.watchdog()
            await self._clock.sleep(pause)
