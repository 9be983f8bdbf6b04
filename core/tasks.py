"""The one place where background tasks are made: named, counted, and never silently gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from random import random
from typing import Any

from core.backoff import backoff_seconds
from core.clock import Clock

_log = logging.getLogger(__name__)


class OnCrash(Enum):
    """What becomes of a task whose coroutine raises."""

    RESTART = "restart"
    """Start it again after a pause that grows with each crash (1 s to 1 min)."""

    STOP_DAEMON = "stop_daemon"
    """Nothing useful is left without it: the daemon stops with an error, and its supervisor restarts it."""

    FORGET = "forget"
    """One piece of work among many; its loss is logged and counted."""


class Tasks:
    """Makes tasks and ends them.

    Args:
        on_crash: called with the task's name and the error after each crash, for counting.
        on_fatal: called when a task that the daemon cannot live without has crashed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        on_crash: Callable[[str, BaseException], None] = lambda _name, _error: None,
        on_fatal: Callable[[str, BaseException], None] = lambda _name, _error: None,
    ) -> None:
        self._clock = clock
        self._on_crash = on_crash
        self._on_fatal = on_fatal
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(
        self, run: Callable[[], Awaitable[None]], *, name: str, on_crash: OnCrash = OnCrash.RESTART
    ) -> asyncio.Task[None]:
        """Start `run()` in the background and return its task; cancel the task to end it early.

        `run` is called again after a crash where `on_crash` says so; a normal return ends the task.
        """
        task = asyncio.create_task(self._guard(run, name, on_crash), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def names(self) -> list[str]:
        """The names of the tasks that are running, sorted."""
        return sorted(task.get_name() for task in self._tasks)

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Cancel every task and wait for their ends, at most `timeout_seconds`; what still runs is named in the log."""
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        _, pending = await asyncio.wait(tasks, timeout=timeout_seconds)
        for task in pending:
            _log.error("task %s did not end within %.1f s", task.get_name(), timeout_seconds)

    async def _guard(self, run: Callable[[], Awaitable[None]], name: str, on_crash: OnCrash) -> None:
        crashes = 0
        while True:
            try:
                return await run()
            except Exception as error:  # noqa: BLE001 - the last line of defence of every task
                crashes += 1
                _log.exception("task %s crashed (%s)", name, on_crash.value)
                self._on_crash(name, error)
                if on_crash is OnCrash.STOP_DAEMON:
                    self._on_fatal(name, error)
                if on_crash is not OnCrash.RESTART:
                    return None
            await self._clock.sleep(backoff_seconds(crashes, cap_seconds=60.0, random=random))


async def cancel_and_wait(task: asyncio.Task[Any] | None) -> None:
    """End one task and return when it has ended; does nothing for None or a finished task."""
    if task is None or task.done():
        return
    task.cancel()
    await asyncio.wait({task})
