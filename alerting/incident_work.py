"""What people do with an incident. Pure: each function returns what happens then, or says why it cannot.

All raise ConflictError where it is so already, or where something else has to be done first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from alerting.alert import Severity
from alerting.correlation import reopened, resolved
from alerting.incident import (
    Incident,
    IncidentAlert,
    IncidentEvent,
    IncidentStatus,
    IncidentTransition,
    service_of,
    title_of,
    worse,
)
from core.errors import ConflictError, UserError

MAX_TEXT = 10_000
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Doer:
    """Who does something.

    Attributes:
        actor: as the gate knows them, for the logbook: `local`, `token:anna`, `link:anna`.
        person: how people call them; empty where only the actor is known.
    """

    actor: str
    person: str = ""

    @property
    def name(self) -> str:
        """What stands beside the incident."""
        return self.person or self.actor.partition(":")[2] or self.actor


def acknowledge(incident: Incident, by: Doer, now: float, note: str = "") -> list[IncidentEvent]:
    """Say that somebody works on it; they own it if nobody did."""
    if incident.status is not IncidentStatus.OPEN:
        raise ConflictError(f"incident {incident.id} is {_how_it_is(incident)}; nothing is left to acknowledge")
    after = replace(_taken(incident, by, now), status=IncidentStatus.ACKNOWLEDGED, changed_at=now)
    return [_event(IncidentTransition.ACKNOWLEDGED, after, by, owner=after.owner, note=note)]


def mitigate(incident: Incident, by: Doer, now: float, note: str = "") -> list[IncidentEvent]:
    """Say that its effects are contained, though its cause may not be removed."""
    _refuse_closed(incident, "mitigate")
    if incident.status is IncidentStatus.MITIGATED:
        raise ConflictError(f"incident {incident.id} is mitigated already; resolve it when its cause is removed")
    at = now if incident.mitigated_at is None else incident.mitigated_at
    after = replace(_taken(incident, by, now), status=IncidentStatus.MITIGATED, mitigated_at=at, changed_at=now)
    return [_event(IncidentTransition.MITIGATED, after, by, note=note)]


def resolve(incident: Incident, by: Doer, now: float, note: str = "") -> list[IncidentEvent]:
    """End it, whether or not its alerts still fire."""
    _refuse_closed(incident, "resolve")
    data = {"still_firing": len(incident.active)} if incident.active else {}
    return [_event(IncidentTransition.RESOLVED, resolved(incident, now), by, note=note, **data)]


def reopen(incident: Incident, by: Doer, now: float, note: str = "") -> list[IncidentEvent]:
    """Take it up again; only a person resolves it then."""
    if incident.is_open:
        raise ConflictError(f"incident {incident.id} is {incident.status}, not over; nothing is left to reopen")
    _refuse_merged(incident)
    after = replace(reopened(incident, now), by_hand=True)
    return [_event(IncidentTransition.REOPENED, after, by, note=note)]


def review(incident: Incident, by: Doer, now: float, findings: dict[str, str]) -> list[IncidentEvent]:
    """Close the review, with what was found: `cause`, `impact`, `follow_ups`, `note`; again to correct it."""
    if incident.is_open:
        raise ConflictError(f"incident {incident.id} is {incident.status}; resolve it before its review is closed")
    _refuse_merged(incident)
    after = replace(incident, status=IncidentStatus.REVIEWED, reviewed_at=now, changed_at=now)
    return [_event(IncidentTransition.REVIEWED, after, by, **{key: _text(key, text) for key, text in findings.items()})]


def assign(incident: Incident, by: Doer, owner: str, note: str = "") -> list[IncidentEvent]:
    """Say who works on it; an empty name for nobody."""
    owner = owner.strip()
    if len(owner) > MAX_NAME or not owner.isprintable():
        raise UserError(f"'owner' is no name; give one of at most {MAX_NAME} printable letters")
    if owner == incident.owner:
        whose = f"belongs to {owner}" if owner else "belongs to nobody"
        raise ConflictError(f"incident {incident.id} {whose} already; nothing to do")
    data = {"owner": owner, "owner_before": incident.owner}
    return [_event(IncidentTransition.ASSIGNED, replace(incident, owner=owner), by, note=note, **data)]


def set_severity(incident: Incident, by: Doer, severity: Severity, note: str = "") -> list[IncidentEvent]:
    """Say how bad it is; a worse alert that joins later raises it again."""
    if severity is incident.severity:
        raise ConflictError(f"incident {incident.id} is {severity} already; nothing to do")
    data = {"severity_before": incident.severity.value}
    return [_event(IncidentTransition.RAISED, replace(incident, severity=severity), by, note=note, **data)]


def note(incident: Incident, by: Doer, text: str) -> list[IncidentEvent]:
    """Put a text on its timeline, whether or not it is over."""
    if not text.strip():
        raise UserError("'note' is empty; write what is worth remembering")
    return [_event(IncidentTransition.NOTED, incident, by, note=text)]


def open_by_hand(
    number: int, by: Doer, now: float, *, title: str, service: str, environment: str, severity: Severity, note: str = ""
) -> list[IncidentEvent]:
    """Begin one that no alert tells of."""
    title = " ".join(title.split())
    if not title or len(title) > 300:
        raise UserError("'title' must have 1 to 300 letters; say in a few words what is wrong")
    subject = f"service/{service}/{environment}" if service else f"incident/{number}"
    incident = Incident(
        id=number,
        subject=subject,
        title=title,
        service=service,
        environment=environment if service else "",
        severity=severity,
        status=IncidentStatus.OPEN,
        opened_at=now,
        resolved_at=None,
        alerts=(),
        started_at=now,
        changed_at=now,
        subjects=frozenset({subject}),
        by_hand=True,
    )
    return [_event(IncidentTransition.OPENED, incident, by, note=note)]


def merge(source: Incident, target: Incident, by: Doer, now: float, note: str = "") -> list[IncidentEvent]:
    """Put the alerts and the history of one incident into another."""
    if source.id == target.id:
        raise UserError(f"incident {source.id} cannot be merged into itself; name another one")
    _refuse_merged(source)
    _refuse_merged(target)
    if source.is_open and not target.is_open:
        raise ConflictError(f"incident {target.id} is {target.status}; reopen it, or merge it into {source.id} instead")
    known = set(target.alerts)
    absorbed = replace(
        target,
        severity=worse(source.severity, target.severity),
        alerts=(*target.alerts, *(alert for alert in source.alerts if alert not in known)),
        active=target.active | source.active,
        started_at=min(target.started_at, source.started_at),
        changed_at=now,
        subjects=target.subjects | source.subjects,
        names=target.names | source.names,
        by_hand=target.by_hand or (source.by_hand and source.is_open),
    )
    at = source.resolved_at if source.resolved_at is not None else now
    gone = replace(
        source, status=IncidentStatus.RESOLVED, resolved_at=at, changed_at=now, merged_into=target.id, alerts=(),
        active=frozenset(),
    )  # fmt: skip
    merged = _event(IncidentTransition.MERGED, gone, by, into=target.id, note=note)
    took = _event(IncidentTransition.ABSORBED, absorbed, by, incident=source.id, incident_title=source.title, note=note)
    return [merged, replace(took, moved_from=source.id, moved=source.alerts)]


def split(
    incident: Incident,
    alerts: Sequence[IncidentAlert],
    number: int,
    by: Doer,
    now: float,
    title: str = "",
    note: str = "",
) -> list[IncidentEvent]:
    """Make some of its alerts an incident of their own.

    Args:
        alerts: of this incident, not all of them.
        number: the id of the new one.
    """
    _refuse_merged(incident)
    chosen = {alert.id for alert in alerts}
    if not chosen:
        raise UserError("'alerts' is empty; name the alerts that belong elsewhere")
    if chosen >= set(incident.alerts):
        raise ConflictError(f"incident {incident.id} would have no alert left; name some of its alerts, not all")
    apart = _apart(incident, alerts, number, now, title)
    rest = replace(
        incident, alerts=tuple(alert for alert in incident.alerts if alert not in chosen),
        active=incident.active - chosen,
    )  # fmt: skip
    gone = _event(IncidentTransition.SPLIT, rest, by, into=number, alerts=sorted(chosen), note=note)
    new = _event(IncidentTransition.OPENED, apart, by, split_from=incident.id, note=note)
    events = [gone, replace(new, moved_from=incident.id, moved=tuple(apart.alerts))]
    if rest.is_open and incident.active and not rest.active and not rest.by_hand:
        events.append(_event(IncidentTransition.RESOLVED, resolved(rest, now), by))
    return events


def _apart(incident: Incident, alerts: Sequence[IncidentAlert], number: int, now: float, title: str) -> Incident:
    worst = min(alerts, key=lambda alert: alert.severity.rank)
    service, environment = service_of(worst.subject)
    ids = tuple(alert.id for alert in alerts)
    active = frozenset(ids) & incident.active
    over = not incident.is_open or not active
    return Incident(
        id=number,
        subject=worst.subject,
        title=" ".join(title.split())[:300] or title_of(worst.labels),
        service=service,
        environment=environment,
        severity=worst.severity,
        status=IncidentStatus.RESOLVED if over else IncidentStatus.OPEN,
        opened_at=min(alert.joined_at for alert in alerts),
        resolved_at=max(alert.resolved_at or now for alert in alerts) if over else None,
        alerts=ids,
        active=active,
        started_at=min(alert.active_since for alert in alerts),
        changed_at=now,
        subjects=frozenset(alert.subject for alert in alerts),
        names=frozenset(alert.name for alert in alerts),
    )


def _event(transition: IncidentTransition, incident: Incident, by: Doer, /, **data: object) -> IncidentEvent:
    note = data.get("note")
    if isinstance(note, str):
        data["note"] = _text("note", note)
    if by.person and by.person != by.actor:
        data["person"] = by.person
    return IncidentEvent(
        transition, incident, actor=by.actor, data={key: value for key, value in data.items() if value != ""}
    )


def _text(name: str, text: str) -> str:
    if len(text) > MAX_TEXT:
        raise UserError(f"{name!r} has {len(text):,} letters; {MAX_TEXT:,} fit, put the rest behind a link")
    return text.strip()


def _taken(incident: Incident, by: Doer, now: float) -> Incident:
    """Return an incident that somebody works on."""
    if incident.acknowledged_at is not None:
        return replace(incident, owner=incident.owner or by.name)
    return replace(incident, owner=incident.owner or by.name, acknowledged_at=now, acknowledged_by=by.name)


def _refuse_closed(incident: Incident, verb: str) -> None:
    _refuse_merged(incident)
    if not incident.is_open:
        raise ConflictError(f"incident {incident.id} is {incident.status} already; reopen it to {verb} it again")


def _refuse_merged(incident: Incident) -> None:
    if incident.merged_into is not None:
        raise ConflictError(
            f"incident {incident.id} was merged into incident {incident.merged_into}; use that one instead"
        )


def _how_it_is(incident: Incident) -> str:
    if incident.status is not IncidentStatus.ACKNOWLEDGED or incident.acknowledged_at is None:
        return f"{incident.status} already"
    at = datetime.fromtimestamp(incident.acknowledged_at, UTC)
    return f"acknowledged already, by {incident.acknowledged_by} at {at:%Y-%m-%d %H:%M:%S} UTC"
