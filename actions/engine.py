"""The durable executor of operations: DBOS, and the only module that names it.

What DBOS does here: it remembers which runs are under way and what each of their steps gave, and starts the unfinished
ones again after a crash. What an operation is, what API and console show, and every decision, is in our own tables.
Correctness does not hang on what DBOS remembers: steps observe before they act, so that a run whose memory was lost
is simply started anew under the next number.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from actions.operation import JSON
from core.errors import PermanentError

_log = logging.getLogger(__name__)

PROTOCOL_VERSION = "1"
"""The order and names of the calls a run makes. Raised only when runs of an older version could not be continued."""

StepCall = Callable[[str, Callable[[], Coroutine[Any, Any, JSON]]], Awaitable[JSON]]
"""Calls a named step of a run, unless an earlier execution of the same run has finished it: then its answer is given
again without calling."""

Drive = Callable[[str, StepCall], Awaitable[None]]
"""Carries out one run. Its course may depend on nothing but what its steps gave."""


class RunState:
    """What an engine knows of a run."""

    UNKNOWN = "unknown"
    UNDER_WAY = "under way"
    OVER = "over"


class Engine(Protocol):
    """Executes runs so that a crash interrupts but does not end them."""

    async def start(self, drive: Drive) -> None:
        """Begin; runs that a crash interrupted go on by themselves.

        Raises: PermanentError: the engine's own record cannot be opened, with the remedy.
        """

    async def run(self, run_id: str) -> None:
        """Start a run; nothing happens if it was started before."""

    async def state(self, run_id: str) -> str:
        """Return one of RunState."""

    async def stop(self) -> None:
        """Interrupt all runs where they are; the next start continues them."""


class DbosEngine:
    """DBOS over a SQLite file of its own, in the daemon's event loop.

    Its import costs 0.4 s and 45 MB where nothing else has loaded SQLAlchemy (28 MB in the daemon), so that `start`
    is only called when there is something to execute. There is one DBOS in a process: start a second engine only
    after the first has stopped.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._dbos: ModuleType | None = None
        self._drives: set[asyncio.Task[Any]] = set()

    async def start(self, drive: Drive) -> None:
        """Open the file and continue what was interrupted."""
        dbos = await asyncio.to_thread(_load)
        _current.drive = drive
        _current.tasks = self._drives
        try:
            _open(dbos, self._file)
        except Exception as error:
            await asyncio.to_thread(dbos.DBOS.destroy)
            reason = getattr(error, "orig", None) or error
            remedy = "move the file away: operations continue from the state database"
            raise PermanentError(f"{self._file}: the engine's record does not open: {reason}; {remedy}") from error
        self._dbos = dbos

    async def run(self, run_id: str) -> None:
        """Start a run under its name, which DBOS accepts once."""
        dbos = self._need()
        with dbos.SetWorkflowID(run_id):
            await dbos.DBOS.start_workflow_async(_workflow(), run_id)

    async def state(self, run_id: str) -> str:
        """Tell whether DBOS will carry the run on."""
        status = await self._need().DBOS.get_workflow_status_async(run_id)
        if status is None:
            return RunState.UNKNOWN
        return RunState.UNDER_WAY if status.status in ("PENDING", "ENQUEUED", "DELAYED") else RunState.OVER

    async def stop(self) -> None:
        """Interrupt the runs, then end DBOS and its threads (about 0.9 s)."""
        dbos, self._dbos = self._dbos, None
        if dbos is None:
            return
        for task in self._drives:
            task.cancel()
        if self._drives:
            await asyncio.wait(set(self._drives), timeout=2.0)
        # DBOS makes its own thread pool the event loop's and shuts it down; the rest of the daemon needs one.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        await asyncio.to_thread(dbos.DBOS.destroy)
        _current.drive = None

    def _need(self) -> ModuleType:
        if self._dbos is None:
            raise PermanentError("the engine of operations is not running")
        return self._dbos


class _Current:
    """Where the one workflow function, registered once in a process, finds the engine that is running now."""

    def __init__(self) -> None:
        self.drive: Drive | None = None
        self.tasks: set[asyncio.Task[Any]] = set()


_current = _Current()


def _load() -> ModuleType:
    import dbos  # noqa: PLC0415 - 28 MB that a daemon without operations does not pay

    return dbos


def _open(dbos: ModuleType, file: Path) -> None:
    _workflow()
    config = {
        "name": "watchkeeper",
        "system_database_url": f"sqlite:///{file}",
        "application_version": PROTOCOL_VERSION,
        "executor_id": "local",
        "run_admin_server": False,
        "log_level": "CRITICAL",
        "max_executor_threads": 16,
    }
    dbos.DBOS(config=config)
    dbos.DBOS.launch()


@functools.cache
def _workflow() -> Callable[[str], Coroutine[Any, Any, None]]:
    """Register the workflow; a crashing daemon may try as often as it likes, so no attempt is the last one."""
    dbos = _load()
    decorate = dbos.DBOS.workflow(name="watchkeeper.operation", max_recovery_attempts=None)
    workflow: Callable[[str], Coroutine[Any, Any, None]] = decorate(_operate)
    return workflow


async def _operate(run_id: str) -> None:
    drive, task = _current.drive, asyncio.current_task()
    assert drive is not None
    assert task is not None
    _current.tasks.add(task)
    try:
        await drive(run_id, _call)
    finally:
        _current.tasks.discard(task)


async def _call(name: str, step: Callable[[], Coroutine[Any, Any, JSON]]) -> JSON:
    async def called() -> JSON:  # DBOS tells by the function itself whether it is to be awaited
        return await step()

    return await _load().DBOS.run_step_async({"name": name}, called)
