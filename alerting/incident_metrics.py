"""What is measured of incidents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary

from alerting.incident import Incident, IncidentEvent, IncidentStatus, IncidentTransition
from alerting.incident_figures import seconds_to_acknowledge, seconds_to_recover

MOST_SERVICES = 200
"""So many services are counted by name; the rest together as `other`, because anybody may post alerts."""


class IncidentMetrics:
    """Counts incidents as they are opened, acknowledged and over.

    Args:
        open_incidents: returns those that are open.
    """

    def __init__(self, registry: CollectorRegistry, open_incidents: Callable[[], Sequence[Incident]]) -> None:
        self._services: set[str] = set()
        self._opened = Counter(
            "watchkeeper_incidents_opened_total", "Incidents opened.", ["service", "severity"], registry=registry
        )
        self._acknowledged = Summary(
            "watchkeeper_incident_acknowledge_duration_seconds",
            "Time from an incident to its first acknowledgement.",
            ["service"],
            registry=registry,
        )
        self._recovered = Summary(
            "watchkeeper_incident_recover_duration_seconds",
            "Time from an incident to its end.",
            ["service"],
            registry=registry,
        )
        self._links = Counter(
            "watchkeeper_incident_links_total", "Links of notifications that were used.", ["outcome"], registry=registry
        )
        for outcome in ("acknowledged", "refused"):
            self._links.labels(outcome)
        count = Gauge("watchkeeper_incidents_open", "Incidents that are open.", registry=registry)
        count.set_function(lambda: float(len(open_incidents())))
        waiting = Gauge(
            "watchkeeper_incidents_unacknowledged", "Incidents that nobody works on yet.", registry=registry
        )
        waiting.set_function(
            lambda: float(sum(incident.status is IncidentStatus.OPEN for incident in open_incidents()))
        )

    def note(self, event: IncidentEvent) -> None:
        """Count what happened."""
        incident, transition = event.incident, event.transition
        service = self._service(incident.service)
        if transition is IncidentTransition.OPENED:
            self._opened.labels(service, incident.severity.value).inc()
        elif transition in (IncidentTransition.ACKNOWLEDGED, IncidentTransition.MITIGATED):
            taken = seconds_to_acknowledge(incident)
            if taken is not None and incident.acknowledged_at == incident.changed_at:
                self._acknowledged.labels(service).observe(taken)
        elif transition is IncidentTransition.RESOLVED:
            taken = seconds_to_recover(incident)
            if taken is not None:
                self._recovered.labels(service).observe(taken)

    def link_used(self, outcome: str) -> None:
        """Count a link: `acknowledged` or `refused`."""
        self._links.labels(outcome).inc()

    def _service(self, name: str) -> str:
        if name not in self._services and len(self._services) >= MOST_SERVICES:
            return "other"
        self._services.add(name)
        return name
