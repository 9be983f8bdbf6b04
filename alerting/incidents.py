"""The incidents that are at work, in memory: the open ones, and those that were closed lately."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerting.alert import Alert, Transition
from alerting.correlation import Correlation, decide, resolved
from alerting.incident import Incident, IncidentEvent, IncidentTransition

CLOSED_KEPT = 100
"""So many closed incidents are kept in memory: a person may act on one before its end is on the disk."""


class Incidents:
    """Follows incidents through events; whoever takes its events writes them down, in their order."""

    def __init__(self) -> None:
        self.correlation = Correlation()
        self._open: dict[int, Incident] = {}
        self._closed: dict[int, Incident] = {}
        self._next_id = 1

    def restore(
        self, open_incidents: Iterable[Incident], last_id: int, now: float, closed: Iterable[Incident] = ()
    ) -> list[IncidentEvent]:
        """Take back what an earlier process left; an open incident none of whose alerts fires any more is resolved."""
        events = []
        for incident in open_incidents:
            if incident.active or incident.by_hand:
                events.append(IncidentEvent(IncidentTransition.RESTORED, incident))
            else:
                events.append(IncidentEvent(IncidentTransition.RESOLVED, resolved(incident, now)))
        self._closed = {incident.id: incident for incident in closed}
        self._next_id = last_id + 1
        self.apply(events)
        return events

    def update(self, changes: Sequence[tuple[Transition, Alert]], now: float) -> list[IncidentEvent]:
        """Return what the alert transitions of one round do to incidents, and follow."""
        known = (*self._closed.values(), *self._open.values())
        events = decide(known, changes, next_id=self._next_id, now=now, correlation=self.correlation)
        self.apply(events)
        return events

    def apply(self, events: Iterable[IncidentEvent]) -> None:
        """Follow events that were decided elsewhere."""
        for event in events:
            incident = event.incident
            self._next_id = max(self._next_id, incident.id + 1)
            self._open.pop(incident.id, None)
            self._closed.pop(incident.id, None)
            if incident.is_open:
                self._open[incident.id] = incident
            else:
                self._closed[incident.id] = incident
        while len(self._closed) > CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]

    @property
    def next_id(self) -> int:
        """The id of the incident that is opened next."""
        return self._next_id

    @property
    def open(self) -> list[Incident]:
        """The open incidents, oldest first."""
        return sorted(self._open.values(), key=lambda incident: incident.id)

    def get(self, number: int) -> Incident | None:
        """Return an incident that is open or was closed lately, as it was decided last."""
        return self._open.get(number) or self._closed.get(number)

    def of_alert(self, alert_id: str) -> Incident | None:
        """Return the open incident that a firing alert belongs to."""
        return next((one for one in self._open.values() if alert_id in one.active), None)
