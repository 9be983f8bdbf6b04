"""Where time comes from, so that a test can turn it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is written down, monotonic time for what is measured, and sleep."""

    def now(self) -> float:
        """Return the wall time in Unix seconds."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, whatever happens to the wall clock."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` on the monotonic clock."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Return the wall time in Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever grow, whatever happens to the wall clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` on the monotonic clock."""
        await asyncio.sleep(max(0.0, seconds))
