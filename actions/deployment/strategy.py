"""Which steps bring a revision into service, and which put things back: pure decisions on observed facts.

Rules kept here: the new side takes traffic only after it was found healthy; the last good revision keeps running
until the new one has survived its bake time; a rollback takes the same way as a deployment, health check included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from actions.action import PlannedStep
from core.errors import UserError


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from; revisions by their numbers.

    Attributes:
        candidate: the revision to bring into service.
        fresh: whether its artifact has still to be verified and unpacked.
        current, standby: what serves, and what stands by for a rollback during a bake.
        has_router: whether there is traffic to switch.
        free_ports: how many ports of the pool nothing uses.
        instances: how many the candidate needs.
        running: revisions that have instances or hold ports now.
        bake_seconds: how long the candidate has to prove itself; 0 where it was good before.
        rollback: whether the candidate was good before and the current revision is to be left for good.
    """

    strategy: str
    candidate: int
    fresh: bool
    current: int | None
    standby: int | None
    has_router: bool
    free_ports: int
    instances: int
    running: frozenset[int]
    bake_seconds: float
    rollback: bool


def plan_transition(facts: Facts) -> tuple[PlannedStep, ...]:
    """Return the steps from what serves now to the candidate.

    Raises: UserError: there are not enough ports, with the remedy.
    """
    prepare = _prepare(facts)
    if facts.strategy == "recreate" and facts.candidate not in facts.running:
        others = [number for number in (facts.current, facts.standby) if number is not None]
        stops = [_step("stop_" + name(n), "stop_instances", revision=n, force=True) for n in others]
        return (*prepare, *stops, *_bring_up(facts), *_finish(facts, standby=None, retire=[]))
    room, current, standby = _make_room(facts)
    keep = None if facts.rollback or facts.bake_seconds == 0 else (standby if standby is not None else current)
    retire = [number for number in (current, standby) if number not in (None, keep, facts.candidate)]
    return (*prepare, *room, *_bring_up(facts, idle=keep), *_finish(facts, standby=keep, retire=retire))


def name(number: int) -> str:
    """Return how a revision is called in step names."""
    return f"r{number}"


def _prepare(facts: Facts) -> list[PlannedStep]:
    if facts.fresh:
        return [
            _step("verify_artifact", revision=facts.candidate),
            _step("unpack_artifact", revision=facts.candidate),
        ]
    return [_step("find_artifact", revision=facts.candidate)]


def _make_room(facts: Facts) -> tuple[list[PlannedStep], int | None, int | None]:
    """Free ports where a fix is deployed during a bake and the pool holds only two sides: the bad one makes way."""
    needed = 0 if facts.candidate in facts.running else facts.instances
    if needed <= facts.free_ports:
        return [], facts.current, facts.standby
    if facts.standby is None or facts.current is None:
        raise UserError(
            f"{needed} ports are needed and {facts.free_ports} of the service's `ports` are free; give it more ports"
        )
    back = [
        _step("wait_healthy_" + name(facts.standby), "wait_healthy", revision=facts.standby),
        *(
            [_step("switch_traffic_" + name(facts.standby), "switch_traffic", to=facts.standby, idle=facts.current)]
            if facts.has_router
            else []
        ),
        _step("record_" + name(facts.standby), "record", current=facts.standby, leave=facts.current),
        _step("stop_" + name(facts.current), "stop_instances", revision=facts.current),
    ]
    return back, facts.standby, None


def _bring_up(facts: Facts, idle: int | None = None) -> list[PlannedStep]:
    steps = [
        _step("start_instances", revision=facts.candidate),
        _step("wait_healthy", revision=facts.candidate),
    ]
    if facts.has_router:
        steps.append(_step("switch_traffic", to=facts.candidate, idle=idle))
        steps.append(_step("verify_traffic", to=facts.candidate))
    return steps


def _finish(facts: Facts, *, standby: int | None, retire: Sequence[int | None]) -> list[PlannedStep]:
    """Past the record there is no way back but a rollback, so what follows is finished rather than cancelled."""
    left = facts.current if facts.rollback else None
    record = _step(
        "record",
        current=facts.candidate,
        standby=standby,
        bake_seconds=facts.bake_seconds,
        leave=left,
    )
    stops = [_step("stop_" + name(n), "stop_instances", revision=n, final=True) for n in retire if n is not None]
    return [record, *stops, _step("remove_old_artifacts", final=True)]


