"""An engine that keeps its memory in an object, so that a test can crash and restart what uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from actions.engine import Drive, RunState
from actions.operation import JSON
from core.tasks import OnCrash, Tasks


class EngineMemory:
    """What would be on the disk: the answers of finished calls and which runs have begun and ended."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[str, JSON]]] = {}
        self.over: set[str] = set()


class FakeEngine:
    """Implements Engine.

    Args:
        before_call, after_call: called around each call that is really made, with its name; may raise `Crash`.
    """

    def __init__(
        self,
        tasks: Tasks,
        memory: EngineMemory | None = None,
        *,
        before_call: Callable[[str], None] = lambda _name: None,
        after_call: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._tasks = tasks
        self.memory = memory or EngineMemory()
        self._before_call = before_call
        self._after_call = after_call
        self._drive: Drive | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self.started = 0

    async def start(self, drive: Drive) -> None:
        self._drive = drive
        self.started += 1
        for run_id in list(self.memory.answers):
            if run_id not in self.memory.over:
                self._spawn(run_id)

    async def run(self, run_id: str) -> None:
        if run_id not in self.memory.answers:
            self.memory.answers[run_id] = []
            self._spawn(run_id)

    async def state(self, run_id: str) -> str:
        if run_id not in self.memory.answers:
            return RunState.UNKNOWN
        return RunState.OVER if run_id in self.memory.over else RunState.UNDER_WAY

    async def stop(self) -> None:
        for task in self._running.values():
            task.cancel()
        if self._running:
            await asyncio.wait(set(self._running.values()))
        self._running.clear()

    def _spawn(self, run_id: str) -> None:
        self._running[run_id] = self._tasks.spawn(
            lambda: self._run(run_id), name=f"run-{run_id}", on_crash=OnCrash.FORGET
        )

    async def _run(self, run_id: str) -> None:
        assert self._drive is not None
        replay = list(self.memory.answers[run_id])

        async def call(name: str, step: Callable[[], Coroutine[Any, Any, JSON]]) -> JSON:
            if replay:
                recorded, answer = replay.pop(0)
                assert recorded == name, f"the run took another course: {name!r} where it was {recorded!r}"
                return answer
            self._before_call(name)
            answer = await step()
            self._after_call(name)
            self.memory.answers[run_id].append((name, answer))
            return answer

        await self._drive(run_id, call)
        self.memory.over.add(run_id)
