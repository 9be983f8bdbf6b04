"""Escalation on a real database, journal and outbox, with receivers that remember, and a clock that tests turn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from alerting.alert import Alert, Severity
from alerting.config import AlertingConfig
from alerting.escalation_desk import EscalationDesk
from alerting.escalation_messages import IncidentMessages
from alerting.incident import Incident, IncidentEvent, IncidentStatus, IncidentTransition
from alerting.journal import Batch, Journal
from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.measurement import NotificationMeasurement
from alerting.notify.message import Message, message_key
from alerting.notify.notice import Notice
from alerting.notify.outbox import Outbox, load_undelivered
from alerting.rule_measurement import RuleMeasurement
from core.clock import Clock
from core.config import validate
from core.db.database import Database
from core.logbook import Logbook
from core.tasks import Tasks, cancel_and_wait
from core.yaml_file import parse_yaml
from daemon.migrations import MIGRATIONS
from tests.fakes.clock import FakeClock, settle


@dataclass
class Phone:
    """An address of a receiver; `answers` are given in turn, then all is well."""

    receiver: str
    clock: Clock
    got: list[tuple[float, str, str]]
    answers: list[Outcome] = field(default_factory=list)
    name: str = "phone/0"
    send_resolved: bool = True
    is_broken: bool = False

    def render(self, notice: Notice) -> str:
        if self.is_broken:
            raise ValueError("a template that fails")
        assert notice.incident is not None
        return json.dumps(
            {
                "status": notice.status,
                "incident": notice.incident.id,
                "alerts": [alert.name for alert in notice.alerts],
                "labels": dict(notice.group_labels),
                "why": notice.why,
                "acknowledge": notice.links.acknowledge,
                "suspects": notice.suspects,
            }
        )

    async def send(self, _session: object, message: Message) -> Attempt:
        outcome = self.answers.pop(0) if self.answers else Outcome.DELIVERED
        if outcome is Outcome.DELIVERED:
            self.got.append((message.created_at, f"{self.receiver} {message.status}", message.body))
        return Attempt(outcome, outcome.value)


@dataclass
class EscalationHouse:
    """What a test looks at; times count from `start`."""

    clock: FakeClock
    database: Database
    logbook: Logbook
    registry: CollectorRegistry
    journal: Journal
    desk: EscalationDesk
    phones: dict[str, Phone]
    got: list[tuple[float, str, str]]
    start: float
    incidents: dict[int, Incident] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    async def open(self, number: int = 1, severity: Severity = Severity.CRITICAL, **more: Any) -> None:
        incident = Incident(
            id=number, subject=f"service/shop-{number}/", title=f"Down: shop-{number}", service=f"shop-{number}",
            environment="production", severity=severity, status=IncidentStatus.OPEN, opened_at=self.clock.now(),
            resolved_at=None, alerts=(),
        )  # fmt: skip
        await self.happen(IncidentTransition.OPENED, replace(incident, **more))

    async def set(self, status: IncidentStatus, number: int = 1, *, by_alerts: Sequence[Alert] = ()) -> None:
        transitions = {IncidentStatus.OPEN: IncidentTransition.REOPENED}
        transition = transitions.get(status) or IncidentTransition(status.value)
        await self.happen(transition, replace(self.incidents[number], status=status), by_alerts)

    async def happen(self, transition: IncidentTransition, incident: Incident, alerts: Sequence[Alert] = ()) -> None:
        self.incidents[incident.id] = incident
        event = IncidentEvent(transition, incident, alerts=tuple(alerts))
        self.journal.add(Batch(incidents=[event], time=self.clock.now()))
        await self.flush()

    async def flush(self) -> None:
        for _ in range(3):
            await settle()
            assert await self.journal.flush(10)
        await settle()

    async def wait(self, seconds: float, every: float = 500.0) -> None:
        """Let time pass, in steps, because the disk takes its own time."""
        await self.flush()
        while seconds > 0:
            await self.clock.advance(min(every, seconds))
            await self.flush()
            seconds -= every

    def told(self) -> list[str]:
        """Return what arrived since the last call: `300 ana firing`."""
        found = [f"{round(at - self.start)} {what}" for at, what, _ in self.got]
        self.got.clear()
        return found

    async def entries(self, number: int = 1) -> list[str]:
        """Return the escalation's entries in the incident's timeline: `told: step 1 of 2`."""
        entries = await self.logbook.read(kind="escalation.", subject=f"incident/{number}")
        return [f"{entry.kind.partition('.')[2]}: {entry.data.get('detail', '')}".rstrip(": ") for entry in entries]

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value


POLICY = """
people: [{name: ana, receiver: ana}, {name: ben, receiver: ben}, {name: cem, receiver: cem}]
schedules:
  - {name: primary, layers: [{people: [ana, ben], rotate: daily, hand_over: '00:00', start: 2023-11-14}]}
