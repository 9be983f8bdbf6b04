"""The incidents that are at work, in memory: the open ones, and those that were closed lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from alerting.alert import Alert, Transition
from alerting.correlation import Correlation, decide, resolved
from alerting.incident import Incident, IncidentEvent, IncidentTransition, subject_of

CLOSED_KEPT = 100
"""So many closed incidents are kept in memory: a person may act on one before its end is on the disk."""


class Incidents:
    """Follows incidents through events; whoever takes its events writes them down, in their order."""

    def __init__(self) -> None:
        self.correlation = Correlation()
        self._open: dict[int, Incident] = {}
        self._closed: dict[int, Incident] = {}
        self._next_id = 1
        self._owned: Counter[str] = Counter()
        self._loose: dict[str, dict[str, Alert]] = {}
        self._loose_subject: dict[str, str] = {}
        self._newly_owned: set[str] = set()
        self._of_alert: dict[str, int] = {}

    def restore(
        self,
        open_incidents: Iterable[Incident],
        last_id: int,
        now: float,
        *,
        closed: Iterable[Incident] = (),
        firing: Iterable[Alert] = (),
    ) -> list[IncidentEvent]:
        """Take back what an earlier process left; an open incident none of whose alerts fires any more is resolved."""
        events = []
        for incident in open_incidents:
            if incident.active or incident.by_hand:
                events.append(IncidentEvent(IncidentTransition.RESTORED, incident))
            else:
                events.append(IncidentEvent(IncidentTransition.RESOLVED, resolved(incident, now)))
        self._closed = {incident.id: incident for incident in closed}
        self._of_alert = {alert: incident.id for incident in self._closed.values() for alert in incident.alerts}
        self._next_id = last_id + 1
        self.apply(events)
        self._note_loose((Transition.FIRING, alert) for alert in firing)
        return events

    def update(self, changes: Sequence[tuple[Transition, Alert]], now: float) -> list[IncidentEvent]:
        """Return what the alert transitions of one round do to incidents, and follow."""
        known = (*self._closed.values(), *self._open.values())
        subjects = {subject_of(alert.labels) for _, alert in changes}
        loose = {subject: self._loose[subject].values() for subject in subjects if subject in self._loose}
        events = decide(known, changes, next_id=self._next_id, now=now, correlation=self.correlation, loose=loose)
        self.apply(events)
        self._note_loose(changes)
        return events

    def _note_loose(self, changes: Iterable[tuple[Transition, Alert]]) -> None:
        """Remember which alerts fire without an incident."""
        # Only what changed is looked at: an alert more must not cost a look at all the others.
        touched = {self._loose_subject[alert] for alert in self._newly_owned if alert in self._loose_subject}
        self._newly_owned.clear()
        for transition, alert in changes:
            subject = subject_of(alert.labels)
            if transition is Transition.FIRING and alert.id not in self._owned:
                self._loose.setdefault(subject, {})[alert.id] = alert
                self._loose_subject[alert.id] = subject
            elif transition is not Transition.PENDING and subject in self._loose:
                self._loose[subject].pop(alert.id, None)
                self._loose_subject.pop(alert.id, None)
                touched.add(subject)
        for subject in touched:
            if all(alert in self._owned for alert in self._loose[subject]):
                for alert_id in self._loose.pop(subject):
                    del self._loose_subject[alert_id]

    def apply(self, events: Iterable[IncidentEvent]) -> None:
        """Follow events that were decided elsewhere."""
        for event in events:
            incident = event.incident
            self._next_id = max(self._next_id, incident.id + 1)
            before = self._open.pop(incident.id, None) or self._closed.pop(incident.id, None)
            known = len(before.alerts) if before is not None and not event.moved else 0
            self._of_alert.update((alert, incident.id) for alert in incident.alerts[known:])
            self._own(before, incident)
            if incident.is_open:
                self._open[incident.id] = incident
            else:
                self._closed[incident.id] = incident
        while len(self._closed) > CLOSED_KEPT:
            self._forget(next(iter(self._closed)))

    def _own(self, before: Incident | None, after: Incident) -> None:
        """Follow which alerts belong to open incidents."""
        old = before.active if before is not None and before.is_open else frozenset()
        new = after.active if after.is_open else frozenset()
        if old is new:
            return
        for alert in new - old:
            self._owned[alert] += 1
            self._newly_owned.add(alert)
        for alert in old - new:
            self._owned[alert] -= 1
            if not self._owned[alert]:
                del self._owned[alert]

    def _forget(self, number: int) -> None:
        for alert in self._closed.pop(number).alerts:
            if self._of_alert.get(alert) == number:
                del self._of_alert[alert]

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
        """Return the incident that an alert belongs to: an open one, or else one that was closed lately."""
        number = self._of_alert.get(alert_id)
        return None if number is None else self.get(number)
