"""What the HTTP API needs of the daemon: the seam between the two, so that each can be tested without the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from actions.deployment.status import ServiceStatus
from actions.operation import Operation
from alerting.health import Health
from collectors.collector import Readings
from collectors.discovery.discovery import Offer
from collectors.manager import TargetStatus
from collectors.remote_write.receiver import Receipt
from core.clock import Clock
from core.db.database import Trouble
from core.logbook import Entry, Fault
from core.tasks import Tasks
from daemon.api.alerting_view import AlertingView
from metrics.frame import Family
from metrics.label import Labels
from metrics.promql.parse import Expression
from metrics.promql.result import Matrix, Result
from metrics.statistics import StoreStatistics
from metrics.storage import Matcher, Storage


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
