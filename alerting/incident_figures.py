"""Figures over many incidents: how soon they are noticed, acknowledged and over. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerting.incident import Incident


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, median and worst of some lengths of time, in seconds; None where there is none.

    Attributes:
        count: how many they are of.
    """

    count: int
    mean: float | None
    median: float | None
    worst: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What some incidents amount to.

    Attributes:
        detect: from when the first alert's condition held to the incident: what `for` and collecting cost.
        acknowledge: from the incident to its first acknowledgement (MTTA).
        recover: from the incident to its end (MTTR).
        open: how many are not over.
    """

    incidents: int
    open: int
    detect: Spread
    acknowledge: Spread
    recover: Spread


def figures(incidents: Iterable[Incident]) -> Figures:
    """Return the figures of incidents; those merged into others do not belong among them."""
    found = list(incidents)
    return Figures(
        incidents=len(found),
        open=sum(incident.is_open for incident in found),
        detect=_spread([max(0.0, one.opened_at - one.started_at) for one in found if one.started_at]),
        acknowledge=_spread([taken for one in found if (taken := seconds_to_acknowledge(one)) is not None]),
        recover=_spread([taken for one in found if (taken := seconds_to_recover(one)) is not None]),
    )


def by_service(incidents: Iterable[Incident]) -> dict[str, Figures]:
    """Return the figures of each service, those with the most incidents first; `""` is what is about no service."""
    groups: defaultdict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        groups[incident.service].append(incident)
    return {name: figures(group) for name, group in sorted(groups.items(), key=lambda one: (-len(one[1]), one[0]))}


def seconds_to_acknowledge(incident: Incident) -> float | None:
    """Return how long nobody worked on it; None where nobody ever said so."""
    return None if incident.acknowledged_at is None else max(0.0, incident.acknowledged_at - incident.opened_at)


def seconds_to_recover(incident: Incident) -> float | None:
    """Return how long it lasted; None while it is not over."""
    return None if incident.resolved_at is None else max(0.0, incident.resolved_at - incident.opened_at)


def _spread(lengths: Sequence[float]) -> Spread:
    if not lengths:
        return Spread(0, None, None, None)
    return Spread(len(lengths), sum(lengths) / len(lengths), _median(lengths), max(lengths))


def _median(lengths: Sequence[float]) -> float:
    # The standard library's brings fractions, decimals and random numbers into the memory of an idle daemon.
    ordered, middle = sorted(lengths), len(lengths) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
