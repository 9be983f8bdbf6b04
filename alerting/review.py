"""The review of an incident, drafted from its record: what a person has to add is marked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from alerting.incident import BY_ITSELF, Incident, IncidentAlert
from alerting.incident_change import services_of
from alerting.incident_figures import seconds_to_acknowledge, seconds_to_recover
from alerting.incident_plot import Plot
from alerting.incident_record import IncidentRecord
from alerting.incident_timeline import About, Line, person_of
from core.duration import spell_duration

LATE_DETECT_SECONDS = 300.0
LATE_ACKNOWLEDGE_SECONDS = 900.0
MOST_ALERTS = 12


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot with its points.

    Attributes:
        series: name and points (Unix seconds, value), few of each.
    """

    plot: Plot
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Review:
    """What the report says, section by section; texts are plain.

    Attributes:
        detect_seconds, acknowledge_seconds, recover_seconds: None where that did not happen, or is not known.
        impact, causes, acted, follow_ups: drafted from what is known.
        said: what people wrote when they closed the review, by `cause`, `impact`, `follow_ups`, `note`.
        people: who took part.
        policies: those whose operations succeeded before it was over.
    """

    incident: Incident
    drafted_at: float
    detect_seconds: float | None
    acknowledge_seconds: float | None
    recover_seconds: float | None
    impact: tuple[str, ...]
    causes: tuple[str, ...]
    acted: tuple[Line, ...]
    follow_ups: tuple[str, ...]
    notes: tuple[Line, ...]
    timeline: tuple[Line, ...]
    people: tuple[str, ...]
    policies: tuple[str, ...]
    alerts: tuple[IncidentAlert, ...]
    drawn: tuple[Drawn, ...] = ()
    said: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """Return the incident in a sentence or two."""
        incident = self.incident
        where = " / ".join(part for part in (incident.service, incident.environment) if part)
        how_long = (
            f"lasted {spell_duration(self.recover_seconds)}" if self.recover_seconds is not None else "is not over yet"
        )
        about = f" of {where}" if where else ""
        return f"A {incident.severity.value} incident{about} that {how_long}. {self._by_whom}"

    @property
    def _by_whom(self) -> str:
        if self.acknowledge_seconds is not None:
            after = spell_duration(self.acknowledge_seconds)
            return f"It was taken by {self.incident.acknowledged_by} after {after}."
        if self.policies:
            return f"Policy {' and '.join(self.policies)} acted; no person had to."
        return "Nobody acknowledged it."


def draft(record: IncidentRecord, now: float, drawn: Iterable[Drawn] = ()) -> Review:
    """Return the review that a record amounts to."""
    incident = record.incident
    began = min([incident.opened_at, *(alert.active_since for alert in record.alerts if alert.active_since)])
    said = _said(record.timeline)
    acted = list(_acts(record, began))
    policies = _policies(acted) if incident.resolved_at is not None else ()
    return Review(
        incident=incident,
        drafted_at=now,
        detect_seconds=incident.opened_at - began if record.alerts else None,
        acknowledge_seconds=seconds_to_acknowledge(incident),
        recover_seconds=seconds_to_recover(incident),
        impact=tuple(_impact(record)),
        causes=tuple(_causes(record, began)),
        acted=tuple(acted),
        follow_ups=tuple(_follow_ups(record, began, policies, is_cause_known=bool(said.get("cause")))),
        notes=tuple(line for line in record.timeline if line.about is About.NOTE),
        timeline=tuple(line for line in record.timeline if _is_worth_a_line(line)),
        people=tuple(_people(record.timeline)),
        policies=policies,
        alerts=record.alerts,
        drawn=tuple(drawn),
        said=said,
    )


def _acts(record: IncidentRecord, began: float) -> Iterable[Line]:
    """Return what was done about it: what was begun before it was over, and how that ended."""
    end = record.incident.resolved_at
    known: set[str] = set()
    for line in record.timeline:
        entry = line.entry
        if entry.kind in ("incident.mitigated", "incident.resolved"):
            yield line
            continue
        is_part = end is None or entry.time <= end or entry.subject in known
        if line.about is About.OPERATION and _is_worth_a_line(line) and entry.time >= began and is_part:
            known.add(entry.subject)
            yield line


