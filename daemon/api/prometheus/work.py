"""Work for questions, in threads: a few at a time, each within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from core.clock import Clock
from metrics.promql.error import QueryTimeoutError

AT_ONCE = 2
"""Questions that are worked on at the same time; the threads are shared with the state database."""

LONGEST_SECONDS = 120.0
"""How long a question may take where it names no shorter time, as in Prometheus."""

T = TypeVar("T")


class Deadline:
    """When the time for a question is over; may be asked from any thread."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    @property
    def left_seconds(self) -> float:
        """How long it still is; below 0 once it has passed."""
        return self._end - self._clock.monotonic()

    def is_over(self) -> bool:
        """Tell whether it has passed."""
        return self.left_seconds <= 0


class Worker:
    """Runs work in threads, so that a heavy question holds up neither collection and alerting nor other questions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = asyncio.Semaphore(AT_ONCE)

    def deadline(self, seconds: float = LONGEST_SECONDS) -> Deadline:
        """Return the end of the time for a question that comes in now."""
        return Deadline(self._clock, min(seconds, LONGEST_SECONDS))

    async def run(self, work: Callable[[], T], deadline: Deadline) -> T:
        """Return what the work returns.

        Work that is still under way when its time is over goes on to its next look at the deadline, and keeps its
        place until then.

        Raises: QueryTimeoutError: the time is over.
        """
        if deadline.is_over():
            raise QueryTimeoutError("the query timed out before it was begun; give a longer 'timeout'")
        try:
            async with asyncio.timeout(deadline.left_seconds):
                await self._turn.acquire()
        except TimeoutError:
            reason = "the query timed out while it waited for others to end; try again, or give a longer 'timeout'"
            raise QueryTimeoutError(reason) from None
        future = asyncio.get_running_loop().run_in_executor(None, work)
        future.add_done_callback(self._end)
        done, _ = await asyncio.wait([future], timeout=max(0.0, deadline.left_seconds))
        if not done:
            raise QueryTimeoutError("the query took longer than it may; select fewer series or a shorter range")
        return future.result()

    def _end(self, future: asyncio.Future[T]) -> None:
        self._turn.release()
        if not future.cancelled():
            future.exception()  # nobody may be left to ask for it
