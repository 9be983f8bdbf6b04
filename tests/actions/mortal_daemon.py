"""A daemon of nothing but actions, that kills itself at a given moment: `mortal_daemon.py FOLDER JSON`.

The JSON says what to ask for (`kind`, `parameters`; nothing to continue only) and when to die (`step`, `phase`:
`intent` right after the intent is on disk, `done` when the step is done but not yet recorded, `recorded` after that).
It ends with status 0 and the operations as JSON when nothing runs any more.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

import core.logbook
from actions.config import ActionsConfig
from actions.migrations import MIGRATIONS
from actions.operation_store import OperationStore
from actions.operations import Actions
from core.clock import SystemClock
from core.db.database import Database
from core.logbook import Logbook
from core.tasks import Tasks


def die_at(step: str, phase: str) -> None:
    """Arrange the death of this process."""
    intended, ended = OperationStore.step_intended, OperationStore.step_ended

    async def step_intended(self: OperationStore, *arguments: Any) -> None:
        await intended(self, *arguments)
        if (arguments[2], "intent") == (step, phase):
            os.kill(os.getpid(), signal.SIGKILL)

    async def step_ended(self: OperationStore, *arguments: Any) -> Any:
        if (arguments[2], "done") == (step, phase):
            os.kill(os.getpid(), signal.SIGKILL)
        operation = await ended(self, *arguments)
        if (arguments[2], "recorded") == (step, phase):
            os.kill(os.getpid(), signal.SIGKILL)
        return operation

    OperationStore.step_intended = step_intended  # type: ignore[assignment,method-assign]
    OperationStore.step_ended = step_ended  # type: ignore[assignment,method-assign]


async def main(folder: Path, task: dict[str, Any]) -> None:
    """Run until nothing is left to do."""
    clock, registry = SystemClock(), CollectorRegistry()
    tasks = Tasks(clock)
    database = Database(folder / "state.db", (*core.logbook.MIGRATIONS, *MIGRATIONS), clock=clock, tasks=tasks)
    await database.start()
    actions = Actions(database, Logbook(database, clock), clock, tasks, registry, folder)
    await actions.apply(ActionsConfig.model_validate(json.loads((folder / "config.json").read_text())))
    await actions.start()
    if "kind" in task:
        await actions.request(task["kind"], "shop", "production", task["parameters"], actor="ann", reason="test")
    while not all(operation.state.ended for operation in await actions.operations(50)):
        await asyncio.sleep(0.02)
    print(json.dumps([operation.to_json() for operation in await actions.operations(50)]))
    print(json.dumps((await actions.refresh())[0].to_json()))
    await actions.stop()
    await database.stop()
    await tasks.stop()


if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    if "step" in given:
        die_at(given["step"], given["phase"])
    asyncio.run(main(Path(sys.argv[1]), given))
