from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.action import PlannedStep
from actions.deployment.strategy import (
    BakeEnd,
    Desired,
    Facts,
    Need,
    Observed,
    end_of_bake,
    needs,
    plan_settling,
    plan_transition,
)
from core.errors import UserError


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    current = draw(st.none() | st.integers(1, 3))
    standby = draw(st.none() | st.integers(1, 3)) if current is not None else None
    standby = None if standby == current else standby
    rollback = draw(st.booleans()) and current is not None
    choices = [number for number in (1, 2, 3, 4) if number != current]
    candidate = draw(st.sampled_from(choices)) if rollback else 5
    running = {number for number in (current, standby) if number is not None}
    return Facts(
        strategy=draw(st.sampled_from(["blue-green", "recreate"])),
        candidate=candidate,
        fresh=not rollback,
        current=current,
        standby=standby,
        has_router=draw(st.booleans()),
        free_ports=draw(st.integers(0, 6)),
        instances=2,
        running=frozenset(running),
        bake_seconds=0.0 if rollback else draw(st.sampled_from([0.0, 300.0])),
        rollback=rollback,
    )


def _plan(given: Facts) -> Sequence[PlannedStep]:
    try:
        return plan_transition(given)
    except UserError as error:
        assert "give it more ports" in str(error)
        return ()


@given(facts())
def test_traffic_is_switched_only_to_what_was_found_healthy(given: Facts) -> None:
    healthy: set[object] = set()
    for step in _plan(given):
        if step.arguments["do"] == "wait_healthy":
            healthy.add(step.arguments["revision"])
        if step.arguments["do"] == "switch_traffic":
            assert step.arguments["to"] in healthy


@given(facts())
def test_blue_green_stops_nothing_that_takes_traffic_or_stands_by(given: Facts) -> None:
    if given.strategy == "recreate":
        return
    serving, standby = given.current, given.standby
    for step in _plan(given):
        if step.arguments["do"] == "record":
            serving, standby = step.arguments["current"], step.arguments.get("standby")
        if step.arguments["do"] == "stop_instances":
            assert step.arguments["revision"] not in (serving, standby)


@given(facts())
def test_last_good_revision_stands_by_after_a_blue_green_deployment(given: Facts) -> None:
    plan = _plan(given)
    if given.strategy == "recreate" or given.rollback or given.bake_seconds == 0 or not plan:
        return
    record = next(step for step in reversed(plan) if step.arguments["do"] == "record")
    assert record.arguments["standby"] == (given.standby if given.standby is not None else given.current)


@given(facts())
def test_step_names_are_unique(given: Facts) -> None:
    names = [step.name for step in _plan(given)]
    assert len(set(names)) == len(names)


@given(facts())
def test_rollback_has_the_steps_of_a_deployment(given: Facts) -> None:
    done = {step.arguments["do"] for step in _plan(given)}
    if done:
        assert {"start_instances", "wait_healthy", "record"} <= done
        assert not given.has_router or {"switch_traffic", "verify_traffic"} <= done


@given(facts(), st.integers(0, 12))
def test_settling_restores_traffic_before_it_stops_anything(given: Facts, count: int) -> None:
    begun = [str(step.arguments["do"]) for step in _plan(given)][:count]
    steps = [
        step.name
        for step in plan_settling(
            begun, candidate=given.candidate, current=given.current, standby=given.standby, rollback=given.rollback
        )
    ]
    assert ("stop_candidate" in steps) == ("restore_traffic" in steps)
    if "stop_candidate" in steps:
        assert steps.index("restore_traffic") < steps.index("stop_candidate")
    assert steps[-1] == "record_failure"


@pytest.mark.parametrize(
    ("now", "alerting", "healthy", "expected"),
    [
        (99, False, True, BakeEnd.BAKING),
        (100, False, True, BakeEnd.PROMOTE),
        (100, True, True, BakeEnd.WAIT_ALERTING),
        (100, None, True, BakeEnd.WAIT_NO_DATA),
        (100, False, None, BakeEnd.WAIT_NO_DATA),
        (100, False, False, BakeEnd.WAIT_UNHEALTHY),
    ],
)
def test_end_of_bake(now: float, alerting: bool | None, healthy: bool | None, expected: BakeEnd) -> None:
    assert end_of_bake(now, 100, alerting=alerting, healthy=healthy) is expected


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (Observed(frozenset({"a", "b", "s"}), {"a": 100, "b": 100, "s": 0}), []),
        (Observed(frozenset({"a", "s"}), {"a": 100, "b": 100}), [Need.INSTANCE_GONE]),
        (Observed(frozenset({"a", "b", "s"}), None), [Need.ROUTER_GONE]),
        (Observed(frozenset({"a", "b", "s"}), {"s": 100}), [Need.TRAFFIC_DIFFERS]),
        (Observed(frozenset({"a", "b", "s", "x"}), {"a": 1, "b": 1}), [Need.ORPHANS]),
    ],
)
def test_needs_of_a_site(observed: Observed, expected: list[Need]) -> None:
    desired = Desired(frozenset({"a", "b"}), frozenset({"s"}), has_router=True)
    assert needs(desired, observed) == expected
