"""Everything there is to know of one incident, and figures over all, read for people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from alerting.incident import Incident, IncidentAlert
from alerting.incident_change import changes_in, services_of, suspect_texts, suspects
from alerting.incident_desk import IncidentDesk
from alerting.incident_store import load_alerts, load_merged, load_opened_since
from alerting.incident_timeline import Line, timeline
from core.clock import Clock
from core.db.database import Database
from core.logbook import Logbook

AFTER_SECONDS = 300.0
"""A timeline goes on for so long after its incident's end, because notifications and operations end later."""

MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """An incident with its history.

    Attributes:
        merged: incidents whose alerts and history are its own now.
        suspects: recent changes that may be the cause, each a ready text, likeliest first.
    """

    incident: Incident
    alerts: tuple[IncidentAlert, ...]
    merged: tuple[int, ...]
    timeline: tuple[Line, ...]
    suspects: tuple[str, ...]


class IncidentRecords:
    """Reads records.

    Args:
        dependencies: the services that a service needs.
        suspect_seconds: how long before the trouble a change is a suspect.
    """

    def __init__(
        self,
        desk: IncidentDesk,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        *,
        dependencies: Callable[[str], Collection[str]],
        suspect_seconds: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._dependencies = dependencies
        self._suspect_seconds = suspect_seconds

    async def read(self, number: int) -> IncidentRecord:
        """Return an incident's record.

        Raises: NotFoundError, StoreUnavailableError.
        """
        incident = await self._desk.get(number)
        alerts, merged = await self._database.read(lambda connection: _alerts_and_merged(connection, number))
        began = min(
            [incident.opened_at, incident.started_at or incident.opened_at, *(one.active_since for one in alerts)]
        )
        window = self._suspect_seconds()
        end = self._clock.now() if incident.resolved_at is None else incident.resolved_at + AFTER_SECONDS
        entries = await self._logbook.between(began - window, end, limit=MOST_ENTRIES)
        if incident.resolved_at is not None:
            # What people do with it later belongs to it whenever it is.
            last = entries[-1].number if entries else 0
            entries += await self._logbook.read(subject=incident.logbook_subject, after=last)
        needed = self.needed_by(incident)
        found = suspects(incident, changes_in(entries), needed, within_seconds=window)
        lines = timeline(
            incident, alerts, entries, merged=merged, needed=needed, suspects={change.number for change in found}
        )
        return IncidentRecord(incident, tuple(alerts), tuple(merged), tuple(lines), suspect_texts(incident, found))

    def needed_by(self, incident: Incident) -> set[str]:
        """Return the services that those of an incident need, without themselves."""
        own = {service for service, _ in services_of(incident)}
        return {needed for service in own for needed in self._dependencies(service)} - own

    async def opened_since(self, moment: float) -> list[Incident]:
        """Return the incidents that were opened since then and not merged into others, without their alerts."""
        return await self._database.read(lambda connection: load_opened_since(connection, moment))


def _alerts_and_merged(connection: Connection, number: int) -> tuple[list[IncidentAlert], list[int]]:
    return load_alerts(connection, number), load_merged(connection, number)
