"""Incidents without a database: decisions are the real ones, kept in a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from alerting import incident_work as work
from alerting.alert import Alert, Severity
from alerting.incident import Incident, IncidentAlert, IncidentEvent, IncidentTransition, subject_of
from alerting.incident_change import changes_in, suspect_texts, suspects
from alerting.incident_link import Claim, LinkSigner
from alerting.incident_record import IncidentRecord
from alerting.incident_store import incident_entry
from alerting.incident_timeline import timeline
from alerting.incident_work import Doer
from core.clock import Clock
from core.errors import ConflictError, NotFoundError, StoreUnavailableError

KEY = b"k" * 32


class FakeRoom:
    def __init__(self, alerting: Any, logbook: Any, clock: Clock) -> None:
        self.desk = FakeDesk(alerting, logbook, clock)
        self.records = FakeRecords(self.desk, alerting, logbook)
        self.metrics = FakeLinkMetrics()


@dataclass
class FakeLinkMetrics:
    used: list[str] = field(default_factory=list)

    def link_used(self, outcome: str) -> None:
        self.used.append(outcome)


class FakeDesk:
    def __init__(self, alerting: Any, logbook: Any, clock: Clock) -> None:
        self._alerting = alerting
        self._logbook = logbook
        self._clock = clock
        self.signer = LinkSigner(KEY)
        self.used: set[str] = set()
        self.refusal: Exception | None = None

    def get(self, number: int) -> Incident:
        incidents: list[Incident] = self._alerting.opened
        for incident in incidents:
            if incident.id == number:
                return incident
        raise NotFoundError(f"there is no incident {number}; 'watchkeeper incidents' lists them")

    async def acknowledge(self, number: int, by: Doer, note: str = "") -> Incident:
        return await self._do(work.acknowledge(self.get(number), by, self._clock.now(), note))

    async def mitigate(self, number: int, by: Doer, note: str = "") -> Incident:
        return await self._do(work.mitigate(self.get(number), by, self._clock.now(), note))

    async def resolve(self, number: int, by: Doer, note: str = "") -> Incident:
        return await self._do(work.resolve(self.get(number), by, self._clock.now(), note))

    async def reopen(self, number: int, by: Doer, note: str = "") -> Incident:
        return await self._do(work.reopen(self.get(number), by, self._clock.now(), note))

    async def review(self, number: int, by: Doer, findings: dict[str, str]) -> Incident:
        return await self._do(work.review(self.get(number), by, self._clock.now(), findings))

    async def assign(self, number: int, by: Doer, owner: str, note: str = "") -> Incident:
        return await self._do(work.assign(self.get(number), by, owner, note))

    async def set_severity(self, number: int, by: Doer, severity: Severity, note: str = "") -> Incident:
        return await self._do(work.set_severity(self.get(number), by, severity, note))

    async def note(self, number: int, by: Doer, text: str) -> Incident:
        return await self._do(work.note(self.get(number), by, text))

    async def open(
        self, by: Doer, *, title: str, service: str = "", environment: str = "", severity: Severity, note: str = ""
    ) -> Incident:
        number = max((incident.id for incident in self._alerting.opened), default=0) + 1
        return await self._do(
            work.open_by_hand(
                number, by, self._clock.now(), title=title, service=service, environment=environment,
                severity=severity, note=note,
            )
        )  # fmt: skip

    async def merge(self, number: int, into: int, by: Doer, note: str = "") -> Incident:
        return await self._do(work.merge(self.get(number), self.get(into), by, self._clock.now(), note), show=1)

    async def split(self, number: int, alerts: Sequence[str], by: Doer, title: str = "", note: str = "") -> Incident:
        incident = self.get(number)
        known = {alert.id: alert for alert in alerts_of(incident, self._alerting.shown)}
        chosen = [known[alert] for alert in alerts]
        new = max(incident.id for incident in self._alerting.opened) + 1
        return await self._do(work.split(incident, chosen, new, by, self._clock.now(), title, note), show=1)

    async def link_state(self, token: str) -> tuple[Claim, Incident, bool]:
        claim = self.signer.read(token, self._clock.now())
        return claim, self.get(claim.incident), claim.nonce in self.used

    async def acknowledge_by_link(self, token: str, person: str = "") -> Incident:
        claim, incident, used = await self.link_state(token)
        if used:
            raise ConflictError("this link was used before")
        name = claim.person or person
        incident = await self.acknowledge(incident.id, Doer(f"link:{name}" if name else "link", name))
        self.used.add(claim.nonce)
        return incident

    async def _do(self, events: list[IncidentEvent], show: int = 0) -> Incident:
        if self.refusal is not None:
            raise self.refusal
        if self._logbook.broken:
            raise StoreUnavailableError("the state database cannot be written: disk full; try again")
        for event in events:
            incidents = self._alerting.opened
            incidents[:] = [one for one in incidents if one.id != event.incident.id]
            incidents.insert(0, event.incident)
            if event.transition is not IncidentTransition.LEFT:
                kind, subject = f"incident.{event.transition}", event.incident.logbook_subject
                await self._logbook.append(kind, subject, incident_entry(event), actor=event.actor)
        return events[show].incident


class FakeRecords:
    def __init__(self, desk: FakeDesk, alerting: Any, logbook: Any) -> None:
        self._desk = desk
        self._alerting = alerting
        self._logbook = logbook

    async def read(self, number: int) -> IncidentRecord:
        incident = self._desk.get(number)
        alerts = alerts_of(incident, self._alerting.shown)
        entries = await self._logbook.read(limit=10_000)
        found = suspects(incident, changes_in(entries), within_seconds=1800)
        lines = timeline(incident, alerts, entries, suspects={change.number for change in found})
        return IncidentRecord(incident, tuple(alerts), (), tuple(lines), suspect_texts(incident, found))

    async def opened_since(self, moment: float) -> list[Incident]:
        return [incident for incident in self._alerting.opened if incident.opened_at >= moment]


def alerts_of(incident: Incident, shown: Sequence[Alert]) -> list[IncidentAlert]:
    """Return an incident's alerts, as far as they are shown."""
    return [
        IncidentAlert(
            id=alert.id, name=alert.name, subject=subject_of(alert.labels), severity=alert.severity,
            labels=alert.labels, annotations=alert.annotations, expr=alert.expr, value=alert.value,
            active_since=alert.active_since, joined_at=alert.fired_at or alert.active_since,
            resolved_at=alert.resolved_at,
        )
        for alert in shown
        if alert.id in incident.alerts
    ]  # fmt: skip
