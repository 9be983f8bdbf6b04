"""A clock that stands still until a test turns it."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

START = 1_700_000_000.0
QUIET_ROUNDS = 5
"""After so many rounds in which nobody but the asker ran, everybody waits; sockets are looked at in each of them."""


class FakeClock:
    """Implements core.clock.Clock; sleepers wake only through `advance`."""

    def __init__(self, now: float = START) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    def jump(self, seconds: float) -> None:
        """Step the wall clock alone, as NTP may."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass; sleepers wake in order, each at its own moment, and run until they wait again."""
        await settle()
        end = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now += due - self._monotonic
            self._monotonic = due
            if not future.done():
                future.set_result(None)
            await settle()
        self._now += end - self._monotonic
        self._monotonic = end
        await settle()


async def settle(rounds: int = 50) -> None:
    """Let every task that can run now do so, in at most so many rounds."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # nothing public tells that all wait
    quiet = 0
    for _ in range(rounds):
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1
        if quiet == QUIET_ROUNDS:
            return
