"""Whom a step of an escalation reaches."""

from __future__ import annotations

from dataclasses import dataclass, field

from alerting.escalation import Plan, Target
from alerting.schedules import Schedules


@dataclass(slots=True)
class Reach:
    """Receivers, each with the person whom alone it reaches, and who cannot be reached."""

    receivers: dict[str, str] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)


def reach_of(plan: Plan, step: int, now: float, schedules: Schedules) -> Reach:
    """Return whom a step of a plan reaches at a Unix time; what left the config since then is taken from the plan."""
    reach = Reach()
    for target in plan.policy.steps[step].targets:
        if target.kind == "receiver":
            reach.receivers[target.name] = ""
            continue
        people = _people(plan, target, now, schedules)
        if not people:
            reach.unreached.append(f"schedule {target.name}: nobody is on call")
        for person in people:
            receiver = schedules.receiver_of(person) or plan.people.get(person)
            if receiver is None:
                reach.unreached.append(f"person {person}: not configured any more")
                continue
            alone = reach.receivers.get(receiver, person) == person
            reach.people.append(person)
            reach.receivers[receiver] = person if alone else ""
    return reach


def _people(plan: Plan, target: Target, now: float, schedules: Schedules) -> tuple[str, ...]:
    if target.kind == "person":
        return (target.name,)
    return schedules.on_call(target.name, now, plan.schedules.get(target.name))
