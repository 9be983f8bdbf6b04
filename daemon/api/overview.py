"""The overview: all that the console shows, in one document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any, TypeVar

from alerting.alert import Alert, AlertState
from alerting.silence import SilenceState
from core.errors import StoreUnavailableError
from daemon.api.documents import (
    Document,
    alert_document,
    config_document,
    entry_document,
    health_document,
    incident_document,
    operation_document,
    service_document,
    silence_document,
    target_document,
    trouble_document,
)
from daemon.api.state import DaemonView

INCIDENTS = 20
OPERATIONS = 20
ENTRIES = 30
SILENCES = 100

T = TypeVar("T")


class OverviewBuilder:
    """Builds overviews; while the state database cannot be read, with what was read last."""

    def __init__(self, view: DaemonView) -> None:
        self._view = view
        self._last: dict[str, list[Document]] = {"incidents": [], "operations": [], "logbook": []}

    def _silenced_by(self, alert: Alert) -> tuple[str, ...]:
        if alert.state is not AlertState.FIRING:
            return ()
        return self._view.alerting.silences.mutes(alert.labels, self._view.clock.now())

    def _silences(self) -> list[Document]:
        """Return the silences that are not over, those that end first first."""
        now = self._view.clock.now()
        found = (one for one in self._view.alerting.silences.all() if one.state(now) is not SilenceState.EXPIRED)
        return [silence_document(silence, now) for silence in islice(found, SILENCES)]

    async def build(self) -> Document:
        """Return the overview as of now."""
        view = self._view
        incidents = await self._kept("incidents", self._incidents)
        operations = await self._kept("operations", self._operations)
        logbook = await self._kept("logbook", self._logbook)
        return {
            "version": view.version,
            "now": view.clock.now(),
            "started_at": view.started_at,
            "hostname": view.hostname,
            "ready": view.ready,
            "health": health_document(view.health()),
            "config": config_document(view.config),
            "database_trouble": trouble_document(view.database_trouble),
            "targets": [target_document(target) for target in view.collectors.targets()],
            "alerts": [alert_document(alert, self._silenced_by(alert)) for alert in all_alerts(view)],
            "silences": self._silences(),
            "incidents": incidents,
            "services": [service_document(service) for service in view.actions.services()],
            "operations": operations,
            "logbook": logbook,
        }

    async def _kept(self, name: str, read: Callable[[], Awaitable[list[Document]]]) -> list[Document]:
        try:
            self._last[name] = await read()
        except StoreUnavailableError:
            return self._last[name]  # `database_trouble` tells that it is old
        return self._last[name]

    async def _incidents(self) -> list[Document]:
        return [incident_document(one) for one in await self._view.alerting.incidents(limit=INCIDENTS)]

    async def _operations(self) -> list[Document]:
        return [operation_document(one) for one in await self._view.actions.operations(limit=OPERATIONS)]

    async def _logbook(self) -> list[Document]:
        return [entry_document(entry) for entry in await self._view.logbook.read(limit=ENTRIES, newest=True)]


def all_alerts(view: DaemonView) -> list[Alert]:
    """Return pending and firing alerts, and those that were resolved lately."""
    return [*view.alerting.alerts(), *view.alerting.resolved_alerts()]


def without_time(overview: Document) -> dict[str, Any]:
    """Return what makes two overviews different apart from the time they were built at."""
    return {key: value for key, value in overview.items() if key != "now"}