def _step(step_name: str, do: str = "", *, final: bool = False, **arguments: object) -> PlannedStep:
    return PlannedStep(step_name, {"do": do or step_name, **arguments}, cancellable=not final)


def plan_settling(
    begun: Sequence[str], *, candidate: int | None, current: int | None, standby: int | None, rollback: bool
) -> tuple[PlannedStep, ...]:
    """Return the steps after a transition was left early.

    Traffic goes to whichever side is healthy, the last good one preferred; only then is the other side stopped.

    Args:
        begun: what each begun step does (`start_instances`).
        current, standby: what is recorded as serving and standing by now.
    """
    if candidate is None:
        return ()
    if current == candidate:
        return ()  # the new side serves and is recorded; what is left over is for the keeper to clear away
    touched = {"start_instances", "stop_instances", "switch_traffic"} & set(begun)
    steps: list[PlannedStep] = []
    if touched:
        # A rollback that got as far as the switch is safer finished than undone: what it left was bad.
        forward = rollback and "switch_traffic" in begun
        prefer = [candidate, current] if forward else [current, candidate]
        prefer += [standby]
        order = list(dict.fromkeys(number for number in prefer if number is not None))
        steps.append(_step("restore_traffic", candidate=candidate, prefer=order))
        steps.append(_step("stop_candidate", candidate=candidate))
    return (*steps, _step("record_failure", candidate=candidate))


class Need(StrEnum):
    """Why what runs differs from what should."""

    INSTANCE_GONE = "instance_gone"
    ROUTER_GONE = "router_gone"
    TRAFFIC_DIFFERS = "traffic_differs"
    ORPHANS = "orphans"


@dataclass(frozen=True, slots=True)
class Observed:
    """What runs now.

    Attributes:
        instances: ids of live instances of the service and environment.
        weights: the router's backends and weights by instance id; None where it does not run.
    """

    instances: frozenset[str]
    weights: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Desired:
    """What should run: instance ids, and their weights where there is a router."""

    serving: frozenset[str]
    standby: frozenset[str]
    has_router: bool


def needs(desired: Desired, observed: Observed) -> list[Need]:
    """Return why a recovery is needed; empty while all is as it should be."""
    found = []
    wanted = desired.serving | desired.standby
    if wanted - observed.instances:
        found.append(Need.INSTANCE_GONE)
    if desired.has_router and desired.serving:
        if observed.weights is None:
            found.append(Need.ROUTER_GONE)
        else:
            taking = {instance for instance, weight in observed.weights.items() if weight > 0}
            if taking != desired.serving:
                found.append(Need.TRAFFIC_DIFFERS)
    if observed.instances - wanted:
        found.append(Need.ORPHANS)
    return found


def plan_recovery(
    found: Sequence[Need], *, current: int | None, standby: int | None, has_router: bool
) -> tuple[PlannedStep, ...]:
    """Return the steps that make what runs what should run."""
    steps: list[PlannedStep] = []
    if current is not None:
        steps.append(_step("start_instances", revision=current))
        if standby is not None:
            steps.append(_step("start_standby", "start_instances", revision=standby))
        steps.append(_step("wait_healthy", revision=current))
        if has_router:
            steps.append(_step("switch_traffic", to=current, idle=standby))
            steps.append(_step("verify_traffic", to=current))
    if Need.ORPHANS in found:
        steps.append(_step("stop_orphans"))
    return tuple(steps)


class BakeEnd(StrEnum):
    """What becomes of a revision whose bake time is over."""

    BAKING = "baking"
    PROMOTE = "promote"
    WAIT_ALERTING = "service_alerting"
    WAIT_NO_DATA = "missing_data"
    WAIT_UNHEALTHY = "unhealthy"


def end_of_bake(now: float, baking_until: float, *, alerting: bool | None, healthy: bool | None) -> BakeEnd:
    """Decide whether a baking revision becomes the good one.

    Args:
        alerting: whether a critical or high alert of the service fires; None when that is not known.
        healthy: whether all its instances pass their health check now; None when that is not known.
    """
    if now < baking_until:
        return BakeEnd.BAKING
    if alerting is None or healthy is None:
        return BakeEnd.WAIT_NO_DATA
    if alerting:
        return BakeEnd.WAIT_ALERTING
    return BakeEnd.PROMOTE if healthy else BakeEnd.WAIT_UNHEALTHY
