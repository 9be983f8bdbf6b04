"""The pipeline as a component: alerts in, decisions out, at the moments that groups, silences and posts ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from alerting.alert import Alert, Moment, Transition, fingerprint
from alerting.notify.measurement import NotificationMeasurement
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.outbox import Settlement
from alerting.pipeline.decision import Decision, Memory
from alerting.pipeline.dispatch import Dispatcher, GroupView, Settings
from alerting.pipeline.posted import Posted, PostedAlert, Update
from alerting.pipeline.stage import AlertStatus, Hold, Silencer, Stages
from alerting.pipeline.teller import Enrich, Teller
from core.clock import Clock
from core.errors import StoreUnavailableError
from core.tasks import Tasks, cancel_and_wait

MAX_PAUSE_SECONDS = 60.0
"""Times on the wall clock (ends of posted alerts and silences) are looked at so often, because it may be stepped."""

POSTS_TOGETHER = 100
COMMIT_SECONDS = 10.0

RESTORE_SECONDS = 5.0
"""So long a post waits for what the last process knew; that is read right after a start."""


class Pipeline:
    """Decides who is told what and when.

    Args:
        holds: further reasons not to tell an alert.
        on_decided: gets each decision that time brought about, to be made durable.
        on_updates: gets what happened to posted alerts; it calls `take` with the transitions, and returns what is done
            when all of it is durable.
    """

    name = "notification-pipeline"

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        measurement: NotificationMeasurement,
        silencer: Silencer,
        *,
        external_url: str,
        holds: Sequence[Hold] = (),
        on_decided: Callable[[Decision, Moment], None],
        on_updates: Callable[[Sequence[Update], Moment], asyncio.Future[None]],
    ) -> None:
        self._clock = clock
        self._tasks = tasks
        self._measurement = measurement
        self._stages = Stages(silencer, holds)
        self._teller = Teller(external_url=external_url)
        self._dispatcher = Dispatcher(self._stages, self._teller)
        self._posted = Posted()
        self._on_decided = on_decided
        self._on_updates = on_updates
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._silences_change_at: float | None = None
        self._restored = asyncio.Event()

    async def start(self) -> None:
        """Begin to look at groups when they are due; for after `restore`."""
        self._running = self._tasks.spawn(self._run, name="notification-pipeline")

    async def stop(self) -> None:
        """End; what is decided is with `on_decided` already."""
        await cancel_and_wait(self._running)
        self._running = None

    def enrich_by(self, enrich: Enrich) -> None:
        """Have each notice completed by a function: links, its incident, suspects. It must return soon."""
        self._teller.enrich = enrich

    def configure(self, settings: Settings) -> None:
        """Follow a new config."""
        now = self._now()
        self._posted.resolve_timeout = settings.resolve_timeout
        decision = self._dispatcher.configure(settings, now)
        if not decision.is_empty:
            self._on_decided(decision, now)
        self._woken()

    def restore(self, memory: Memory, own: Iterable[Alert], posted: Iterable[Alert]) -> None:
        """Go on from what an earlier process wrote down, with the alerts that fire."""
        now = self._now()
        self._posted.restore(posted, now.wall)
        firing = [*own, *(alert for alert, _ in self._posted.firing())]
        decision = self._dispatcher.restore(memory, firing, now)
        self._restored.set()
        if not decision.is_empty:
            self._on_decided(decision, now)
        self._woken()

    def take(self, changes: Iterable[tuple[Transition, Alert]], now: Moment) -> Decision:
        """Return what transitions of alerts lead to at once; the caller writes it together with them."""
        decision = self._dispatcher.take(changes, now)
        self._woken()
        return decision

    async def post(self, alerts: Sequence[PostedAlert]) -> None:
        """Take in alerts of others.

        Returns when what they changed is durable.
        Raises: StoreUnavailableError: it cannot be made durable now, or what the last process knew is not read yet.
        """
        try:
            async with asyncio.timeout(RESTORE_SECONDS):
                await self._restored.wait()
        except TimeoutError:
            raise StoreUnavailableError("the daemon is still reading its state; post the alerts again") from None
        self._measurement.posted.inc(len(alerts))
        for start in range(0, len(alerts), POSTS_TOGETHER):
            now = self._now()
            updates = self._posted.post(alerts[start : start + POSTS_TOGETHER], now)
            self._dispatcher.refresh(update.alert for update in updates if update.transition is None)
            self._woken()
            news = [update for update in updates if update.is_news]
            await (self._durable(news, now) if news else self._clock.sleep(0))

    def settled(self, settlement: Settlement, now: float) -> Decision:
        """Return what the end of a message changes of the memory."""
        decision = Decision()
        if settlement.is_delivered:
            self._teller.delivered(settlement.message, decision)
        elif not settlement.is_superseded:
            self._teller.refused(settlement.message, decision, now)
        return decision

    def messages(self, notice: Notice) -> list[Message]:
        """Return the messages that tell a receiver something outside of groups, one for each of its addresses.

        They are for a batch of the journal. A later message of the same group key supersedes one that still waits.
        """
        return [
            self._teller.message(integration, notice)
            for integration in self._teller.integrations(notice.receiver)
            if notice.status == "firing" or integration.send_resolved
        ]

    def alerts(self) -> list[Alert]:
        """Return the alerts that fire, own and posted ones, with the labels that receivers are told."""
        return list(self._dispatcher.firing())

    def posted_alerts(self) -> list[Alert]:
        """Return the posted alerts that fire."""
        return [alert for alert, _ in self._posted.firing()]

    def statuses(self) -> Mapping[str, AlertStatus]:
        """Return how it stands with each alert, by fingerprint."""
        return {
            fingerprint(alert.labels): status for alert, status in self._dispatcher.statuses(self._clock.now()).values()
        }

    def groups(self) -> list[GroupView]:
        """Return the groups that have alerts."""
        return self._dispatcher.groups()

    def conditions_changed(self) -> None:
        """Take note that silences or holds changed, for groups that tell each change at once."""
        self._dispatcher.hurry_immediate(self._now())
        self._woken()

    def hurry(self, identities: Iterable[str]) -> None:
        """Take note that nothing holds these alerts back any more; their groups are not to wait for their interval."""
        self._dispatcher.hurry(identities, self._now())
        self._woken()

    async def _run(self) -> None:
        while True:
            await self._wait()
            now = self._now()
            ends = self._posted.expire(now)
            if ends:
                self._on_updates(ends, now)
            if self._silences_change_at is not None and self._silences_change_at <= now.wall:
                self._silences_change_at = None
                self._dispatcher.hurry_immediate(now)
            decision = self._dispatcher.look(now)
            self._measurement.groups.set(self._dispatcher.group_count)
            if not decision.is_empty:
                for summed in decision.summed:
                    self._measurement.summed.labels(summed.receiver).inc(summed.messages)
                self._on_decided(decision, now)
            await self._clock.sleep(0)  # further groups that are due must not keep others from running

    async def _durable(self, updates: Sequence[Update], now: Moment) -> None:
        done = self._on_updates(updates, now)
        late = asyncio.ensure_future(self._clock.sleep(COMMIT_SECONDS))
        try:
            await asyncio.wait({done, late}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            late.cancel()
        if not done.done():
            raise StoreUnavailableError(
                "the state database cannot be written now; the alerts are known, but would be lost in a crash"
            )
        done.result()

    async def _wait(self) -> None:
        """Return when something is due, or has changed what is."""
        self._wake.clear()
        pause = self._pause()
        if pause is not None and pause <= 0:
            return
        waiting: list[asyncio.Future[object]] = [asyncio.ensure_future(self._wake.wait())]
        if pause is not None:
            waiting.append(asyncio.ensure_future(self._clock.sleep(pause)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _pause(self) -> float | None:
        """Return for how many seconds there is nothing to do; None while there is nothing to wait for."""
        now = self._now()
        pauses = []
        if (look_at := self._dispatcher.next_look()) is not None:
            pauses.append(look_at - now.monotonic)
            if self._silences_change_at is None or self._silences_change_at > now.wall:
                self._silences_change_at = self._stages.next_change(now.wall)
        moments = (self._posted.next_end(), self._silences_change_at)
        pauses += [min(MAX_PAUSE_SECONDS, moment - now.wall) for moment in moments if moment is not None]
        return min(pauses, default=None)

    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    def _woken(self) -> None:
        self._wake.set()
