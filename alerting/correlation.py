"""Which alerts are one incident. Pure: decides from alert transitions which incidents open, grow, come back and end.

An alert that is bad enough opens an incident for what it is about; whatever fires there while it is open joins it, and
so does what fires soon in a service that needs it or that it needs: one cause is one incident. It is resolved when all
its alerts are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from alerting.alert import Alert, Severity, Transition
from alerting.incident import (
    Incident,
    IncidentEvent,
    IncidentStatus,
    IncidentTransition,
    service_of,
    subject_of,
    title_of,
    worse,
)


def is_critical(alert: Alert) -> bool:
    """Tell whether an alert opens an incident where nothing else is configured."""
    return alert.severity is Severity.CRITICAL


def _nothing(_service: str) -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """How alerts become incidents.

    Attributes:
        opens: whether an alert opens an incident where none is open that it belongs to.
        dependencies: the services that a service needs, those that they need included.
        within_seconds: so long after an incident last grew, alerts of services that it depends on, or that depend on
            it, join it.
        reopen_seconds: so long after its end, the same trouble opens an incident again rather than a new one.
    """

    opens: Callable[[Alert], bool] = is_critical
    dependencies: Callable[[str], Collection[str]] = _nothing
    within_seconds: float = 600.0
    reopen_seconds: float = 0.0


def decide(
    known: Iterable[Incident],
    changes: Iterable[tuple[Transition, Alert]],
    *,
    next_id: int,
    now: float,
    correlation: Correlation | None = None,
    loose: Mapping[str, Iterable[Alert]] | None = None,
) -> list[IncidentEvent]:
    """Return what the alert transitions of one evaluation round do to incidents, in order.

    Args:
        known: the open incidents, and those that may be reopened.
        next_id: the id of the next incident that is opened; further ones count up from it.
        loose: alerts, by subject, that fire and belong to no incident; an incident that opens takes along those that
            began to fire shortly before, because the first sign of trouble is rarely the worst.
    """
    # Worst first: a warning that fires in the same round as the critical alert belongs to its incident.
    ordered = sorted(changes, key=lambda change: change[1].severity.rank)
    turn = _Round(known, correlation or Correlation(), next_id, now, loose or {})
    for transition, alert in ordered:
        if transition is Transition.FIRING:
            turn.fired(alert)
    turn.join()
    turn.end([alert for transition, alert in ordered if transition is Transition.RESOLVED])
    return turn.events


class _Round:
    """The incidents while one round of transitions is worked through; a storm of alerts costs each alert once."""

    def __init__(
        self,
        known: Iterable[Incident],
        correlation: Correlation,
        next_id: int,
        now: float,
        loose: Mapping[str, Iterable[Alert]],
    ) -> None:
        self._loose = loose
        self.events: list[IncidentEvent] = []
        self._correlation = correlation
        self._next_id = next_id
        self._now = now
        self._incidents = {incident.id: incident for incident in known}
        # None ends before all that fired are placed, and a storm of new incidents asks often.
        self._closed = sorted((one.id for one in self._incidents.values() if not one.is_open), reverse=True)
        self._about: defaultdict[str, list[int]] = defaultdict(list)
        self._joining: defaultdict[int, list[Alert]] = defaultdict(list)
        self._related: dict[str, int | None] = {}
        for incident in self._incidents.values():
            if incident.is_open:
                self._index(incident)

    def fired(self, alert: Alert) -> None:
        subject = subject_of(alert.labels)
        found = self._open_about(subject, alert.name)
        if found is None:
            found = self._open_related(subject)
        if found is not None:
            self._joining[found].append(alert)
            if found not in self._about[subject]:
                self._about[subject].append(found)
        elif self._correlation.opens(alert):
            self._open(subject, alert)

    def join(self) -> None:
        """Let the alerts that belong to an incident join it, all of a round at once."""
        for number, alerts in self._joining.items():
            before = self._incidents[number]
            after = joined(before, alerts, self._now)
            self._happened(IncidentTransition.JOINED, after, alerts)
            if after.severity is not before.severity:
                data = {"severity_before": before.severity.value}
                self._happened(IncidentTransition.RAISED, after, alerts[:1], data)

    def end(self, alerts: list[Alert]) -> None:
        """Take resolved alerts from their incidents; one that has none left is resolved."""
        of = self._incident_of_active() if alerts else {}
        ended: defaultdict[int, list[Alert]] = defaultdict(list)
        for alert in alerts:
            if alert.id in of:
                ended[of[alert.id]].append(alert)
        for number, gone in ended.items():
            incident = self._incidents[number]
            incident = replace(incident, active=incident.active - {alert.id for alert in gone})
            if incident.active or incident.by_hand:
                self._happened(IncidentTransition.LEFT, incident, gone)
            else:
                self._happened(IncidentTransition.RESOLVED, resolved(incident, self._now), gone)

    def _happened(
        self,
        transition: IncidentTransition,
        incident: Incident,
        alerts: list[Alert],
        data: Mapping[str, str] | None = None,
    ) -> None:
        self._incidents[incident.id] = incident
        self.events.append(IncidentEvent(transition, incident, alerts[0], tuple(alerts), data=data or {}))

    def _open(self, subject: str, alert: Alert) -> None:
        before = self._lately_closed(subject)
        if before is None:
            incident = opened(self._next_id, alert, self._now)
            self._next_id += 1
            self._happened(IncidentTransition.OPENED, incident, [alert])
        else:
            incident = joined(reopened(before, self._now), [alert], self._now)
            self._happened(IncidentTransition.REOPENED, incident, [alert])
        self._index(incident)
        self._related.clear()
        # One of the same name is the same condition's lower level, and says nothing more.
        early = [one for one in self._loose.get(subject, ()) if self._is_fresh(one) and one.name != alert.name]
        if early:
            self._joining[incident.id].extend(early)

    def _is_fresh(self, alert: Alert) -> bool:
        return alert.fired_at is not None and self._now - alert.fired_at <= self._correlation.within_seconds

    def _index(self, incident: Incident) -> None:
        for subject in incident.subjects or (incident.subject,):
            self._about[subject].append(incident.id)

    def _open_about(self, subject: str, name: str) -> int | None:
        """Return the open incident about a subject; after a split, the one that knows this kind of alert."""
        found = self._about.get(subject)
        if not found:
            return None
        return min(found, key=lambda number: (name not in self._incidents[number].names, number))

    def _open_related(self, subject: str) -> int | None:
        if subject not in self._related:
            self._related[subject] = self._find_related(*service_of(subject))
        return self._related[subject]

    def _find_related(self, service: str, environment: str) -> int | None:
        """Return the oldest open incident, still young, of a service that this one needs or that needs this one."""
        if not service:
            return None
        needs = self._correlation.dependencies
        needed = set(needs(service))
        for number, incident in sorted(self._incidents.items()):
            if not incident.is_open or self._now - incident.changed_at > self._correlation.within_seconds:
                continue
            for other, place in map(service_of, incident.subjects or (incident.subject,)):
                same_place = not (place and environment) or place == environment
                if other and same_place and (other in needed or service in needs(other)):
                    return number
        return None

    def _lately_closed(self, subject: str) -> Incident | None:
        if self._correlation.reopen_seconds <= 0:
            return None
        after = self._now - self._correlation.reopen_seconds
        for number in self._closed:
            incident = self._incidents[number]
            closed_at = incident.resolved_at
            if (
                incident.status is IncidentStatus.RESOLVED
                and incident.merged_into is None
                and closed_at is not None
                and closed_at >= after
                and subject in (incident.subjects or (incident.subject,))
            ):
                return incident
        return None

    def _incident_of_active(self) -> dict[str, int]:
        return {alert: number for number, one in self._incidents.items() if one.is_open for alert in one.active}


def opened(number: int, alert: Alert, now: float) -> Incident:
    """Return the incident that an alert opens."""
    labels, subject = alert.labels, subject_of(alert.labels)
    return Incident(
        id=number,
        subject=subject,
        title=title_of(labels),
        service=labels.get("service", ""),
        environment=labels.get("environment", ""),
        severity=alert.severity,
        status=IncidentStatus.OPEN,
        opened_at=now,
        resolved_at=None,
        alerts=(alert.id,),
        active=frozenset({alert.id}),
        started_at=min(alert.active_since, now),
        changed_at=now,
        subjects=frozenset({subject}),
        names=frozenset({alert.name}),
    )


def joined(incident: Incident, alerts: list[Alert], now: float) -> Incident:
    """Return an incident with further alerts, as severe as the worst of all."""
    known = set(incident.alerts)
    ids = [alert.id for alert in alerts]
    severity = incident.severity
    for alert in alerts:
        severity = worse(severity, alert.severity)
    return replace(
        incident,
        severity=severity,
        alerts=(*incident.alerts, *(one for one in ids if one not in known)),
        active=incident.active | set(ids),
        changed_at=now,
        subjects=incident.subjects | {subject_of(alert.labels) for alert in alerts},
        names=incident.names | {alert.name for alert in alerts},
    )


def resolved(incident: Incident, now: float) -> Incident:
    """Return an incident at its end."""
    return replace(incident, status=IncidentStatus.RESOLVED, resolved_at=now, changed_at=now)


def reopened(incident: Incident, now: float) -> Incident:
    """Return an incident that was over and is not."""
    return replace(incident, status=IncidentStatus.OPEN, resolved_at=None, reviewed_at=None, changed_at=now)
