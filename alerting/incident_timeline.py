"""What belongs on an incident's timeline, in which words. Pure: reads logbook entries."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alerting.incident import Incident, IncidentAlert
from alerting.incident_change import services_of
from core.logbook import Entry

_GROUP_LABEL = re.compile(r'([^\s{},="]+)="((?:[^"\\]|\\.)*)"')
_OPERATION_NEWS = ("requested", "started", "succeeded", "failed", "cancelled", "cancel_requested")
_CHANGES = ("revision.", "config.", "daemon.")


class About(StrEnum):
    """What a line of a timeline is about."""

    STATUS = "status"
    ALERT = "alert"
    CHANGE = "change"
    NOTIFICATION = "notification"
    OPERATION = "operation"
    NOTE = "note"
    ESCALATION = "escalation"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline: a logbook entry, what it is about, and what it says in words.

    Attributes:
        detail: more words, such as a note or a reason; empty for none.
        is_suspect: a change that may be the cause.
    """

    entry: Entry
    about: About
    text: str
    detail: str = ""
    is_suspect: bool = False


def timeline(
    incident: Incident,
    alerts: Sequence[IncidentAlert],
    entries: Iterable[Entry],
    *,
    merged: Collection[int] = (),
    needed: Collection[str] = (),
    suspects: Collection[int] = (),
) -> list[Line]:
    """Return an incident's timeline, oldest first.

    Args:
        entries: of the logbook around it, in order.
        merged: incidents whose history is its own now.
        needed: services that those of the incident need.
        suspects: the numbers of entries that are changes which may be the cause.
    """
    choice = _Choice(incident, alerts, merged, needed)
    lines = []
    for entry in entries:
        about = choice.about(entry)
        if about is not None:
            text, detail = in_words(entry, choice.operation(entry.subject))
            lines.append(Line(entry, about, text, detail, entry.number in suspects))
    return lines


class _Choice:
    """Tells which entries concern an incident; remembers the operations and escalations that do."""

    def __init__(
        self, incident: Incident, alerts: Sequence[IncidentAlert], merged: Collection[int], needed: Collection[str]
    ) -> None:
        self._alerts = {f"alert/{alert.id}" for alert in alerts}
        self._labels = [alert.labels for alert in alerts]
        self._own = {incident.logbook_subject, *(f"incident/{number}" for number in merged)}
        self._ids = {subject.partition("/")[2] for subject in self._own}
        self._services = services_of(incident)
        self._needed = set(needed)
        self._operations: dict[str, str] = {}

    def operation(self, subject: str) -> str:
        """Return what an operation that was asked for earlier does; empty where it is none, or not of this incident."""
        return self._operations.get(subject, "")

    def about(self, entry: Entry) -> About | None:
        kind, subject = entry.kind, entry.subject
        if subject in self._own:
            return _about_itself(kind)
        if subject in self._alerts:
            return About.ALERT
        if kind.startswith("operation."):
            return self._operation(entry)
        if kind.startswith("notification."):
            return About.NOTIFICATION if self._is_told(entry.data) else None
        if kind == "policy.decision":
            return About.OPERATION if self._is_trigger(entry.data) else None
        if kind.startswith("escalation."):
            return About.ESCALATION if str(entry.data.get("incident", "")) in self._ids else None
        if kind.startswith(_CHANGES):
            return About.CHANGE if subject in ("config", "daemon") or self._is_ours(subject) else None
        return None

    def _operation(self, entry: Entry) -> About | None:
        if entry.kind == "operation.requested":
            service, environment = str(entry.data.get("service", "")), str(entry.data.get("environment", ""))
            if service and self._is_ours(f"service/{service}/{environment}"):
                self._operations[entry.subject] = _asked(entry)
        news = entry.kind.partition(".")[2] in _OPERATION_NEWS
        return About.OPERATION if entry.subject in self._operations and news else None

    def _is_ours(self, subject: str) -> bool:
        kind, _, rest = subject.partition("/")
        service, _, environment = rest.rpartition("/")
        if kind != "service":
            return False
        places = {place for name, place in self._services if name == service}
        if service in self._needed:
            places |= {place for _, place in self._services}
        return any(not (place and environment) or place == environment for place in places)

    def _is_told(self, data: Mapping[str, Any]) -> bool:
        """Tell whether a notification was about this incident: it says so, or its group holds one of the alerts."""
        if data.get("incident") is not None:
            return str(data["incident"]) in self._ids
        group = str(data.get("group", "")).rpartition(":{")[2]
        wanted = {name: value.replace('\\"', '"').replace("\\\\", "\\") for name, value in _GROUP_LABEL.findall(group)}
        return bool(wanted) and any(
            all(labels.get(name, "") == value for name, value in wanted.items()) for labels in self._labels
        )

    def _is_trigger(self, data: Mapping[str, Any]) -> bool:
        trigger = str(data.get("trigger", ""))
        return trigger in self._alerts or trigger in self._own


def _about_itself(kind: str) -> About:
    if kind == "incident.noted":
        return About.NOTE
    if kind.startswith("escalation."):
        return About.ESCALATION
    return About.ALERT if kind == "incident.joined" else About.STATUS


def in_words(entry: Entry, operation: str = "") -> tuple[str, str]:
    """Return what an entry says: a sentence for a line, and more of it that may be long.

    Args:
        operation: what the operation does that the entry is of, where that is known.
    """
    area, _, what = entry.kind.partition(".")
    if area == "operation":
        return _operation(what, entry, operation)
    words = _WORDS.get(area)
    text, detail = words(what, entry) if words is not None else (f"{entry.kind} {entry.subject}", "")
    return text, str(detail or "")


