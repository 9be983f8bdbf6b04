"""Escalation and on-call schedules as the rest of alerting knows them; made only where somebody escalates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from alerting.config import AlertingConfig
from alerting.escalation import Chain
from alerting.escalation_config import make_plan
from alerting.escalation_messages import IncidentMessages
from alerting.escalation_store import load_chain, load_chains, load_overrides
from alerting.escalations import Book, Escalations
from alerting.journal import Batch
from alerting.notify.message import Message
from alerting.notify.outbox import load_undelivered
from alerting.schedule import Override
from alerting.schedules import Schedules
from core.clock import Clock
from core.db.database import Database
from core.logbook import Logbook
from core.tasks import Tasks, cancel_and_wait


class EscalationDesk:
    """Schedules, and the escalations that go by them.

    Args:
        add: queues a batch for the database; calls `escalations.extend` with it.
        messages: makes what receivers are told.
    """

    def __init__(
        self,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        tasks: Tasks,
        registry: CollectorRegistry,
        *,
        add: Callable[[Batch], None],
        messages: IncidentMessages,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self.schedules = Schedules(database, logbook, clock)
        self.escalations = Escalations(logbook, clock, registry, self.schedules, add=add, messages=messages)
        self._task: asyncio.Task[None] | None = None

    def configure(self, config: AlertingConfig) -> None:
        """Follow a config."""
        people = {person.name: person.receiver for person in config.people}
        self.schedules.configure([section.build() for section in config.schedules], people)
        plans = {
            section.name: make_plan(section, config.schedules, config.people) for section in config.escalation_policies
        }
        self.escalations.configure(Book(plans, config.incidents.escalation))

    async def restore(self) -> None:
        """Take back what an earlier process left, before its incidents come as events.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        now = self._clock.now()

        def read(connection: Connection) -> tuple[list[Chain], list[Override], list[Message]]:
            return load_chains(connection), load_overrides(connection, now), load_undelivered(connection)

        chains, overrides, messages = await self._database.read(read)
        self.schedules.restore(overrides)
        self.escalations.restore(chains, messages)

    def start(self) -> None:
        """Begin to tell who is next; does nothing where that is so."""
        if self._task is None:
            self._task = self._tasks.spawn(self.escalations.run, name="escalation")

    async def stop(self) -> None:
        """Tell nobody any more."""
        task, self._task = self._task, None
        await cancel_and_wait(task)

    async def chain(self, incident: int) -> Chain | None:
        """Return the escalation of an incident, over or not; None where it has none.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        running = self.escalations.chain(incident)
        return running or await self._database.read(lambda connection: load_chain(connection, incident))
