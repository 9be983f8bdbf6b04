"""The health of everything that is watched, in one word, with its reasons. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from alerting.alert import Alert, AlertState, Severity


class Status(StrEnum):
    """How well an aspect, or all of them, is; `unknown` where nothing watches it, which is not bad."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Aspect(StrEnum):
    """The sides of health that are told apart."""

    AVAILABILITY = "availability"
    DATABASE = "database"
    DEPENDENCIES = "dependencies"
    RESOURCES = "resources"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an aspect is not healthy."""

    aspect: Aspect
    status: Status
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """Status of the whole and of each aspect; reasons are worst first."""

    status: Status
    reasons: tuple[Reason, ...]
    aspects: Mapping[Aspect, Status]


_BADNESS = {Status.UNKNOWN: 0, Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2}


def assess(alerts: Iterable[Alert], inputs: Iterable[Reason] = (), watched: Collection[Aspect] = ()) -> Health:
    """Return the health that firing alerts and other findings amount to.

    Args:
        inputs: what else is wrong, such as the daemon's own degradations.
        watched: the aspects that something measures; the others are unknown unless something is wrong with them.
    """
    found = [reason for alert in alerts if (reason := _reason(alert)) is not None]
    reasons = sorted([*inputs, *found], key=lambda reason: -_BADNESS[reason.status])
    aspects = {aspect: Status.HEALTHY if aspect in watched else Status.UNKNOWN for aspect in Aspect}
    for reason in reversed(reasons):  # the worst comes last and stays
        aspects[reason.aspect] = reason.status
    overall = reasons[0].status if reasons else Status.HEALTHY
    return Health(overall, tuple(reasons), aspects)


def aspect_of(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Aspect:
    """Return the aspect that a rule names in its label or annotation `aspect`; availability where it names none."""
    named = labels.get("aspect") or annotations.get("aspect", "")
    return Aspect(named) if named in set(Aspect) else Aspect.AVAILABILITY


def _reason(alert: Alert) -> Reason | None:
    if alert.state is not AlertState.FIRING or alert.severity is Severity.LOW:
        return None
    status = Status.UNHEALTHY if alert.severity is Severity.CRITICAL else Status.DEGRADED
    message = alert.annotations.get("summary") or alert.name
    return Reason(aspect_of(alert.labels, alert.annotations), status, message)
