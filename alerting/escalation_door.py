"""The way from alerting to escalation, which is made only where a config or an earlier process asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from alerting.config import AlertingConfig
from alerting.escalation_table import has_chains
from alerting.journal import Batch
from alerting.notify.outbox import Settlement
from core.db.database import Database

if TYPE_CHECKING:
    from alerting.escalation import Chain
    from alerting.escalation_desk import EscalationDesk
    from alerting.schedules import Schedules


class EscalationDoor:
    """Hands on to an EscalationDesk, once there is one.

    Args:
        make: makes the desk.
    """

    def __init__(self, database: Database, make: Callable[[], EscalationDesk]) -> None:
        self._database = database
        self._make = make
        self._desk: EscalationDesk | None = None
        self._is_restored = False
        self._config = AlertingConfig()

    @property
    def schedules(self) -> Schedules | None:
        """The on-call schedules; None while none are configured."""
        return None if self._desk is None else self._desk.schedules

    async def chain(self, incident: int) -> Chain | None:
        """Return the escalation of an incident, over or not; None where it has none.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        return None if self._desk is None else await self._desk.chain(incident)

    async def configure(self, config: AlertingConfig) -> None:
        """Follow a config.

        Raises: StoreUnavailableError: the first escalation of a running daemon cannot be read now.
        """
        self._config = config
        if self._desk is not None:
            self._desk.configure(config)
        elif config.escalation_policies or config.schedules:
            desk = self._open()
            if self._is_restored:
                await desk.restore()
                desk.start()

    async def restore(self) -> None:
        """Take back what an earlier process left, before its incidents come as events.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        if self._desk is None and await self._database.read(has_chains):
            self._open()
        if self._desk is not None:
            await self._desk.restore()
        self._is_restored = True

    def start(self) -> None:
        """Begin to tell who is next."""
        if self._desk is not None:
            self._desk.start()

    async def stop(self) -> None:
        """Tell nobody any more."""
        if self._desk is not None:
            await self._desk.stop()

    def extend(self, batch: Batch) -> Batch:
        """Return a batch with what its incidents' events do to their escalations."""
        return batch if self._desk is None else self._desk.escalations.extend(batch)

    def settled(self, settlement: Settlement) -> None:
        """Take note that a message was delivered or refused."""
        if self._desk is not None:
            self._desk.escalations.settled(settlement)

    def _open(self) -> EscalationDesk:
        self._desk = self._make()
        self._desk.configure(self._config)
        return self._desk
