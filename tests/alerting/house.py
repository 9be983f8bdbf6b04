"""A whole Alerting on a real store, engine and SQLite file, with a clock that tests turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from alerting.alert import AlertEvent
from alerting.alerting import Alerting, Event
from alerting.config import AlertingConfig
from alerting.incident import IncidentEvent
from alerting.migrations import MIGRATIONS
from alerting.silences import MIGRATIONS as SILENCES_MIGRATIONS
from core.config import validate
from core.db.database import Database
from core.logbook import MIGRATIONS as LOGBOOK_MIGRATIONS
from core.logbook import Logbook
from core.tasks import Tasks
from core.yaml_file import parse_yaml
from metrics.frame import Frame, Layout
from metrics.head import Head
from metrics.label import labels_of
from metrics.promql.engine import Engine
from tests.fakes.clock import FakeClock, settle

QUIET = "default_rules: {enabled: false}\n"


def config_of(text: str, *, quiet: bool = True) -> AlertingConfig:
    """Return a config from YAML, without the built-in rules unless told."""
    return validate(parse_yaml((QUIET if quiet else "") + text, "watchkeeper.yml"), AlertingConfig)


@dataclass
class House:
    """What a test looks at."""

    clock: FakeClock
    database: Database
    logbook: Logbook
    head: Head
    tasks: Tasks
    registry: CollectorRegistry
    alerting: Alerting
    events: asyncio.Queue[Event]
    layouts: dict[tuple[str, tuple[object, ...]], Layout] = field(default_factory=dict)

    def feed(self, **values: float) -> None:
        """Let one collection arrive: `name__label__value=1.0` is `name{label="value"}`."""
        self.feed_series("test", {_series(key): value for key, value in values.items()})

    def feed_series(self, source: str, values: dict[tuple[tuple[str, str], ...], float]) -> None:
        key = source, tuple(values)
        layout = self.layouts.setdefault(key, Layout(tuple(values)))
        frame = Frame(source, round(self.clock.now() * 1000), layout, np.array(list(values.values()), dtype=np.float64))
        self.head.append(frame)
        self.alerting.on_frame(frame)

    async def told(self) -> list[str]:
        """Return what was told since the last call, once everything decided is durable: `firing X`, `opened Y`."""
        await settle()
        assert await self.alerting._journal.flush(10)
        await settle()
        found = []
        while not self.events.empty():
            event = self.events.get_nowait()
            subject = event.alert.name if isinstance(event, AlertEvent) else event.incident.title
            found.append(f"{event.transition} {subject}")
        return found

    async def collect(self, seconds: float, every: float = 1.0, **values: float) -> list[str]:
        """Let collections arrive for some time, and return what was told."""
        for _ in range(round(seconds / every)):
            await self.clock.advance(every)
            self.feed(**values)
            await self.clock.advance(0.01)
        return await self.told()


def _series(key: str) -> tuple[tuple[str, str], ...]:
    name, *rest = key.split("__")
    return labels_of({"__name__": name, **dict(zip(rest[::2], rest[1::2], strict=True))})


@asynccontextmanager
async def house(
    folder: Path,
    config: AlertingConfig,
    *,
    clock: FakeClock | None = None,
    settle_seconds: float = 75.0,
    link_key_file: Path | None = None,
) -> AsyncIterator[House]:
    """Start a daemon's alerting in a folder; leave without a trace but the database."""
    clock = clock or FakeClock()
    tasks = Tasks(clock)
    registry = CollectorRegistry()
    migrations = (*LOGBOOK_MIGRATIONS, *MIGRATIONS, *SILENCES_MIGRATIONS)
    database = Database(folder / "state.db", migrations, clock=clock, tasks=tasks)
    logbook = Logbook(database, clock)
    head = Head()
    events: asyncio.Queue[Event] = asyncio.Queue()
    alerting = Alerting(
        head,
        Engine(head),
        database,
        logbook,
        clock,
        tasks,
        registry,
        events.put_nowait,
        external_url="http://watchkeeper:8797",
        settle_seconds=settle_seconds,
        link_key_file=link_key_file,
    )
    await database.start()
    try:
        await alerting.apply(config, base=folder)
        await alerting.start()
        await restored(alerting)
        yield House(clock, database, logbook, head, tasks, registry, alerting, events)
    finally:
        await alerting.stop()
        await database.stop()
        await tasks.stop()


async def restored(alerting: Alerting) -> None:
    """Wait until the state of the last process has been read."""
    await eventually(lambda: alerting.is_restored)


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for threads and sockets, whose time no fake clock turns."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


__all__ = ["House", "IncidentEvent", "config_of", "eventually", "house"]