def _policies(acted: Sequence[Line]) -> tuple[str, ...]:
    asked = {
        line.entry.subject: line.entry.actor.partition("/")[2]
        for line in acted
        if line.entry.kind == "operation.requested" and line.entry.actor.startswith("policy/")
    }
    done = [line.entry.subject for line in acted if line.entry.kind == "operation.succeeded"]
    return tuple(dict.fromkeys(asked[subject] for subject in done if subject in asked))


def _causes(record: IncidentRecord, began: float) -> Iterable[str]:
    """Return the suspects; of a release that was taken back before it was over, how long after that it was over."""
    end = record.incident.resolved_at
    taken_back = {
        f"{line.entry.subject.split('/')[1]} {line.entry.data.get('version')}": line.entry.time
        for line in record.timeline
        if line.entry.kind == "revision.quarantined" and began <= line.entry.time
    }
    for suspect in record.suspects:
        moment = taken_back.get(suspect.partition(",")[0])
        if moment is None or end is None or moment > end:
            yield suspect
        else:
            yield f"{suspect}; it was taken back, and {spell_duration(end - moment)} later the incident was over"


def _is_worth_a_line(line: Line) -> bool:
    # What a review found stands in the sections above.
    return line.entry.kind not in ("alert.pending", "alert.inactive", "operation.started", "incident.reviewed")


def _impact(record: IncidentRecord) -> Iterable[str]:
    services = sorted(services_of(record.incident))
    if services:
        names = ", ".join(" / ".join(part for part in one if part) for one in services)
        yield f"Affected: {names}."
    seen: set[str] = set()
    for alert in sorted(record.alerts, key=lambda alert: (alert.severity.rank, alert.joined_at)):
        said = alert.annotations.get("summary") or alert.annotations.get("description") or f"{alert.name} fired"
        if said not in seen and len(seen) < MOST_ALERTS:
            seen.add(said)
            end = record.incident.resolved_at if alert.resolved_at is None else alert.resolved_at
            lasted = "" if end is None else f", for {spell_duration(end - alert.joined_at)}"
            yield f"{said.rstrip('.')} ({alert.severity.value}{lasted})."
    more = len(record.alerts) - MOST_ALERTS
    if more > 0:
        yield f"{len(record.alerts)} alerts in all."


def _follow_ups(
    record: IncidentRecord, began: float, policies: Sequence[str], *, is_cause_known: bool
) -> Iterable[str]:
    """Return what the record itself suggests to do; nothing here guesses."""
    incident, lines = record.incident, record.timeline
    taken = seconds_to_acknowledge(incident)
    if taken is None and not policies:
        yield "Nobody acknowledged it: check who is on call and whether the notification reached them."
    elif taken is not None and taken > LATE_ACKNOWLEDGE_SECONDS:
        yield f"It took {spell_duration(taken)} until somebody took it: check escalation and on-call."
    if record.alerts and incident.opened_at - began > LATE_DETECT_SECONDS:
        late = spell_duration(incident.opened_at - began)
        yield f"It took {late} from the first sign to the incident: check the rules' `for`."
    for cause in () if is_cause_known else record.suspects[:1]:
        yield f"Find out whether this was the cause: {cause}. If so, which test or check would have stopped it?"
    failed = {str(line.entry.data.get("receiver", "")) for line in lines if line.entry.kind == "notification.failed"}
    for receiver in sorted(failed):
        yield f"Receiver {receiver} could not be told: repair it, or give it a fallback."
    operations = {line.entry.subject.partition("/")[2] for line in lines if line.entry.kind == "operation.failed"}
    for number in sorted(operations):
        yield f"Operation {number} failed: find out why."
    bare = sorted({alert.name for alert in record.alerts if not alert.annotations.get("runbook_url")})
    if bare:
        yield f"Write a runbook and name it as `runbook_url`: {', '.join(bare[:MOST_ALERTS])}."


def _people(lines: Sequence[Line]) -> Iterable[str]:
    acts = [line.entry for line in lines if line.entry.kind.startswith("incident.")]
    return dict.fromkeys(person_of(entry) for entry in acts if entry.actor != BY_ITSELF)


def _said(lines: Sequence[Line]) -> dict[str, str]:
    closed = [line.entry for line in lines if line.entry.kind == "incident.reviewed"]
    if not closed:
        return {}
    data = closed[-1].data
    return {name: str(data[name]) for name in ("cause", "impact", "follow_ups", "note") if data.get(name)}
