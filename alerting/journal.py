"""Makes changes durable, in order, before anybody is told of them.

Each batch (alert transitions with their logbook entries, incidents, messages, settlements) is one transaction. While
the state database cannot be written, batches wait in memory and are tried again; rules go on being evaluated, and what
there is to tell is told late rather than never.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from alerting.incident import IncidentEvent, IncidentTransition
from alerting.incident_store import incident_entry, save_incidents
from alerting.notify.message import Message
from alerting.notify.outbox import Settlement, message_entry, save_messages, save_settlements
from alerting.pipeline.decision import Decision
from alerting.pipeline.store import save_memory
from alerting.rule_measurement import RuleMeasurement
from alerting.rule_state import Change
from alerting.store import alert_entry, save_changes
from core.backoff import backoff_seconds
from core.clock import Clock
from core.db.database import Database
from core.errors import StoreUnavailableError
from core.logbook import Logbook, write_all

_log = logging.getLogger(__name__)

RETRY_CAP_SECONDS = 5.0
ATTEMPTS_AFTER_BUG = 3
BATCHES_TOGETHER = 200

_UNWRITTEN = (IncidentTransition.RESTORED, IncidentTransition.LEFT)
"""What happened to incidents without being news."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that are committed together or not at all.

    Attributes:
        decision: of the notification pipeline, with its messages.
        messages: further ones, that are not about groups of alerts.
    """

    changes: Sequence[Change] = ()
    incidents: Sequence[IncidentEvent] = ()
    decision: Decision = field(default_factory=Decision)
    messages: Sequence[Message] = ()
    settlements: Sequence[Settlement] = ()
    time: float = 0.0
    entries: list[Callable[[Connection], object]] = field(default_factory=list)
    done: asyncio.Future[None] | None = None
    """Set once the batch is durable."""


class Journal:
    """Commits batches one after the other.

    Args:
        on_committed: called with each batch that is durable.
        extend: adds to each batch what it entails elsewhere, to be committed with it.
    """

    def __init__(
        self,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        measurement: RuleMeasurement,
        *,
        on_committed: Callable[[Batch], None],
        extend: Callable[[Batch], Batch] = lambda batch: batch,
    ) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._measurement = measurement
        self._on_committed = on_committed
        self._extend = extend
        self._waiting: deque[Batch] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._bugs = 0
        self.trouble = ""

    def add(self, batch: Batch) -> None:
        """Queue a batch; its logbook entries bear the time of this call."""
        self._write_entries(batch)
        batch = self._extend(batch)
        self._waiting.append(batch)
        self._measurement.waiting_commits.set(len(self._waiting))
        self._idle.clear()
        self._news.set()

    async def run(self) -> None:
        """Commit for ever."""
        failures = 0
        while True:
            await self._news.wait()
            failures = 0 if await self._commit() else failures + 1
            if failures:
                await self._clock.sleep(backoff_seconds(failures, cap_seconds=RETRY_CAP_SECONDS, random=lambda: 0.5))

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits, and return whether that came to be within `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _commit(self) -> bool:
        # A batch that failed for a reason of its own is tried alone, so that it does not keep the others.
        together = 1 if self._bugs else BATCHES_TOGETHER
        batches = [self._waiting[index] for index in range(min(together, len(self._waiting)))]
        lost: Exception | None = None
        try:
            await self._database.write(lambda connection: _write(connection, batches))
        except StoreUnavailableError as error:
            waiting = len(self._waiting)
            self.trouble = f"{waiting} change{'s' if waiting > 1 else ''} of alerts wait to be written: {error}"
            return False
        except Exception as error:  # noqa: BLE001 - a mistake of ours in one write must not end all telling
            self._bugs += 1
            self.trouble = f"a change of alerts cannot be written: {error}"
            _log.exception("a change of alerts cannot be written (attempt %d)", self._bugs)
            if self._bugs <= ATTEMPTS_AFTER_BUG:
                return False
            _log.critical("a change of alerts is told without being written: %r", batches[0])
            batches, lost = batches[:1], error
        else:
            self.trouble = ""
        self._bugs = 0
        for batch in batches:
            self._waiting.popleft()
            self._on_committed(batch)
            _tell(batch, lost)
        self._measurement.waiting_commits.set(len(self._waiting))
        if not self._waiting:
            self._news.clear()
            self._idle.set()
        return True

    def _write_entries(self, batch: Batch) -> None:
        append = batch.entries.append
        for change in batch.changes:
            if change.transition is not None:
                kind, subject = f"alert.{change.transition}", f"alert/{change.alert.id}"
                append(self._logbook.appending(kind, subject, alert_entry(change)))
        for event in batch.incidents:
            if event.transition not in _UNWRITTEN:
                kind, subject = f"incident.{event.transition}", event.incident.logbook_subject
                append(self._logbook.appending(kind, subject, incident_entry(event), actor=event.actor))
        for summed in batch.decision.summed:
            data = {"messages": summed.messages, "alerts": dict(summed.alerts)}
            append(self._logbook.appending("notification.summed", f"receiver/{summed.receiver}", data))
        for settlement in batch.settlements:
            kind = _settlement_kind(settlement)
            append(self._logbook.appending(kind, f"notification/{settlement.message.key}", message_entry(settlement)))


def _settlement_kind(settlement: Settlement) -> str:
    if settlement.is_superseded:
        return "notification.superseded"
    return "notification.sent" if settlement.is_delivered else "notification.failed"


def _tell(batch: Batch, lost: Exception | None) -> None:
    """Let whoever waits for a batch know what became of it."""
    if batch.done is None or batch.done.done():
        return
    if lost is None:
        batch.done.set_result(None)
    else:
        batch.done.set_exception(
            StoreUnavailableError(f"the change could not be written: {lost}; see the daemon's log")
        )


def _write(connection: Connection, batches: Sequence[Batch]) -> None:
    for batch in batches:
        save_changes(connection, batch.changes)
        save_incidents(connection, batch.incidents, batch.time)
        save_messages(connection, batch.decision.messages)
        save_messages(connection, batch.messages)
        save_memory(connection, batch.decision)
        save_settlements(connection, batch.settlements, batch.time)
        write_all(connection, batch.entries)
