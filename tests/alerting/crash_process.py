"""Alerting in a process of its own, for tests that kill it: `python -m tests.alerting.crash_process FOLDER URL [YAML]`.

Each line on standard input is the value of the metric `heat` from then on, `ready` and each event are printed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from alerting.alert import AlertEvent
from alerting.alerting import Alerting, Event
from alerting.migrations import MIGRATIONS
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

RULES = """
groups:
  - name: g
    rules:
      - {alert: Hot, expr: heat > 5, for: 3s, labels: {severity: critical}}
      - {alert: Warm, expr: heat > 3}
"""
LAYOUT = Layout((labels_of({"__name__": "heat", "instance": "a"}),))
INTERVAL_SECONDS = 0.05


def show(event: Event) -> None:
    subject = event.alert.name if isinstance(event, AlertEvent) else f"incident {event.incident.id}"
    print(event.transition, subject, flush=True)


async def main(folder: Path, url: str, more: str) -> None:
    clock = SystemClock()
    tasks = Tasks(clock)
    migrations = (*LOGBOOK_MIGRATIONS, *MIGRATIONS, *SILENCES_MIGRATIONS)
    database = Database(folder / "state.db", migrations, clock=clock, tasks=tasks)
    head = Head()
    alerting = Alerting(
        head,
        Engine(head),
        database,
        Logbook(database, clock),
        clock,
        tasks,
        CollectorRegistry(),
        show,
        settle_seconds=2,
    )
    await database.start()
    receivers = f"receivers: [{{name: team, webhook_configs: [{{url: '{url}', timeout: 2s}}]}}]\n"
    await alerting.apply(config_of(RULES + (more.replace("URL", url) or receivers)), base=folder)
    await alerting.start()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    values: list[float] = []
    tasks.spawn(lambda: feed(head, alerting, clock, values), name="feed")
    print("ready", flush=True)
    while line := await reader.readline():
        values.append(float(line))


async def feed(head: Head, alerting: Alerting, clock: SystemClock, values: list[float]) -> None:
    while True:
        if values:
            frame = Frame("test", round(clock.now() * 1000), LAYOUT, np.array([values[-1]]))
            head.append(frame)
            alerting.on_frame(frame)
        await clock.sleep(INTERVAL_SECONDS)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], "".join(sys.argv[3:])))
