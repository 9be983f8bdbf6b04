"""The way of messages to a config's receivers, and to the fallback of one that fails for too long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from alerting.alert import AlertState
from alerting.config import AlertingConfig
from alerting.journal import Batch
from alerting.notify.fallback import Fallbacks
from alerting.notify.global_config import NotificationDefaults
from alerting.notify.measurement import NotificationMeasurement
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.outbox import Delivery, Outbox, Rejection, Settlement, load_rejected
from alerting.notify.payload import sort_alerts
from alerting.pipeline.pipeline import Pipeline
from core.clock import Clock
from core.db.database import Database
from core.tasks import Tasks

if TYPE_CHECKING:
    from alerting.notify.guarded import Guarded
    from alerting.notify.outbox import Address
    from alerting.pipeline.teller import Receivers


class Deliveries:
    """Delivers messages that are in the state database already, and sees to what comes of each.

    Args:
        pipeline: is told how a message ended, and makes the messages for fallbacks.
        add: takes what is to be made durable.
        on_settled: gets the end of each message after that.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        tasks: Tasks,
        measurement: NotificationMeasurement,
        pipeline: Pipeline,
        *,
        external_url: str,
        add: Callable[[Batch], None],
        on_settled: Callable[[Settlement], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._measurement = measurement
        self._pipeline = pipeline
        self._external_url = external_url
        self._add = add
        self._on_settled = on_settled
        self._fallbacks = Fallbacks()
        self._outbox = Outbox(clock, tasks, measurement, on_settled=self._settled, on_failed=self._failed)

    async def connect(self, config: AlertingConfig, folder: Path, notification: NotificationDefaults) -> Receivers:
        """Deliver to a config's receivers from now on, and return them.

        Raises: ConfigError: every mistake in files that the receivers name; nothing is changed then.
        """
        if not config.receivers:
            self._outbox.configure({})
            self._fallbacks.configure(())
            return {}
        # Imported here because a daemon that tells nobody needs none of it.
        from alerting.notify.integrations import by_receiver, integrations  # noqa: PLC0415
        from alerting.notify.setting import make_setting  # noqa: PLC0415

        def make() -> dict[Address, Guarded]:
            setting = make_setting(config.templates, folder, notification, self._clock)
            return integrations(config.receivers, setting, self._measurement.circuits_open)

        found = await asyncio.to_thread(make)
        self._outbox.configure(found)
        self._fallbacks.configure(config.receivers)
        return by_receiver(config.receivers, found)

    async def stop(self) -> None:
        """End; answers under way are waited for, for a moment."""
        await self._outbox.stop()

    def deliver(self, messages: Iterable[Message]) -> None:
        """Deliver messages, each until it is settled."""
        self._outbox.add(messages)

    def waiting(self) -> list[Delivery]:
        """Return the notifications that wait to be delivered, by receiver and group."""
        return self._outbox.deliveries()

    async def rejected(self, limit: int = 20) -> list[Rejection]:
        """Return the notifications that receivers would not take, newest first.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        return await self._database.read(lambda connection: load_rejected(connection, limit))

    def _settled(self, settlement: Settlement) -> None:
        now = self._clock.now()
        decision = self._pipeline.settled(settlement, now)
        notice = None
        if settlement.is_delivered:
            notice = self._fallbacks.delivered(settlement.message, now)
        elif not settlement.is_superseded:
            notice = self._fallbacks.failed(settlement.message, self._notice_of, now, is_final=True)
        messages = [] if notice is None else self._pipeline.messages(notice)
        self._add(Batch(decision=decision, settlements=[settlement], messages=messages, time=now))
        self._on_settled(settlement)

    def _failed(self, message: Message) -> None:
        """Tell the fallback of a receiver that has failed for too long."""
        now = self._clock.now()
        notice = self._fallbacks.failed(message, self._notice_of, now, is_final=False)
        if notice is not None:
            self._add(Batch(messages=self._pipeline.messages(notice), time=now))

    def _notice_of(self, message: Message) -> Notice | None:
        """Return what a message is about as it is now; None where its group has no alerts any more."""
        for group in self._pipeline.groups():
            if (group.receiver, group.key) == (message.receiver, message.group_key):
                alerts = sort_alerts(group.alerts)
                is_firing = any(alert.state is AlertState.FIRING for alert in alerts)
                return Notice(
                    receiver=group.receiver,
                    group_key=group.key,
                    group_labels=group.labels,
                    alerts=alerts,
                    status="firing" if is_firing else "resolved",
                    external_url=self._external_url,
                    now=self._clock.now(),
                )
        return None
