"""Escalation: who is told of an incident, and after which waits, until somebody takes it. Pure.

A chain is the escalation of one incident. It goes by a plan that is a copy of what was configured when the incident
opened, so that a later config neither breaks nor changes it. Moments are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from alerting.alert import Severity
from alerting.hours import Hours
from alerting.incident import IncidentStatus
from alerting.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a step tells: a receiver, a person, or who is on call by a schedule."""

    kind: Literal["receiver", "person", "schedule"]
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One telling.

    Attributes:
        wait_seconds: how long after the step before it; for the first, after the incident opened.
        severities: of incidents that it is for; others go on to the next step, without anybody being told.
        hours: the only hours in which it tells; None for all.
        waits_for_hours: whether it waits for them rather than being left out.
    """

    wait_seconds: float
    targets: tuple[Target, ...]
    severities: frozenset[Severity] = frozenset(Severity)
    hours: Hours | None = None
    waits_for_hours: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """Steps, and what comes after them.

    Attributes:
        repeats: how often all steps are gone through again.
        repeat_seconds: how long after the last step they are.
        acknowledge_seconds: so long after it was acknowledged, an incident that is not over escalates further;
            0 for never.
    """

    name: str
    steps: tuple[Step, ...]
    repeats: int = 0
    repeat_seconds: float = 0.0
    acknowledge_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a chain goes by.

    Attributes:
        schedules: those that the policy names.
        people: the receiver of each person.
        source: the same as JSON text, for keeping.
    """

    policy: Policy
    schedules: Mapping[str, Schedule]
    people: Mapping[str, str]
    source: str


class ChainState(StrEnum):
    """How far an escalation is."""

    RUNNING = "running"
    """The next step is waited for."""

    PAUSED = "paused"
    """Somebody has acknowledged the incident."""

    EXHAUSTED = "exhausted"
    """Everybody was told, and nobody has acknowledged it."""

    ENDED = "ended"
    """The incident is over."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The escalation of one incident.

    Attributes:
        position: the step that comes next, counted from 0; that after the last where none comes.
        round: how often all steps were gone through before.
        since: when the wait for `due_at` began.
        due_at: when something is to be done next; None where nothing is.
        status: the incident's, as the chain followed it last.
        told: the receivers that were told, in the order of their first time.
    """

    incident: int
    plan: Plan
    state: ChainState
    position: int
    round: int
    since: float
    due_at: float | None
    status: IncidentStatus
    told: tuple[str, ...] = ()

    @property
    def is_late_after(self) -> float | None:
        """The moment after which a step that is not told is late; None where none is waited for."""
        return None if self.due_at is None else self.due_at + LATE_SECONDS


LATE_SECONDS = 60.0
"""A step that is delivered later than this after it was due is late."""


def begin(incident: int, plan: Plan, status: IncidentStatus, now: float) -> Chain:
    """Return the escalation of an incident that opens now."""
    due_at = now + plan.policy.steps[0].wait_seconds
    return Chain(incident, plan, ChainState.RUNNING, 0, 0, now, due_at, status)


def follow(chain: Chain, status: IncidentStatus, now: float, *, is_acknowledged_again: bool = False) -> Chain:
    """Return the escalation after something happened to its incident; the same object where that changes nothing.

    Args:
        is_acknowledged_again: whether somebody acknowledged it just now, even if it was acknowledged before.
    """
    if status is chain.status and not is_acknowledged_again:
        return chain
    chain = replace(chain, status=status)
    if status.value in ("resolved", "reviewed"):
        return replace(chain, state=ChainState.ENDED, since=now, due_at=None)
    if chain.state is ChainState.ENDED:
        return replace(begin(chain.incident, chain.plan, status, now), told=chain.told)
    if status is IncidentStatus.OPEN:
        return resume(chain, now) if chain.state is ChainState.PAUSED else chain
    patience = chain.plan.policy.acknowledge_seconds
    is_watched = status is IncidentStatus.ACKNOWLEDGED and patience > 0
    return replace(chain, state=ChainState.PAUSED, since=now, due_at=now + patience if is_watched else None)


def resume(chain: Chain, now: float) -> Chain:
    """Return an escalation that goes on at once where it was paused, from the first step where none was left."""
    is_through = chain.position >= len(chain.plan.policy.steps)
    return replace(
        chain,
        state=ChainState.RUNNING,
        position=0 if is_through else chain.position,
        round=0 if is_through else chain.round,
        since=now,
        due_at=now,
    )


def advance(chain: Chain, severity: Severity, now: float) -> tuple[Chain, int | None]:
    """Return what becomes of an escalation at its `due_at`, and the step that is to be told now, if any."""
    if chain.due_at is None:
        return chain, None
    if chain.state is ChainState.PAUSED:
        return resume(chain, now), None
    step = chain.plan.policy.steps[chain.position]
    if severity not in step.severities:
        return _next(chain, chain.due_at), None
    if step.hours is not None and not step.hours.contains(now):
        opens = step.hours.next_open(now) if step.waits_for_hours else None
        if opens is None:
            return _next(chain, chain.due_at), None
        return replace(chain, since=now, due_at=opens), None
    return _next(chain, now), chain.position


def hurry(chain: Chain, now: float) -> Chain:
    """Return an escalation whose step has reached nobody: the next one of the same round follows at once."""
    if chain.state is not ChainState.RUNNING or chain.position == 0:
        return chain
    return replace(chain, since=now, due_at=now)


def remaining_seconds(chain: Chain, now: float) -> float | None:
    """Return how long until something is to be done, however the clock was set meanwhile; None where nothing is."""
    if chain.due_at is None:
        return None
    return min(max(0.0, chain.due_at - now), chain.due_at - chain.since)


def _next(chain: Chain, since: float) -> Chain:
    policy, position = chain.plan.policy, chain.position + 1
    if position < len(policy.steps):
        return replace(chain, position=position, since=since, due_at=since + policy.steps[position].wait_seconds)
    if chain.round < policy.repeats:
        return replace(chain, position=0, round=chain.round + 1, since=since, due_at=since + policy.repeat_seconds)
    return replace(chain, state=ChainState.EXHAUSTED, position=position, since=since, due_at=None)
