"""What the HTTP API needs of the daemon: the seam between the two, so that each can be tested without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from core.clock import Clock
from core.db.database import Trouble
from core.logbook import Entry, Fault
from core.tasks import Tasks


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
    """

    file: str
    loaded_at: float
    error: str | None = None


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

    def targets(self) -> Sequence[Any]:
        """Return the status of every source."""

    def exported_readings(self) -> Sequence[tuple[str, Any]]:
        """Return the newest readings of what the daemon measures itself, by source, for /metrics."""


class AlertingView(Protocol):
    """The part of alerting.alerting.Alerting that is shown."""

    def alerts(self) -> Sequence[Any]:
        """Return pending, firing and lately resolved alerts."""

    async def incidents(self, *, limit: int = 20) -> Sequence[Any]:
        """Return all open incidents and the newest `limit` others, newest first."""

    async def incident(self, incident_id: int) -> Any:
        """Return one incident. Raises: NotFoundError."""

    def rules(self) -> Sequence[Any]:
        """Return the rules with their state."""


class ActionsView(Protocol):
    """The part of actions.operations.Actions that is shown and asked."""

    def services(self) -> Sequence[Any]:
        """Return the status of every service in every environment."""

    async def operations(self, *, limit: int = 20, service: str = "") -> Sequence[Any]:
        """Return operations, newest first."""

    async def operation(self, operation_id: str) -> Any:
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
    ) -> Any:
        """Write down and begin an operation. Raises: UserError, NotFoundError, ConflictError, StoreUnavailableError."""

    async def cancel(self, operation_id: str, *, actor: str) -> Any:
        """Cancel an operation and return it."""

    def readings(self) -> Sequence[tuple[str, Any]]:
        """Return readings (layout, values, families) of the routers, for /metrics."""


class EngineView(Protocol):
    """metrics.promql.engine.Engine."""

    def instant(self, expression: Any, at_ms: int) -> Any:
        """Evaluate at one moment."""

    def range(self, expression: Any, start_ms: int, end_ms: int, step_ms: int) -> Any:
        """Evaluate at start, start + step, ... up to end."""


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

    def health(self) -> Any:
        """Return alerting's Health of the whole system: status, reasons, aspects."""

    async def reload(self, *, actor: str) -> None:
        """Load the config file anew. Raises: ConfigError: the old one keeps running."""