escalation_policies:
  - name: default
    steps:
      - {notify: [{schedule: primary}]}
      - {wait: 5m, notify: [{person: cem}]}
      - {wait: 10m, notify: [{receiver: team}, {schedule: primary}]}
"""
RECEIVERS = ("ana", "ben", "cem", "team")


def escalation_config(text: str = POLICY, receivers: Sequence[str] = RECEIVERS) -> AlertingConfig:
    """Return a config whose receivers have no addresses of their own: the house gives them phones."""
    names = ", ".join(f"{{name: {name}}}" for name in receivers)
    return validate(parse_yaml(f"receivers: [{names}]\n{text}\n", "watchkeeper.yml"), AlertingConfig)


@asynccontextmanager
async def escalation_house(
    folder: Path,
    config: AlertingConfig | None = None,
    *,
    clock: FakeClock | None = None,
    incidents: Sequence[Incident] = (),
) -> AsyncIterator[EscalationHouse]:
    """Start escalation in a folder; leave nothing but the database. `incidents` are those open before the start."""
    clock = clock or FakeClock()
    tasks, registry, got = Tasks(clock), CollectorRegistry(), list[tuple[float, str, str]]()
    database = Database(folder / "state.db", MIGRATIONS, clock=clock, tasks=tasks)
    logbook = Logbook(database, clock)
    config = config or escalation_config()
    phones = {receiver.name: Phone(receiver.name, clock, got) for receiver in config.receivers}

    def settled(settlement: Any) -> None:
        journal.add(Batch(settlements=[settlement], time=clock.now()))
        desk.escalations.settled(settlement)

    def extend(batch: Batch) -> Batch:
        return desk.escalations.extend(batch)

    def messages_of(notice: Notice) -> list[Message]:
        phone = phones.get(notice.receiver)
        if phone is None or (notice.status == "resolved" and not phone.send_resolved):
            return []
        body = phone.render(notice)
        key = message_key(notice.receiver, phone.name, body, notice.now)
        return [Message(key, notice.receiver, phone.name, notice.group_key, notice.status, body, notice.now)]

    def add(batch: Batch) -> None:
        journal.add(batch)

    outbox = Outbox(clock, tasks, NotificationMeasurement(registry), on_settled=settled, random=lambda: 0.5)
    outbox.configure({(name, phone.name): phone for name, phone in phones.items()})
    journal = Journal(
        database, logbook, clock, RuleMeasurement(registry),
        on_committed=lambda batch: outbox.add(batch.messages), extend=extend,
    )  # fmt: skip
    house: EscalationHouse
    desk = EscalationDesk(
        database, logbook, clock, tasks, registry, add=add,
        messages=IncidentMessages(messages_of, lambda _incident: house.alerts),
    )  # fmt: skip
    house = EscalationHouse(clock, database, logbook, registry, journal, desk, phones, got, clock.now())
    await database.start()
    writing = tasks.spawn(journal.run, name="journal")
    try:
        desk.configure(config)
        await desk.restore()
        for incident in incidents:
            await house.happen(IncidentTransition.RESTORED, incident)
        outbox.add(await database.read(load_undelivered))
        desk.start()
        yield house
    finally:
        await desk.stop()
        await outbox.stop()
        await journal.flush(1)
        await cancel_and_wait(writing)
        await database.stop()
        await tasks.stop()
