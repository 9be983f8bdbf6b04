"""Which recent change may have caused an incident. Pure: reads logbook entries, names suspects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from alerting.incident import Incident, service_of
from core.duration import spell_duration
from core.logbook import Entry

MOST_SUSPECTS = 5
CHANGE_KINDS = ("revision.", "operation.", "config.reloaded")
"""Begin the kinds of entries that changes are read from."""

_RELEASING = ("deploy", "rollback")
_QUIET = ("promote", "recover", "backup", "webhook")
"""Operations that change nothing about what a service does."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed on purpose.

    Attributes:
        number: of its logbook entry.
        what: `auth 1.4.2` or `configuration`; `done`: `deployed`, `reloaded`.
        service, environment: empty where it concerns everything.
        actor: who did it.
    """

    number: int
    time: float
    what: str
    done: str
    service: str
    environment: str
    actor: str

    def before(self, moment: float) -> str:
        """Return the change as a suspect: `auth 1.4.2, deployed 40 s before`."""
        return f"{self.what}, {self.done} {spell_duration(moment - self.time)} before"


@dataclass(frozen=True, slots=True)
class _Operation:
    kind: str
    service: str
    environment: str
    version: str
    actor: str


def changes_in(entries: Iterable[Entry]) -> list[Change]:
    """Return the changes that logbook entries tell of, in their order."""
    operations: dict[str, _Operation] = {}
    serving: set[tuple[str, object]] = set()
    found: list[Change] = []
    for entry in entries:
        if entry.kind == "operation.requested":
            operations[entry.subject] = _operation(entry)
            change = _of_operation(entry, operations[entry.subject])
        elif entry.kind in ("revision.baking", "revision.good"):
            change = _of_revision(entry, operations, serving)
        elif entry.kind == "config.reloaded":
            change = _change(entry, "configuration", "reloaded", "", "")
        else:
            continue
        if change is not None:
            found.append(change)
    return found


def suspects(
    incident: Incident, changes: Iterable[Change], needed: Collection[str] = (), *, within_seconds: float
) -> list[Change]:
    """Return the changes that may have caused an incident, likeliest first.

    Those of its own services come first, then those of services that these need, then what concerns everything; among
    equals the last one before the trouble began. A service that has nothing to do with it is no suspect.

    Args:
        needed: services that those of the incident need.
    """
    own = services_of(incident)
    began = incident.started_at or incident.opened_at

    def rank(change: Change) -> int | None:
        if not change.service:
            return 2
        if any(change.service == service and _same(change.environment, place) for service, place in own):
            return 0
        if change.service in needed and any(_same(change.environment, place) for _, place in own):
            return 1
        return None if own else 2

    ranked = []
    for change in changes:
        order = rank(change)
        if order is not None and began - within_seconds <= change.time <= incident.opened_at:
            ranked.append((order, change.time > began, abs(began - change.time), change.number, change))
    return [change for *_, change in sorted(ranked, key=lambda one: one[:4])[:MOST_SUSPECTS]]


def suspect_texts(incident: Incident, found: Sequence[Change]) -> tuple[str, ...]:
    """Return suspects as notifications and pages show them."""
    began = incident.started_at or incident.opened_at
    return tuple(change.before(began if change.time <= began else incident.opened_at) for change in found)


def services_of(incident: Incident) -> set[tuple[str, str]]:
    """Return the services, with their environments, that an incident is about."""
    found = {service_of(subject) for subject in incident.subjects or (incident.subject,)}
    return {(service, environment) for service, environment in found if service}


def _same(one: str, other: str) -> bool:
    return not (one and other) or one == other


def _operation(entry: Entry) -> _Operation:
    data = entry.data
    parameters = data.get("parameters") or {}
    version = parameters.get("version", "") if isinstance(parameters, dict) else ""
    return _Operation(
        str(data.get("kind", "")),
        str(data.get("service", "")),
        str(data.get("environment", "")),
        str(version or ""),
        entry.actor,
    )


def _of_operation(entry: Entry, operation: _Operation) -> Change | None:
    if operation.kind in _QUIET or operation.kind in _RELEASING or not operation.service:
        return None  # a release counts from when it gets traffic
    what = f"{operation.kind} of {operation.service}"
    return _change(entry, what, "begun", operation.service, operation.environment)


def _of_revision(entry: Entry, operations: dict[str, _Operation], serving: set[tuple[str, object]]) -> Change | None:
    """Return the release of a revision; the end of its bake time changes nothing."""
    key = entry.subject, entry.data.get("revision")
    operation = operations.get(f"operation/{entry.data.get('operation')}")
    is_again = key in serving and (operation is None or operation.kind not in _RELEASING)
    if entry.kind == "revision.good" and (is_again or operation is None or operation.kind == "promote"):
        return None
    serving.add(key)
    service, environment = service_of(entry.subject)
    version = str(entry.data.get("version") or f"r{entry.data.get('revision')}")
    done = "rolled back to" if operation is not None and operation.kind == "rollback" else "deployed"
    change = _change(entry, f"{service} {version}", done, service, environment)
    return change if operation is None else _by(change, operation.actor)


def _by(change: Change, actor: str) -> Change:
    return Change(change.number, change.time, change.what, change.done, change.service, change.environment, actor)


def _change(entry: Entry, what: str, done: str, service: str, environment: str) -> Change:
    return Change(entry.number, entry.time, what, done, service, environment, entry.actor)
