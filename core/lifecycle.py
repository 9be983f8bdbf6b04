"""Starting components in order and stopping them in reverse, bounded, without skipping any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

_log = logging.getLogger(__name__)


class Component(Protocol):
    """A part of the daemon with a life of its own.

    `start` returns soon, leaving work to tasks. `stop` may be called before `start`, twice, and while `start` is
    under way; it leaves no task, file or socket behind.
    """

    @property
    def name(self) -> str:
        """What the component is called in logs."""

    async def start(self) -> None:
        """Begin work; raise when that is impossible."""

    async def stop(self) -> None:
        """End all work."""


class Lifecycle:
    """Starts components in order; stops those that were started in reverse order.

    Args:
        stop_timeout_seconds: the most that one component may take to stop before the next one's turn.
    """

    def __init__(self, components: Sequence[Component], *, stop_timeout_seconds: float = 3.0) -> None:
        self._components = tuple(components)
        self._started: list[Component] = []
        self._stop_timeout_seconds = stop_timeout_seconds

    async def start(self) -> None:
        """Start every component; when one fails, stop those before it and raise its error."""
        for component in self._components:
            self._started.append(component)
            try:
                await component.start()
            except BaseException:
                await self.stop()
                raise

    async def stop(self) -> None:
        """Stop in reverse order; a component that fails or hangs is logged and does not keep the others."""
        while self._started:
            component = self._started.pop()
            try:
                async with asyncio.timeout(self._stop_timeout_seconds):
                    await component.stop()
            except TimeoutError:
                _log.error("%s did not stop within %g s", component.name, self._stop_timeout_seconds)
            except Exception:  # noqa: BLE001 - the other components must stop all the same
                _log.exception("%s failed to stop", component.name)
