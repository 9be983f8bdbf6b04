"""What the HTTP API needs of the daemon: the seam between the two, so that each can be tested without the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client import CollectorRegistry

from actions.deployment.status import ServiceStatus
from actions.operation import Operation
from alerting.alert import Alert, Severity
from alerting.health import Health
from alerting.incident import Incident
from alerting.incident_link import Claim
from alerting.incident_record import IncidentRecord
from alerting.incident_work import Doer
from alerting.pipeline.dispatch import GroupView
from alerting.pipeline.posted import PostedAlert
from alerting.pipeline.stage import AlertStatus
from alerting.rule_status import GroupStatus, RuleStatus
from alerting.silence import Silence
from collectors.collector import Readings
from collectors.discovery.discovery import Offer
from collectors.manager import TargetStatus
from collectors.remote_write.receiver import Receipt
from core.clock import Clock
from core.db.database import Trouble
from core.logbook import Entry, Fault
from core.tasks import Tasks
from metrics.frame import Family
from metrics.label import Labels
from metrics.promql.parse import Expression
from metrics.promql.result import Matrix, Result
from metrics.statistics import StoreStatistics
from metrics.storage import Matcher, Storage

if TYPE_CHECKING:
    from alerting.escalation import Chain
    from alerting.schedules import Schedules


class WebSettings(Protocol):
    """The `web` section of the config file, as far as the server needs it."""

    @property
    def listen(self) -> str:
        """`HOST:PORT`."""

    @property
    def token_file(self) -> str | None:
        """File with the access token; None serves loopback without one."""


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """Which configuration runs.

    Attributes:
        file: path of the config file; empty when the daemon runs on built-in defaults.
        loaded_at: Unix seconds of the last successful load.
        error: why the newest file was refused (one mistake a line); None when the newest file is the one that runs.
        data: the file as plain data, secrets included.
        flags: settings that only a restart changes, by the names that Prometheus has for them.
        notes: keys that have no effect, each with its place and what to do.
        external_labels: what others are told with each sample.
    """

    file: str
    loaded_at: float
    error: str | None = None
    data: Any = field(default=None, repr=False)
    flags: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    external_labels: Mapping[str, str] = field(default_factory=dict)


class LogbookView(Protocol):
    """The part of core.logbook.Logbook that is read here."""

    async def append(self, kind: str, subject: str, data: Mapping[str, Any], *, actor: str = "watchkeeper") -> Entry:
        """Write one entry."""

    async def read(
        self, *, after: int = 0, limit: int = 1000, kind: str = "", subject: str = "", newest: bool = False
    ) -> list[Entry]:
        """Return entries in order of their numbers."""

    async def verify(self) -> list[Fault]:
        """Return every fault of the chain."""


class CollectorsView(Protocol):
    """The part of collectors.manager.CollectorManager that is shown."""

    def targets(self) -> Sequence[TargetStatus]:
        """Return the status of every source."""

    def exported_readings(self) -> Sequence[tuple[str, Readings]]:
        """Return the newest readings of what the daemon measures itself, by source, for /metrics."""

    def offers(self) -> Mapping[str, Offer]:
        """Return, by job, what became of the targets that were found for it."""


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


class ActionsView(Protocol):
    """The part of actions.operations.Actions that is shown and asked."""

    def services(self) -> Sequence[ServiceStatus]:
        """Return the status of every service in every environment."""

    async def operations(self, limit: int = 20, service: str = "") -> Sequence[Operation]:
        """Return operations, newest first."""

    async def operation(self, operation_id: str) -> Operation:
        """Return one operation. Raises: NotFoundError."""

    async def request(
        self,
        kind: str,
        service: str,
        environment: str,
        parameters: Mapping[str, Any],
        *,
        actor: str,
        reason: str,
    ) -> Operation:
        """Write down and begin an operation. Raises: UserError, NotFoundError, ConflictError, StoreUnavailableError."""

    async def cancel(self, operation_id: str, *, actor: str) -> Operation:
        """Cancel an operation and return it."""


class IntakeView(Protocol):
    """daemon.intake.Intake: what others send."""

    @property
    def max_body_size(self) -> int:
        """The most bytes that the body of a remote write request may have."""

    async def write(self, body: bytes) -> Receipt:
        """Take a remote write request. Raises: UserError."""


class PushView(Protocol):
    """collectors.push.door.PushDoor: what short jobs push."""

    @property
    def max_body_size(self) -> int:
        """The most bytes that a push may have."""

    async def push(self, grouping: Labels, body: bytes, content_type: str, *, replace_all: bool) -> None:
        """Take a push. Raises: UserError, StoreUnavailableError."""

    async def delete(self, grouping: Labels) -> None:
        """Forget a group. Raises: StoreUnavailableError."""


class EngineView(Protocol):
    """metrics.promql.engine.Engine; called in threads."""

    def instant(
        self,
        expression: Expression,
        at_ms: int,
        *,
        lookback_ms: int | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> Result:
        """Evaluate at one moment."""

    def range(
        self,
        expression: Expression,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        lookback_ms: int | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> Matrix:
        """Evaluate at start, start + step, ... up to end."""


class StoreView(Storage, Protocol):
    """What is asked of the store besides samples; called in threads."""

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Collection[Labels]:
        """Return the matching series with samples in the time range, in no order."""

    def label_names(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Return, sorted, the names of the labels of matching series with samples in the time range."""

    def label_values(self, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Return, sorted, the values of a label of matching series with samples in the time range."""

    def statistics(self, limit: int) -> StoreStatistics:
        """Return how large the store is, with the `limit` largest of what makes it large."""


class MetadataView(Protocol):
    """metrics.metadata.Metadata: what is told about metrics."""

    def of_source(self, source: str) -> Mapping[str, Family]:
        """Return the families of a source's last frame, by name."""

    def by_name(self) -> Mapping[str, Sequence[Family]]:
        """Return what sources tell about each metric, no telling twice."""


class DaemonView(Protocol):
    """Everything the API shows or asks; implemented by daemon.app and, in tests, by a fake."""

    @property
    def version(self) -> str:
        """The daemon's version."""

    @property
    def hostname(self) -> str:
        """This machine's name: the label `instance` of its own series."""

    @property
    def started_at(self) -> float:
        """When the daemon started, Unix seconds."""

    @property
    def ready(self) -> bool:
        """Whether start-up is complete and no stop is under way."""

    @property
    def config(self) -> ConfigStatus:
        """Which configuration runs, and why a newer one does not."""

    @property
    def database_trouble(self) -> Trouble | None:
        """Why the state database cannot be written now."""

    @property
    def clock(self) -> Clock:
        """Where time comes from."""

    @property
    def tasks(self) -> Tasks:
        """Where the server's background tasks are made."""

    @property
    def registry(self) -> CollectorRegistry:
        """The daemon's own metrics."""

    @property
    def logbook(self) -> LogbookView:
        """The logbook."""

    @property
    def collectors(self) -> CollectorsView:
        """The collector manager."""

    @property
    def alerting(self) -> AlertingView:
        """Alerts, incidents and rules."""

    @property
    def actions(self) -> ActionsView:
        """Services and operations."""

    @property
    def engine(self) -> EngineView:
        """The query engine over the daemon's store."""

    @property
    def store(self) -> StoreView:
        """The daemon's store."""

    @property
    def metadata(self) -> MetadataView:
        """What sources tell about their metrics."""

    @property
    def intake(self) -> IntakeView:
        """Where others bring samples."""

    @property
    def push(self) -> PushView:
        """Where short jobs push."""

    def health(self) -> Health:
        """Return alerting's Health of the whole system: status, reasons, aspects."""

    async def reload(self, *, actor: str) -> None:
        """Load the config file anew. Raises: ConfigError: the old one keeps running."""