def _alert(what: str, entry: Entry) -> tuple[str, str]:
    data = entry.data
    annotations = data.get("annotations") or {}
    said = {"firing": "fires", "pending": "is pending", "resolved": "is resolved", "inactive": "went away"}
    text = f"{data.get('name', entry.subject)} {said.get(what, what)}"
    if what == "firing":
        return text, annotations.get("summary") or annotations.get("description") or f"value {data.get('value', '')}"
    return text, data.get("reason", "")


_DONE = {
    "acknowledged": "Acknowledged", "mitigated": "Mitigated", "reviewed": "Review closed", "reopened": "Reopened",
}  # fmt: skip


def _incident(what: str, entry: Entry) -> tuple[str, str]:
    data, who = entry.data, person_of(entry)
    note = str(data.get("note", ""))
    if what == "opened":
        split = f", split from incident {data['split_from']}" if data.get("split_from") else ""
        return f"Incident opened, {data.get('severity', '')}{split}{_by(entry)}", note
    if what == "joined":
        count = int(data.get("alert_count", 1))
        return (f"{data.get('alert_name', 'An alert')} joined" + (f", and {count - 1} more" if count > 1 else "")), ""
    if what == "raised":
        return f"Severity is {data.get('severity')} now, was {data.get('severity_before', 'another')}{_by(entry)}", note
    if what == "resolved":
        left = f" while {data['still_firing']} alerts still fire" if data.get("still_firing") else ""
        return f"Resolved{left}{_by(entry)}", note
    if what == "assigned":
        return (f"Assigned to {data['owner']} by {who}" if data.get("owner") else f"Owner removed by {who}"), note
    if what == "noted":
        return f"Note by {who}", note
    if what == "merged":
        return f"Merged into incident {data.get('into')} by {who}", note
    if what == "absorbed":
        return f"Took in incident {data.get('incident')}: {data.get('incident_title', '')} ({who})", note
    if what == "split":
        return f"{len(data.get('alerts') or ())} alerts became incident {data.get('into')} by {who}", note
    findings = [f"{name.replace('_', ' ').capitalize()}: {data[name]}" for name in ("cause", "impact", "follow_ups")
                if data.get(name)]  # fmt: skip
    return f"{_DONE.get(what, what.replace('_', ' ').capitalize())}{_by(entry)}", "\n".join([note, *findings]).strip()


def _notification(what: str, entry: Entry) -> tuple[str, str]:
    data = entry.data
    receiver, status = data.get("receiver", ""), data.get("status", "")
    if what == "sent":
        return f"{receiver} was told: {status}", ""
    return f"{receiver} could not be told: {status}", data.get("detail", "")


def _operation(what: str, entry: Entry, does: str) -> tuple[str, str]:
    data, number = entry.data, entry.subject.partition("/")[2]
    if what == "requested":
        return f"{_asked(entry)} asked for{_by(entry)} (operation {number})", data.get("reason", "")
    done = what.replace("_", " ")
    text = f"{does} {done} (operation {number})" if does else f"Operation {number} {done}"
    return text, str(data.get("error") or "")


def _asked(entry: Entry) -> str:
    """Return what an operation is to do: `Deploy of shop to 1.4.2`."""
    data = entry.data
    parameters = data.get("parameters") or {}
    version = str(parameters.get("version") or "") if isinstance(parameters, dict) else ""
    return f"{str(data.get('kind', '')).capitalize()} of {data.get('service', '')}" + (version and f" to {version}")


def _revision(what: str, entry: Entry) -> tuple[str, str]:
    service = entry.subject.split("/")[1] if entry.subject.count("/") else entry.subject
    version = entry.data.get("version") or f"r{entry.data.get('revision')}"
    said = {
        "baking": "takes the traffic", "good": "is good", "candidate": "is being made ready", "failed": "failed",
        "quarantined": "is in quarantine", "superseded": "was replaced",
    }  # fmt: skip
    return f"{service} {version} {said.get(what, what)}", ""


def _policy(_what: str, entry: Entry) -> tuple[str, str]:
    data, policy = entry.data, entry.subject.partition("/")[2]
    if data.get("taken"):
        return f"Policy {policy} acts", data.get("detail", "")
    return f"Policy {policy} does not act: {str(data.get('reason', '')).replace('_', ' ')}", data.get("detail", "")


def _config(what: str, entry: Entry) -> tuple[str, str]:
    mistakes = entry.data.get("mistakes")
    return f"Configuration {what}{_by(entry)}", mistakes[0] if isinstance(mistakes, list) and mistakes else ""


def _daemon(what: str, entry: Entry) -> tuple[str, str]:
    return f"Watchkeeper {what}", entry.data.get("failure", "")


def _escalation(what: str, entry: Entry) -> tuple[str, str]:
    data = entry.data
    to = data.get("targets") or data.get("target") or data.get("receiver") or ""
    shown = ", ".join(map(str, to)) if isinstance(to, list) else str(to)
    return f"Escalation {what.replace('_', ' ')}" + (f": {shown}" if shown else ""), data.get("detail", "")


_WORDS = {
    "alert": _alert, "incident": _incident, "notification": _notification, "revision": _revision,
    "policy": _policy, "config": _config, "daemon": _daemon, "escalation": _escalation,
}  # fmt: skip


def person_of(entry: Entry) -> str:
    """Return who an entry is from, as people call them."""
    return str(entry.data.get("person") or entry.actor.partition(":")[2] or entry.actor.replace("/", " "))


def _by(entry: Entry) -> str:
    return "" if entry.actor == "watchkeeper" else f" by {person_of(entry)}"
