"""Alerting that kills itself at a named point, in a process of its own.

It takes orders and answers each with `done`: `heat NUMBER` is the value of the metric from then on, `arm` makes the
next pass of the point the last, `silence` and `post SECONDS` do that.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

import alerting.journal
import alerting.silences
from alerting.alerting import Alerting
from alerting.matcher import parse_matchers
from alerting.migrations import MIGRATIONS
from alerting.notify.outbox import Outbox
from alerting.notify.webhook import Webhook
from alerting.pipeline.posted import PostedAlert
from alerting.silence import Silence
from alerting.silences import MIGRATIONS as SILENCES_MIGRATIONS
from core.clock import SystemClock
from core.db.database import Database
from core.logbook import MIGRATIONS as LOGBOOK_MIGRATIONS
from core.logbook import Logbook
from core.tasks import Tasks
from metrics.frame import Frame, Layout
from metrics.head import Head
from metrics.label import labels_of
from metrics.promql.engine import Engine
from tests.alerting.house import config_of

CONFIG = """
groups: [{{name: g, rules: [{{alert: Hot, expr: heat > 5}}]}}]
route: {{receiver: team, group_by: [alertname], group_wait: {wait}, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: team, webhook_configs: [{{url: '{url}'}}]}}]
"""
LAYOUT = Layout((labels_of({"__name__": "heat", "instance": "a"}),))
INTERVAL_SECONDS = 0.05


class Trap:
    """Kills this process when it comes by, once armed."""

    def __init__(self) -> None:
        self.is_armed = False

    def spring(self) -> None:
        if self.is_armed:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
        """Spring before a function is called."""
        original = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            if when(*arguments):
                self.spring()
            return original(*arguments, **named)

        setattr(owner, name, wrapped)

    def after(self, owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
        """Spring after a function returned."""
        original = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = original(*arguments, **named)
            if when(*arguments):
                self.spring()
            return result

        setattr(owner, name, wrapped)


def tells(_connection: Any, batches: Any) -> bool:
    return any(batch.decision.messages for batch in batches)


def settles(_self: Any, batch: Any) -> bool:
    return bool(batch.settlements)


def sets(trap: Trap, point: str) -> None:
    """Set the trap at a point."""
    journal = alerting.journal
    places: dict[str, Callable[[], None]] = {
        "none": lambda: None,
        "before the transaction": lambda: trap.before(journal, "_write", tells),
        "in the transaction": lambda: trap.after(journal, "_write", tells),
        "after the commit": lambda: trap.before(Alerting, "_committed", lambda _, batch: bool(batch.decision.messages)),
        "before the request": lambda: trap.before(Webhook, "send"),
        "after the answer": lambda: trap.before(Outbox, "_settle"),
        "before the answer is written": lambda: trap.before(
            journal, "_write", lambda _, batches: any(batch.settlements for batch in batches)
        ),
        "after the answer is written": lambda: trap.before(Alerting, "_committed", settles),
        "before the silence is written": lambda: trap.before(alerting.silences, "_save"),
        "in the silence's transaction": lambda: trap.after(alerting.silences, "_save"),
    }
    places[point]()


async def main(folder: Path, url: str, wait: str, point: str, orders: Connection) -> None:
    trap = Trap()
    sets(trap, point)
    clock = SystemClock()
    tasks = Tasks(clock)
    migrations = (*LOGBOOK_MIGRATIONS, *MIGRATIONS, *SILENCES_MIGRATIONS)
    database = Database(folder / "state.db", migrations, clock=clock, tasks=tasks)
    head = Head()
    alerts = Alerting(
        head, Engine(head), database, Logbook(database, clock), clock, tasks, CollectorRegistry(), lambda _event: None,
        settle_seconds=2,
    )  # fmt: skip
    await database.start()
    await alerts.apply(config_of(CONFIG.format(wait=wait, url=url)), base=folder)
    await alerts.start()
    while not alerts.is_restored:
        await asyncio.sleep(0.01)
    values: list[float] = []
    tasks.spawn(lambda: feed(head, alerts, clock, values), name="feed")
    orders.send("ready")
    while True:
        order: str = await asyncio.to_thread(orders.recv)
        match order.split():
            case ["heat", number]:
                values.append(float(number))
            case ["arm"]:
                trap.is_armed = True
            case ["silence"]:
                await silence(alerts, clock)
            case ["post", seconds]:
                await post(alerts, clock, float(seconds))
        orders.send("done")


async def silence(alerts: Alerting, clock: SystemClock) -> None:
    matchers = parse_matchers("alertname=Hot")
    wanted = Silence("", matchers, clock.now(), clock.now() + 600, created_by="t", comment="t")
    await alerts.silences.set(wanted, "t")


async def post(alerts: Alerting, clock: SystemClock, seconds: float) -> None:
    labels = {"alertname": "Posted"}
    await alerts.pipeline.post([PostedAlert(labels, {}, clock.now(), clock.now() + seconds)])


async def feed(head: Head, alerts: Alerting, clock: SystemClock, values: list[float]) -> None:
    while True:
        if values:
            frame = Frame("test", round(clock.now() * 1000), LAYOUT, np.array([values[-1]]))
            head.append(frame)
            alerts.on_frame(frame)
        await clock.sleep(INTERVAL_SECONDS)


def run(folder: Path, url: str, wait: str, point: str, orders: Connection) -> None:
    """Be the process."""
    asyncio.run(main(folder, url, wait, point, orders))
