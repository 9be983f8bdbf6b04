"""Escalations as they run: follows incidents, tells who is next when it is time, and knows what is late.

A step is written in the transaction that queues its messages, so a crash leaves it told or untold, never both or
neither. What an incident's event does to its escalation is part of the event's own transaction in the same way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry

from alerting.escalation import (
    LATE_SECONDS,
    Chain,
    ChainState,
    Plan,
    advance,
    begin,
    follow,
    hurry,
    remaining_seconds,
)
from alerting.escalation_config import EscalationChoiceSection
from alerting.escalation_measurement import EscalationMeasurement
from alerting.escalation_messages import IncidentMessages
from alerting.escalation_notice import incident_of
from alerting.escalation_reach import Reach, reach_of
from alerting.escalation_store import saving
from alerting.incident import Incident, IncidentEvent, IncidentTransition
from alerting.journal import Batch
from alerting.notify.message import Message
from alerting.notify.outbox import Settlement
from alerting.schedules import Schedules
from core.clock import Clock
from core.duration import format_duration
from core.logbook import Logbook

_log = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Book:
    """What a config says of escalation.

    Attributes:
        plans: by the name of their policies.
        choices: which incidents escalate by which; the first plan is for all of them where there are none.
    """

    plans: Mapping[str, Plan] = field(default_factory=dict)
    choices: Sequence[EscalationChoiceSection] = ()

    def plan_for(self, incident: Incident, now: float) -> Plan | None:
        """Return by what an incident escalates that opens now; None where it does not."""
        if not self.choices:
            return next(iter(self.plans.values()), None)
        for choice in self.choices:
            if choice.fits(incident.severity, incident.service, incident.environment, now):
                return self.plans[choice.policy]
        return None


@dataclass(slots=True)
class _Telling:
    """Messages of one step that are under way; `is_delivered` once one of them was delivered."""

    due: float
    keys: set[str]
    is_delivered: bool = False


class Escalations:
    """The escalations of all incidents.

    Args:
        add: queues a batch for the database; calls `extend` with it.
        messages: makes what receivers are told.
    """

    def __init__(
        self,
        logbook: Logbook,
        clock: Clock,
        registry: CollectorRegistry,
        schedules: Schedules,
        *,
        add: Callable[[Batch], None],
        messages: IncidentMessages,
    ) -> None:
        self._logbook = logbook
        self._clock = clock
        self._schedules = schedules
        self._add = add
        self._messages = messages
        self._book = Book()
        self._chains: dict[int, Chain] = {}
        self._incidents: dict[int, Incident] = {}
        self._due: dict[int, float] = {}
        self._tellings: dict[int, _Telling] = {}
        self._news = asyncio.Event()
        self._measurement = EscalationMeasurement(registry, self.late, self._count, self._people_on_call)

    def configure(self, book: Book) -> None:
        """Follow a config; escalations that run go on by what they began with."""
        self._book = book
        self._measurement.show_schedules(self._schedules.names)

    def restore(self, chains: Iterable[Chain], undelivered: Iterable[Message]) -> None:
        """Take back what an earlier process left; their incidents come as events."""
        for chain in chains:
            self._keep(chain)
        for message in undelivered:
            number = incident_of(message.group_key)
            if number is not None and message.status == "firing":
                due = self._clock.monotonic() - max(0.0, self._clock.now() - message.created_at)
                self._tellings.setdefault(number, _Telling(due, set())).keys.add(message.key)

    def chain(self, incident: int) -> Chain | None:
        """Return the escalation of an incident that is not over; None where there is none."""
        return self._chains.get(incident)

    def late(self) -> int:
        """Return how many steps should have been delivered a minute ago and were not."""
        since = self._clock.monotonic() - LATE_SECONDS
        untold = [due for number, due in list(self._due.items()) if self._is_running(number)]
        unread = [telling.due for telling in list(self._tellings.values()) if not telling.is_delivered]
        return sum(due < since for due in (*untold, *unread))

    def extend(self, batch: Batch) -> Batch:
        """Return a batch with what its incidents' events do to their escalations."""
        if not batch.incidents:
            return batch
        messages: list[Message] = []
        for event in batch.incidents:
            messages += self._follow(event, batch)
        return replace(batch, messages=[*batch.messages, *messages]) if messages else batch

    def settled(self, settlement: Settlement) -> None:
        """Take note of a message's end; a step that every receiver refused is followed by the next one at once."""
        number = incident_of(settlement.message.group_key)
        telling = self._tellings.get(number) if number is not None else None
        if number is None or telling is None or settlement.message.key not in telling.keys:
            return
        telling.keys.discard(settlement.message.key)
        telling.is_delivered = telling.is_delivered or settlement.is_delivered
        if telling.keys:
            return
        del self._tellings[number]
        chain = self._chains.get(number)
        if not telling.is_delivered and settlement.message.status == "firing" and chain is not None:
            self._measurement.steps.labels("refused").inc()
            batch = Batch(time=self._clock.now())
            self._note(batch, chain, "escalation.refused", {"detail": settlement.detail})
            self._hurry(batch, chain)
            self._add(batch)

    async def run(self) -> None:
        """Tell who is next, for ever, whenever it is time."""
        while True:
            self._news.clear()
            self.look()
            await self._wait()

    def look(self) -> None:
        """Do what is due now."""
        now = self._clock.monotonic()
        for number in sorted(self._due, key=self._due.__getitem__):
            while self._due.get(number, now + 1) <= now:
                self._act(number)

    async def _wait(self) -> None:
        pause = min(self._due.values(), default=float("inf")) - self._clock.monotonic()
        news = asyncio.ensure_future(self._news.wait())
        sleep = asyncio.ensure_future(self._clock.sleep(min(pause, LONGEST_SLEEP_SECONDS)))
        try:
            await asyncio.wait((news, sleep), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in (news, sleep):
                future.cancel()
            await asyncio.gather(news, sleep, return_exceptions=True)

    # What happens to incidents.

    def _follow(self, event: IncidentEvent, batch: Batch) -> list[Message]:
        incident, now = event.incident, self._clock.now()
        self._incidents[incident.id] = incident
        chain = self._chains.get(incident.id)
        if chain is None:
            if event.transition is not IncidentTransition.RESTORED and incident.is_open:
                self._begin(incident, batch, now)
            else:
                self._forget_if_over(incident)
            return []
        again = event.transition is IncidentTransition.ACKNOWLEDGED
        after = follow(chain, incident.status, now, is_acknowledged_again=again)
        if after is chain:
            return []
        self._save(batch, after)
        if after.state is not chain.state:
            word = {"running": "resumed"}.get(after.state.value, after.state.value)
            self._note(batch, after, f"escalation.{word}", {})
        return self._tell_end(after, event) if after.state is ChainState.ENDED else []

    def _begin(self, incident: Incident, batch: Batch, now: float) -> None:
        plan = self._book.plan_for(incident, now)
        if plan is None or incident.status.value != "open":
            return
        chain = begin(incident.id, plan, incident.status, now)
        self._save(batch, chain)
        data = {"policy": plan.policy.name, "steps": len(plan.policy.steps)}
        self._note(batch, chain, "escalation.started", data)

    def _tell_end(self, chain: Chain, event: IncidentEvent) -> list[Message]:
        """Return the messages by which all who were told learn that it is over."""
        self._tellings.pop(chain.incident, None)
        self._forget_if_over(event.incident)
        if not chain.told or event.incident.merged_into is not None:
            return []
        told = dict.fromkeys(chain.told, "")
        return self._messages.make(event.incident, told, self._clock.now(), is_over=True, ended=event.alerts)

    def _forget_if_over(self, incident: Incident) -> None:
        if not incident.is_open:
            self._incidents.pop(incident.id, None)

    # What is due.

    def _act(self, number: int) -> None:
        chain, incident = self._chains[number], self._incidents.get(number)
        if incident is None:  # its row is gone, so nobody is to be told of it any more
            self._due.pop(number)
            return
        delay = self._clock.monotonic() - self._due[number]
        now = self._clock.now()
        after, step = advance(chain, incident.severity, now)
        batch = Batch(time=now)
        if step is not None:
            self._tell(batch, chain, after, step, incident, delay)
            return
        self._save(batch, after)
        if chain.state is ChainState.PAUSED:
            seconds = chain.plan.policy.acknowledge_seconds
            detail = f"not over {format_duration(seconds)} after it was acknowledged"
            self._note(batch, after, "escalation.resumed", {"detail": detail})
        elif after.position != chain.position or after.state is not chain.state:
            self._measurement.steps.labels("skipped").inc()
        self._note_exhausted(batch, after)
        self._add(batch)

    def _tell(self, batch: Batch, before: Chain, chain: Chain, step: int, incident: Incident, delay: float) -> None:
        reach = reach_of(before.plan, step, batch.time, self._schedules)
        messages = self._messages.make(incident, reach.receivers, self._clock.now())
        told = dict.fromkeys(message.receiver for message in messages)
        reach.unreached += [f"receiver {name}: could not be told" for name in reach.receivers if name not in told]
        chain = replace(chain, told=tuple(dict.fromkeys((*chain.told, *told))))
        self._save(batch, chain)
        if delay > LATE_SECONDS:
            self._measurement.late_steps.inc()
            _log.error("step %d of the escalation of incident %d is %.0f s late", step + 1, incident.id, delay)
        self._note(batch, chain, "escalation.told", _entry(before, step, told, reach, delay))
        self._note_exhausted(batch, chain)
        if messages:
            self._measurement.steps.labels("told").inc()
            earlier = self._tellings.get(incident.id)
            due = min(self._clock.monotonic() - delay, earlier.due if earlier is not None else float("inf"))
            self._tellings[incident.id] = _Telling(due, {message.key for message in messages})
        else:
            self._measurement.steps.labels("nobody").inc()
            _log.error("step %d of the escalation of incident %d reaches nobody", step + 1, incident.id)
            self._hurry(batch, chain)
        self._add(replace(batch, messages=messages))

    def _hurry(self, batch: Batch, chain: Chain) -> None:
        hurried = hurry(chain, self._clock.now())
        if hurried is not chain:
            self._save(batch, hurried)

    # What is kept.

    def _save(self, batch: Batch, chain: Chain) -> None:
        self._keep(chain)
        batch.entries.append(saving(chain))

    def _keep(self, chain: Chain) -> None:
        if chain.state is ChainState.ENDED:
            self._chains.pop(chain.incident, None)
            self._due.pop(chain.incident, None)
            return
        self._chains[chain.incident] = chain
        pause = remaining_seconds(chain, self._clock.now())
        if pause is None:
            self._due.pop(chain.incident, None)
        else:
            # What was due before now is late by that much.
            passed = max(0.0, self._clock.now() - (chain.due_at or 0.0)) if pause == 0 else 0.0
            self._due[chain.incident] = self._clock.monotonic() + pause - passed
        self._news.set()

    def _note(self, batch: Batch, chain: Chain, kind: str, data: Mapping[str, object]) -> None:
        batch.entries.append(self._logbook.appending(kind, f"incident/{chain.incident}", data))

    def _note_exhausted(self, batch: Batch, chain: Chain) -> None:
        if chain.state is ChainState.EXHAUSTED:
            self._note(
                batch, chain, "escalation.exhausted", {"detail": "everybody was told, and nobody has acknowledged it"}
            )

    def _is_running(self, number: int) -> bool:
        chain = self._chains.get(number)
        return chain is not None and chain.state is ChainState.RUNNING

    def _count(self, state: str) -> int:
        return sum(chain.state.value == state for chain in list(self._chains.values()))

    def _people_on_call(self, schedule: str) -> int:
        return len(self._schedules.on_call(schedule, self._clock.now()))


def _entry(chain: Chain, step: int, told: Collection[str], reach: Reach, delay: float) -> dict[str, object]:
    """Return what the logbook keeps of a step."""
    steps = len(chain.plan.policy.steps)
    texts = [f"step {step + 1} of {steps}", f"round {chain.round + 1}" if chain.round else "", *reach.unreached]
    if delay > LATE_SECONDS:
        texts.append(f"{format_duration(round(delay))} late")
    return {
        "policy": chain.plan.policy.name,
        "step": step + 1,
        "round": chain.round + 1,
        "targets": [reach.receivers.get(name) or name for name in told],
        "receivers": list(told),
        "people": reach.people,
        "late_seconds": round(delay, 1) if delay > LATE_SECONDS else 0.0,
        "detail": "; ".join(filter(None, texts)),
    }
