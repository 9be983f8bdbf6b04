"""What an incident is, and what can happen to it. Pure data; `correlation` and `incident_work` decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alerting.alert import Alert, Severity

BY_ITSELF = "watchkeeper"
"""The actor of what no person did."""


class IncidentStatus(StrEnum):
    """How far the work on an incident is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    REVIEWED = "reviewed"

    @property
    def is_over(self) -> bool:
        """Whether nobody needs to be called for it any more."""
        return self in (IncidentStatus.RESOLVED, IncidentStatus.REVIEWED)


@dataclass(frozen=True, slots=True)
class Incident:
    """Correlated alerts, and the work of people on them.

    Attributes:
        subject: what it is about: `service/NAME/ENVIRONMENT`, `instance/JOB/INSTANCE` or `alert/NAME`.
        severity: of its worst alert so far, unless a person set another.
        opened_at, acknowledged_at, mitigated_at, resolved_at, reviewed_at: Unix seconds; acknowledged and mitigated
            the first time, resolved and reviewed the last time.
        started_at: since when the condition of the alert held that opened it; `opened_at` where that is not known.
        changed_at: when an alert last joined it, or its status last changed.
        alerts: ids of its alerts, in the order in which they joined.
        active: those of them that are not resolved yet.
        subjects, names: what its alerts are about, and their names.
        owner: who works on it; empty while nobody does.
        by_hand: a person opened or reopened it, so only a person resolves it.
        merged_into: the incident that has its alerts now.
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
    started_at: float = 0.0
    changed_at: float = 0.0
    subjects: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    owner: str = ""
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    mitigated_at: float | None = None
    reviewed_at: float | None = None
    by_hand: bool = False
    merged_into: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether further alerts join it."""
        return not self.status.is_over

    @property
    def logbook_subject(self) -> str:
        """What its logbook entries are about."""
        return f"incident/{self.id}"


class IncidentTransition(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    JOINED = "joined"
    """Further alerts belong to it."""

    LEFT = "left"
    """Some of its alerts were resolved, but not all; not told, and not in the logbook, where the alerts' ends are."""

    RAISED = "raised"
    """Its severity is another: a worse alert joined, or a person said so."""

    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    REVIEWED = "reviewed"
    ASSIGNED = "assigned"
    NOTED = "noted"
    MERGED = "merged"
    """It is over, because another incident has its alerts now."""

    ABSORBED = "absorbed"
    """It has the alerts of another incident now."""

    SPLIT = "split"
    """Some of its alerts are an incident of their own now."""

    RESTORED = "restored"
    """An open incident that a restarted daemon found in its database."""


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """Something happened to an incident; whoever is told of it can rely on its being durable.

    Attributes:
        alert: the one that caused it, where one did: the worst of `alerts`.
        alerts: those that joined it or were resolved with this.
        actor: who did it.
        data: what else is worth remembering: `note`, `owner`, `into`, …
        moved_from: the incident whose alerts `moved` belong to this one now.
    """

    transition: IncidentTransition
    incident: Incident
    alert: Alert | None = None
    alerts: tuple[Alert, ...] = ()
    actor: str = BY_ITSELF
    data: Mapping[str, Any] = field(default_factory=dict)
    moved_from: int | None = None
    moved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentAlert:
    """An alert as its incident remembers it, whatever has become of the alert since.

    Attributes:
        joined_at, fired_at, resolved_at: Unix seconds; resolved_at is None while it fires.
        active_since: since when its condition held.
        expr: empty for an alert that another program posted.
    """

    id: str
    name: str
    subject: str
    severity: Severity
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    expr: str
    value: float
    active_since: float
    joined_at: float
    resolved_at: float | None = None


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


def service_of(subject: str) -> tuple[str, str]:
    """Return service and environment of a subject; both empty where it is about something else."""
    kind, _, rest = subject.partition("/")
    if kind != "service":
        return "", ""
    service, _, environment = rest.rpartition("/")
    return service, environment


def worse(one: Severity, other: Severity) -> Severity:
    """Return the worse of two severities."""
    return min(one, other, key=lambda severity: severity.rank)
