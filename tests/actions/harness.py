"""Actions with a real state database, and with everything beyond it in memory."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from prometheus_client import CollectorRegistry

from actions.config import ActionsConfig
from actions.deployment.revision import History
from actions.migrations import MIGRATIONS
from actions.operation import Operation, OperationState
from actions.operations import Actions, Event
from core import logbook as logbook_module
from core.db.database import Database
from core.logbook import Entry, Logbook
from core.tasks import Tasks
from tests.fakes.actuators import FakeWorld
from tests.fakes.clock import FakeClock, settle
from tests.fakes.database import InlineDatabase
from tests.fakes.engine import EngineMemory, FakeEngine

SHOP: dict[str, Any] = {
    "runtime": {"process": {"argv": ["shop", "--port", "{port}"], "environment": {"VERSION": "{version}"}}},
    "ports": "19001-19006",
    "instances": 2,
    "health_check": {"http": {"path": "/healthz"}},
    "router": {"listen": "127.0.0.1:18080"},
}


def shop(policies: list[dict[str, Any]] | None = None, **changes: Any) -> ActionsConfig:
    """Return a config with the service shop in production."""
    services = {"shop": {"environments": {"production": {**SHOP, **changes}}}}
    return ActionsConfig.model_validate({"services": services, "policies": policies or []})


class QuickClock(FakeClock):
    """A FakeClock that goes straight to the next sleeper."""

    async def next(self, limit: float) -> None:
        due = min((sleeper[0] for sleeper in self._sleepers), default=self._monotonic + limit)
        step = max(0.0, min(due - self._monotonic, limit))
        self._now += step
        self._monotonic += step
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
        await settle(4)


class Harness:
    """Starts, crashes and restarts Actions over one state directory and one world."""

    def __init__(self, folder: Path, config: ActionsConfig) -> None:
        self.folder = folder
        self.config = config
        self.clock = QuickClock()
        self.world = FakeWorld(self.clock)
        self.memory = EngineMemory()
        self.events: list[Event] = []
        self.alerting: bool | None = False
        self.before_call: Callable[[str], None] = lambda _name: None
        self.after_call: Callable[[str], None] = lambda _name: None
        self.inline = InlineDatabase((*logbook_module.MIGRATIONS, *MIGRATIONS))
        self.database = cast(Database, self.inline)
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir(exist_ok=True)

    async def start(self) -> None:
        self.registry = CollectorRegistry()
        self.crashes: list[BaseException] = []
        self.tasks = Tasks(self.clock, on_crash=lambda _name, error: self.crashes.append(error))
        self.logbook = Logbook(self.database, self.clock)
        self.engine = FakeEngine(
            self.tasks,
            self.memory,
            before_call=self._before,
            after_call=self._after,
        )
        self.actions = Actions(
            self.database, self.logbook, self.clock, self.tasks, self.registry, self.folder, self.events.append,
            lambda _service, _environment: self.alerting,
            actuators=self.world.actuators, engine=self.engine,
        )  # fmt: skip
        await self.actions.apply(self.config)
        await self.actions.start()

    def _before(self, name: str) -> None:
        self.before_call(name)

    def _after(self, name: str) -> None:
        self.after_call(name)

    async def stop(self) -> None:
        await self.actions.stop()
        await self.tasks.stop()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def turn(self, limit: float = 5.0) -> None:
        """Let everything that can happen now happen, then let time pass until somebody wakes."""
        await asyncio.to_thread(lambda: None)
        before = -1
        while before != self.inline.work:
            before = self.inline.work
            await settle(8)
        if limit:
            await self.clock.next(limit)

    async def until(self, condition: Callable[[], Awaitable[bool]], *, turns: int = 800) -> None:
        for _ in range(turns):
            if await condition():
                return
            await self.turn()
        raise AssertionError(f"it never came about; the calls were {self.world.calls[-20:]}")

    async def finished(self, operation: Operation) -> Operation:
        async def ended() -> bool:
            return (await self.actions.operation(operation.id)).state.ended

        await self.until(ended)
        await self.turn(0)
        return await self.actions.operation(operation.id)

    async def request(self, kind: str, actor: str = "ann", **parameters: Any) -> Operation:
        return await self.actions.request(kind, "shop", "production", parameters, actor=actor, reason="test")

    async def run(self, kind: str, actor: str = "ann", **parameters: Any) -> Operation:
        return await self.finished(await self.request(kind, actor, **parameters))

    def artifact(self, version: str) -> str:
        file = self.artifacts / f"shop-{version}.tar.gz"
        file.touch()
        return str(file)

    async def deploy(self, version: str, **parameters: Any) -> Operation:
        return await self.run("deploy", artifact=self.artifact(version), version=version, **parameters)

    async def deployed(self, version: str, **parameters: Any) -> Operation:
        operation = await self.deploy(version, **parameters)
        assert operation.state is OperationState.SUCCEEDED, operation.error
        return operation

    async def promoted(self, version: str) -> None:
        """Deploy a version and let its bake time pass."""
        await self.deployed(version)
        self.clock.jump(self.site_config.bake)

        async def good() -> bool:
            return (await self.history()).baking_until is None

        await self.until(good)
        await self.idle()

    async def idle(self) -> None:
        async def nothing_runs() -> bool:
            return all(operation.state.ended for operation in await self.actions.operations(100))

        await self.until(nothing_runs)

    async def history(self) -> History:
        return await self.actions._sites.site("shop", "production").revisions.history()

    async def entries(self, kind: str = "") -> list[Entry]:
        return await self.logbook.read(kind=kind, limit=10_000)

    @property
    def site_config(self) -> Any:
        return self.config.services["shop"].environments["production"]

    @property
    def taking(self) -> list[str]:
        """The instances that take traffic, without the service's name."""
        return [instance.removeprefix("shop/production/") for instance in self.world.routers["shop/production"].taking]

    @property
    def live(self) -> list[str]:
        return sorted(instance.removeprefix("shop/production/") for instance in self.world.live)

    def states(self, history: History) -> dict[int, str]:
        return {revision.number: revision.state.value for revision in history.revisions}
