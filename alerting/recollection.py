"""What an earlier process wrote down of its alerts, read back as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from alerting.alert import Alert, AlertState
from alerting.notify.message import Message
from alerting.notify.outbox import load_undelivered
from alerting.pipeline.decision import Memory
from alerting.pipeline.store import forget_old_sent, load_memory
from alerting.rule_state import Change
from alerting.store import forget_old, load_active, load_resolved
from core.db.database import Database


@dataclass(frozen=True, slots=True)
class Recollection:
    """What there was.

    Attributes:
        changes: the alerts that were pending or firing, own and posted ones.
        resolved: those that were resolved last, newest first.
        messages: those that no receiver has answered.
        memory: what the pipeline knew.
    """

    changes: Sequence[Change]
    resolved: Sequence[Alert]
    messages: Sequence[Message]
    memory: Memory

    def firing(self) -> list[Alert]:
        """Return the alerts that fired."""
        return [change.alert for change in self.changes if change.alert.state is AlertState.FIRING]


async def recollect(database: Database, now: float, resolved: int) -> Recollection:
    """Forget what is too old at a Unix time, and return the rest, with at most so many resolved alerts.

    Raises: StoreUnavailableError: the state database cannot be read or written now.
    """

    def forget(connection: Connection) -> None:
        forget_old(connection)
        forget_old_sent(connection, now)

    def load(connection: Connection) -> Recollection:
        return Recollection(
            load_active(connection),
            load_resolved(connection, resolved),
            load_undelivered(connection),
            load_memory(connection, now),
        )

    await database.write(forget)
    return await database.read(load)
