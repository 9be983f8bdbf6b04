"""Incidents: what people work on. Pure: decides from alert transitions which incidents open, grow and end.

A critical alert opens an incident for its service and environment; whatever fires there while it is open joins it;
it is resolved when all its alerts are. The same trouble coming back later is a new incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from alerting.alert import Alert, Severity, Transition


class IncidentStatus(StrEnum):
    """How far the work on an incident is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class Incident:
    """Correlated alerts.

    Attributes:
        subject: what it is about, one open incident each: `service/NAME/ENVIRONMENT` or `instance/JOB/INSTANCE`.
        severity: of its worst alert so far.
        alerts: ids of its alerts, in the order in which they joined.
        active: those of them that are not resolved yet.
    """

    id: int
    subject: str
    title: str
    service: str
    environment: str
    severity: Severity
    status: IncidentStatus
    opened_at: float
    resolved_at: float | None
    alerts: tuple[str, ...]
    active: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether further alerts join it."""
        return self.status not in (IncidentStatus.RESOLVED, IncidentStatus.REVIEWED)


class IncidentTransition(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    JOINED = "joined"
    RESOLVED = "resolved"
    RESTORED = "restored"
    """An open incident that a restarted daemon found in its database."""


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """Something happened to an incident, and is already durable; `alert` is the one that caused it, where one did."""

    transition: IncidentTransition
    incident: Incident
    alert: Alert | None = None


def subject_of(labels: Mapping[str, str]) -> str:
    """Return what an alert with these labels is about."""
    service = labels.get("service", "")
    if service:
        return f"service/{service}/{labels.get('environment', '')}"
    job, instance = labels.get("job", ""), labels.get("instance", "")
    if job or instance:
        return f"instance/{job}/{instance}"
    return f"alert/{labels.get('alertname', '')}"


def title_of(labels: Mapping[str, str]) -> str:
    """Return the title of an incident that an alert with these labels opens."""
    name, service, environment = (labels.get(key, "") for key in ("alertname", "service", "environment"))
    if service:
        return f"{name}: {service}" + (f" in {environment}" if environment else "")
    place = labels.get("instance", "") or labels.get("job", "")
    return f"{name}: {place}" if place else name


def decide(
    open_incidents: Mapping[str, Incident], changes: Iterable[tuple[Transition, Alert]], *, next_id: int, now: float
) -> tuple[list[IncidentEvent], dict[str, Incident]]:
    """Return what the alert transitions of one evaluation round do to incidents, in order, and those open then.

    Args:
        open_incidents: by subject.
        next_id: the id of the next incident that is opened; further ones count up from it.
    """
    current = dict(open_incidents)
    events: list[IncidentEvent] = []

    def happened(transition: IncidentTransition, incident: Incident, alert: Alert) -> None:
        current[incident.subject] = incident
        events.append(IncidentEvent(transition, incident, alert))

    # Worst first: a warning that fires in the same round as the critical alert belongs to its incident.
    ordered = sorted(changes, key=lambda change: change[1].severity.rank)
    for transition, alert in ordered:
        if transition is not Transition.FIRING:
            continue
        subject = subject_of(alert.labels)
        incident = current.get(subject)
        if incident is not None and incident.is_open:
            happened(IncidentTransition.JOINED, _joined(incident, alert), alert)
        elif alert.severity is Severity.CRITICAL:
            happened(IncidentTransition.OPENED, _opened(next_id, subject, alert, now), alert)
            next_id += 1
    for transition, alert in ordered:
        incident = current.get(subject_of(alert.labels))
        if transition is not Transition.RESOLVED or incident is None or alert.id not in incident.active:
            continue
        incident = replace(incident, active=incident.active - {alert.id})
        current[incident.subject] = incident
        if not incident.active:
            happened(IncidentTransition.RESOLVED, resolved(incident, now), alert)
    return events, {subject: incident for subject, incident in current.items() if incident.is_open}


def _opened(number: int, subject: str, alert: Alert, now: float) -> Incident:
    labels = alert.labels
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
    )


def _joined(incident: Incident, alert: Alert) -> Incident:
    severity = min(incident.severity, alert.severity, key=lambda severity: severity.rank)
    return replace(
        incident, severity=severity, alerts=(*incident.alerts, alert.id), active=incident.active | {alert.id}
    )


def resolved(incident: Incident, now: float) -> Incident:
    """Return an incident at its end."""
    return replace(incident, status=IncidentStatus.RESOLVED, resolved_at=now)
