"""Everything about incidents under one roof: what alerts make of them, what people do, what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from alerting.alert import Alert, Transition
from alerting.incident import Incident, IncidentEvent
from alerting.incident_change import suspect_texts, suspects
from alerting.incident_config import IncidentsSection
from alerting.incident_desk import IncidentDesk
from alerting.incident_links import IncidentLinks
from alerting.incident_metrics import IncidentMetrics
from alerting.incident_record import IncidentRecords
from alerting.incident_store import load_closed_since, load_open
from alerting.incidents import Incidents
from alerting.journal import Journal
from alerting.notify.notice import IncidentNote, Links, Notice
from alerting.recent_changes import RecentChanges
from core.clock import Clock
from core.db.database import Database
from core.logbook import Logbook
from core.tasks import Tasks


class IncidentRoom:
    """The incidents of one daemon.

    Args:
        journal: writes events down; `committed` is to be called with those that are durable.
        url: where people reach the daemon; empty while nobody knows.
        link_key_file: holds the key that signs links; None for no links that act.
        dependencies: returns all that a service needs, also through others; incidents are correlated by it.

    Attributes:
        desk: where people act on incidents.
        records: reads an incident's history.
        changes: to be told with `look` that something may have been changed on purpose.
        metrics: what is measured.
    """

    def __init__(
        self,
        journal: Journal,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        tasks: Tasks,
        registry: CollectorRegistry,
        *,
        url: Callable[[], str],
        link_key_file: Path | None,
        dependencies: Callable[[str], Collection[str]] = lambda _name: (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._incidents = Incidents()
        self._incidents.correlation = replace(self._incidents.correlation, dependencies=dependencies)
        self._section = IncidentsSection()
        self._links = IncidentLinks(url, link_key_file, clock)
        self.changes = RecentChanges(logbook, clock, tasks)
        self.metrics = IncidentMetrics(registry, lambda: self._incidents.open)
        self.desk = IncidentDesk(self._incidents, journal, database, clock, self._links)
        self.records = IncidentRecords(
            self.desk, database, logbook, clock, dependencies=dependencies, suspect_seconds=self._suspect_seconds
        )

    def configure(self, section: IncidentsSection) -> None:
        """Follow a config."""
        self._section = section
        self._links.lifetime_seconds = section.link_lifetime
        self._incidents.correlation = replace(
            self._incidents.correlation,
            opens=section.opens,
            within_seconds=section.correlate_within,
            reopen_seconds=section.reopen_within,
        )

    async def restore(self, now: float, firing: Iterable[Alert] = ()) -> list[IncidentEvent]:
        """Go on from what the last process wrote down, and return what is to be written down of that.

        Args:
            firing: the alerts that fire.

        Raises: StoreUnavailableError.
        """
        closed_since = now - self._incidents.correlation.reopen_seconds
        (opened, last), closed = await self._database.read(
            lambda connection: (load_open(connection), load_closed_since(connection, closed_since))
        )
        await asyncio.to_thread(self._links.load_key)
        await self.changes.restore()
        return self._incidents.restore(opened, last, now, closed=closed, firing=firing)

    def update(self, changes: Sequence[tuple[Transition, Alert]], now: float) -> list[IncidentEvent]:
        """Return what the alert transitions of one round do to incidents; they are to be written down in this order."""
        return self._incidents.update(changes, now)

    def committed(self, event: IncidentEvent) -> None:
        """Take note that an event is durable."""
        self.metrics.note(event)

    @property
    def open(self) -> list[Incident]:
        """The open incidents, oldest first."""
        return self._incidents.open

    def get(self, number: int) -> Incident | None:
        """Return an incident that is open or was closed lately."""
        return self._incidents.get(number)

    def of_alert(self, alert_id: str) -> Incident | None:
        """Return the incident that an alert belongs to: an open one, or one that was closed lately."""
        return self._incidents.of_alert(alert_id)

    def suspects(self, incident: Incident) -> tuple[str, ...]:
        """Return the recent changes that may have caused an incident, as ready texts, likeliest first."""
        needed = self.records.needed_by(incident)
        found = suspects(incident, self.changes.all(), needed, within_seconds=self._suspect_seconds())
        return suspect_texts(incident, found)

    def links(self, about: Alert | Incident | None, labels: Mapping[str, str], person: str = "") -> Links:
        """Return the links of a notification about an alert or incident.

        Args:
            labels: those that all its alerts have in common; what a silence is made of.
            person: whom it goes to, where that is one person; stands in the logbook when a link is used.
        """
        incident = self.of_alert(about.id) if isinstance(about, Alert) else about
        return self._links.links(incident, labels, person)

    def enrich(self, notice: Notice) -> Notice:
        """Return a notice with its incident, the links and the suspects."""
        found = (self.of_alert(alert.id) for alert in notice.alerts)
        incident = next((one for one in found if one is not None), None)
        links = self._links.links(incident, notice.group_labels)
        if incident is None:
            return replace(notice, links=links)
        note = IncidentNote(incident.id, incident.title, incident.severity)
        return replace(notice, links=links, incident=note, suspects=self.suspects(incident))

    def _suspect_seconds(self) -> float:
        return self._section.suspect_within
