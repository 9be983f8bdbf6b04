"""What the HTTP API needs of alerting: what it shows of alerts and incidents, and what it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from alerting.alert import Alert, Severity
from alerting.incident import Incident
from alerting.incident_link import Claim
from alerting.incident_record import IncidentRecord
from alerting.incident_work import Doer
from alerting.pipeline.dispatch import GroupView
from alerting.pipeline.posted import PostedAlert
from alerting.pipeline.stage import AlertStatus
from alerting.rule_status import GroupStatus, RuleStatus
from alerting.silence import Silence

if TYPE_CHECKING:
    from alerting.escalation import Chain
    from alerting.schedules import Schedules


class EscalationView(Protocol):
    """The part of alerting.escalation_door.EscalationDoor that is shown and asked."""

    @property
    def schedules(self) -> Schedules | None:
        """The on-call schedules; None while none are configured."""

    async def chain(self, incident: int) -> Chain | None:
        """Return the escalation of an incident; None where it has none."""


class DeskView(Protocol):
    """alerting.incident_desk.IncidentDesk: where people act on incidents; what each method raises stands there."""

    async def acknowledge(self, number: int, by: Doer, note: str = "") -> Incident:
        """Say that somebody works on it."""

    async def mitigate(self, number: int, by: Doer, note: str = "") -> Incident:
        """Say that its effects are contained."""

    async def resolve(self, number: int, by: Doer, note: str = "") -> Incident:
        """End it."""

    async def reopen(self, number: int, by: Doer, note: str = "") -> Incident:
        """Take it up again."""

    async def review(self, number: int, by: Doer, findings: dict[str, str]) -> Incident:
        """Close its review."""

    async def assign(self, number: int, by: Doer, owner: str, note: str = "") -> Incident:
        """Say who works on it."""

    async def set_severity(self, number: int, by: Doer, severity: Severity, note: str = "") -> Incident:
        """Say how bad it is."""

    async def note(self, number: int, by: Doer, text: str) -> Incident:
        """Put a text on its timeline."""

    async def open(
        self, by: Doer, *, title: str, service: str = "", environment: str = "", severity: Severity, note: str = ""
    ) -> Incident:
        """Begin one that no alert tells of."""

    async def merge(self, number: int, into: int, by: Doer, note: str = "") -> Incident:
        """Put its alerts and history into another, and return that one."""

    async def split(self, number: int, alerts: Sequence[str], by: Doer, title: str = "", note: str = "") -> Incident:
        """Make some of its alerts one of their own, and return that one."""

    async def link_state(self, token: str) -> tuple[Claim, Incident, bool]:
        """Return what a signed link is for, its incident now, and whether it was used."""

    async def acknowledge_by_link(self, token: str, person: str = "") -> Incident:
        """Acknowledge what a signed link is for."""


class RecordsView(Protocol):
    """alerting.incident_record.IncidentRecords."""

    async def read(self, number: int) -> IncidentRecord:
        """Return an incident's record. Raises: NotFoundError, StoreUnavailableError."""

    async def opened_since(self, moment: float) -> list[Incident]:
        """Return the incidents that were opened since then."""


class LinkMetricsView(Protocol):
    """The part of alerting.incident_metrics.IncidentMetrics that counts links."""

    def link_used(self, outcome: str) -> None:
        """Count a link: `acknowledged` or `refused`."""


class RoomView(Protocol):
    """The part of alerting.incident_room.IncidentRoom that is shown and asked."""

    @property
    def desk(self) -> DeskView:
        """Where people act on incidents."""

    @property
    def records(self) -> RecordsView:
        """Reads an incident's history."""

    @property
    def metrics(self) -> LinkMetricsView:
        """What is measured."""


class PipelineView(Protocol):
    """alerting.pipeline.pipeline.Pipeline: what is told to whom, and the door for alerts of others."""

    async def post(self, alerts: Sequence[PostedAlert]) -> None:
        """Take in alerts; they are durable when it returns. Raises: StoreUnavailableError."""

    def alerts(self) -> Sequence[Alert]:
        """Return the alerts that fire, own and posted ones."""

    def statuses(self) -> Mapping[str, AlertStatus]:
        """Return, by fingerprint, what keeps each alert from being told, and who is told."""

    def groups(self) -> Sequence[GroupView]:
        """Return the groups in which alerts are told."""


class SilencesView(Protocol):
    """alerting.silences.Silences."""

    def all(self) -> Sequence[Silence]:
        """Return all silences."""

    def get(self, id_: str) -> Silence:
        """Return one. Raises: NotFoundError."""

    def mutes(self, labels: Mapping[str, str], now: float) -> tuple[str, ...]:
        """Return the ids of the silences that keep an alert with these labels from being told."""

    async def set(self, silence: Silence, actor: str) -> str:
        """Make or change a silence and return its id; it is durable then. Raises: UserError, NotFoundError."""

    async def expire(self, id_: str, actor: str) -> None:
        """End a silence. Raises: NotFoundError."""


class AlertingView(Protocol):
    """The part of alerting.alerting.Alerting that is shown."""

    @property
    def escalation(self) -> EscalationView:
        """On-call schedules and escalations."""

    @property
    def external_url(self) -> str:
        """Where people reach the daemon."""

    @property
    def pipeline(self) -> PipelineView:
        """What is told to whom."""

    @property
    def silences(self) -> SilencesView:
        """The silences."""

    def receivers(self) -> Sequence[str]:
        """Return the names of the receivers, in the config's order."""

    def routing_text(self) -> str:
        """Return the part of the config that Alertmanager has too, as YAML without secrets."""

    def alerts(self) -> Sequence[Alert]:
        """Return pending and firing alerts."""

    def resolved_alerts(self) -> Sequence[Alert]:
        """Return the alerts that were resolved last, newest first."""

    async def incidents(self, limit: int = 20) -> Sequence[Incident]:
        """Return all open incidents and the newest `limit` of all, newest first."""

    @property
    def room(self) -> RoomView:
        """Everything about incidents."""

    def rules(self) -> Sequence[RuleStatus]:
        """Return the rules and how they go."""

    def groups(self) -> Sequence[GroupStatus]:
        """Return the groups of rules with their rules' alerts."""
