"""What becomes of an escalation, step by step; times in seconds after its incident opened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import Severity
from alerting.escalation import (
    Chain,
    ChainState,
    Plan,
    Policy,
    Step,
    Target,
    advance,
    begin,
    follow,
    hurry,
    remaining_seconds,
)
from alerting.hours import Hours, Window
from alerting.incident import IncidentStatus

OPEN, ACKNOWLEDGED, MITIGATED, RESOLVED = (
    IncidentStatus.OPEN, IncidentStatus.ACKNOWLEDGED, IncidentStatus.MITIGATED, IncidentStatus.RESOLVED
)  # fmt: skip
TEAM = (Target("receiver", "team"),)
MONDAY = 1_767_571_200.0  # 2026-01-05 00:00 UTC
OFFICE = Hours((Window(frozenset(range(5)), 540, 1020),), UTC)


def plan(*steps: Step, **more: float) -> Plan:
    return Plan(Policy("p", steps, **more), {}, {}, "{}")  # type: ignore[arg-type]


def chain_of(*waits: float, **more: float) -> Chain:
    return begin(1, plan(*(Step(wait, TEAM) for wait in waits), **more), OPEN, 0.0)


def run(chain: Chain, until: float, severity: Severity = Severity.CRITICAL) -> tuple[list[tuple[float, int]], Chain]:
    """Do all that is due until a moment, and return the steps that were told, each with its time."""
    told = []
    while chain.due_at is not None and chain.due_at <= until:
        at = chain.due_at
        chain, step = advance(chain, severity, at)
        if step is not None:
            told.append((at, step))
    return told, chain


def test_steps_follow_each_other_after_their_waits() -> None:
    told, chain = run(chain_of(0, 300, 600), 10_000)
    assert told == [(0, 0), (300, 1), (900, 2)]
    assert (chain.state, chain.due_at) == (ChainState.EXHAUSTED, None)


def test_all_steps_are_repeated_as_often_as_was_asked() -> None:
    told, chain = run(chain_of(0, 300, repeats=2, repeat_seconds=600), 100_000)
    assert told == [(0, 0), (300, 1), (900, 0), (1200, 1), (1800, 0), (2100, 1)]
    assert chain.state is ChainState.EXHAUSTED


def test_it_stops_when_somebody_acknowledges_and_ends_with_the_incident() -> None:
    _, chain = run(chain_of(0, 300), 10)
    chain = follow(chain, ACKNOWLEDGED, 20)
    assert (chain.state, chain.due_at) == (ChainState.PAUSED, None)
    assert follow(chain, RESOLVED, 30).state is ChainState.ENDED


def test_it_goes_on_where_it_was_when_an_acknowledged_incident_is_not_over_in_time() -> None:
    _, chain = run(chain_of(0, 300, 600, acknowledge_seconds=1000), 10)
    chain = follow(chain, ACKNOWLEDGED, 20)
    told, chain = run(chain, 5000)
    assert told == [(1020, 1), (1620, 2)]
    again = follow(chain, ACKNOWLEDGED, 5000, is_acknowledged_again=True)
    told, _ = run(again, 6500)
    assert told == [(6000, 0), (6300, 1)]  # from the start, as all had been told


def test_a_mitigated_incident_waits_for_nobody() -> None:
    chain = follow(chain_of(0, 300, acknowledge_seconds=1000), MITIGATED, 5)
    assert (chain.state, chain.due_at) == (ChainState.PAUSED, None)


def test_what_does_not_change_the_status_changes_nothing() -> None:
    chain = chain_of(0, 300)
    assert follow(chain, OPEN, 50) is chain


def test_an_incident_that_is_open_again_goes_on_at_once_and_one_that_is_reopened_begins_anew() -> None:
    _, chain = run(chain_of(0, 300, 600), 10)
    acknowledged = follow(chain, ACKNOWLEDGED, 20)
    assert run(follow(acknowledged, OPEN, 100), 100)[0] == [(100, 1)]
    over = replace(follow(chain, RESOLVED, 20), told=("team",))
    again = follow(over, OPEN, 500)
    assert run(again, 5000)[0] == [(500, 0), (800, 1), (1400, 2)]
    assert again.told == ("team",)


def test_a_step_for_other_severities_is_left_out_and_the_times_of_the_others_stay() -> None:
    steps = Step(0, TEAM), Step(300, TEAM, severities=frozenset({Severity.CRITICAL})), Step(600, TEAM)
    chain = begin(1, plan(*steps), OPEN, 0.0)
    assert run(chain, 9999, Severity.HIGH)[0] == [(0, 0), (900, 2)]
    assert run(chain, 9999, Severity.CRITICAL)[0] == [(0, 0), (300, 1), (900, 2)]


def test_a_step_waits_for_its_hours() -> None:
    chain = begin(1, plan(Step(60, TEAM, hours=OFFICE), Step(300, TEAM)), OPEN, MONDAY + 17 * 3600)
    tuesday = MONDAY + 86_400 + 9 * 3600
    assert run(chain, tuesday + 400)[0] == [(tuesday, 0), (tuesday + 300, 1)]


def test_a_step_outside_its_hours_is_left_out_where_it_does_not_wait() -> None:
    evening = MONDAY + 20 * 3600
    chain = begin(1, plan(Step(60, TEAM, hours=OFFICE, waits_for_hours=False), Step(300, TEAM)), OPEN, evening)
    assert run(chain, evening + 400)[0] == [(evening + 360, 1)]


def test_a_step_that_reaches_nobody_hurries_the_next_but_not_the_next_round() -> None:
    chain, step = advance(chain_of(0, 300, repeats=1, repeat_seconds=60), Severity.HIGH, 0)
    assert step == 0
    hurried = hurry(chain, 1)
    assert hurried.due_at == 1
    last, step = advance(hurried, Severity.HIGH, 1)
    assert (step, last.position, last.due_at) == (1, 0, 61)
    assert hurry(last, 2) is last


def test_a_clock_that_was_set_back_makes_no_wait_longer_than_it_is() -> None:
    chain = chain_of(300)
    assert remaining_seconds(chain, 100) == 200
    assert remaining_seconds(chain, -86_400) == 300
    assert remaining_seconds(chain, 10_000) == 0


WAITS = st.lists(st.sampled_from([0.0, 60.0, 300.0]), min_size=1, max_size=4)
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["wait", "late", "acknowledge", "reopen", "mitigate", "resolve", "hurry"]),
              st.sampled_from([1.0, 60.0, 400.0])),
    max_size=25,
)  # fmt: skip


@given(WAITS, st.integers(0, 2), st.sampled_from([0.0, 500.0]), HAPPENINGS)
def test_whatever_happens_it_tells_in_order_and_only_while_nobody_has_taken_it(
    waits: list[float], repeats: int, patience: float, happenings: list[tuple[str, float]]
) -> None:
    chain = chain_of(*waits, repeats=repeats, repeat_seconds=120, acknowledge_seconds=patience)
    statuses = {"acknowledge": ACKNOWLEDGED, "reopen": OPEN, "mitigate": MITIGATED, "resolve": RESOLVED}
    now, expected = 0.0, 0
    for what, seconds in happenings:
        now += seconds
        if what in statuses:
            before = chain
            chain = follow(chain, statuses[what], now, is_acknowledged_again=what == "acknowledge")
            if before.state is ChainState.ENDED and chain.state is ChainState.RUNNING:
                expected = 0
        elif what == "hurry":
            chain = hurry(chain, now)
        while chain.due_at is not None and chain.due_at <= now:
            status = chain.state
            chain, step = advance(chain, Severity.HIGH, chain.due_at if what != "late" else now)
            if step is None:
                assert status is ChainState.PAUSED
                assert patience > 0
                assert chain.status is ACKNOWLEDGED
                continue
            assert step in (expected, 0)
            expected = (step + 1) % len(waits)
        assert (chain.due_at is None) == (
            chain.state in (ChainState.EXHAUSTED, ChainState.ENDED)
            or (chain.state is ChainState.PAUSED and (patience == 0 or chain.status is MITIGATED))
        )
        if chain.due_at is not None:
            assert chain.since <= chain.due_at


@pytest.mark.parametrize("status", [RESOLVED, IncidentStatus.REVIEWED])
def test_nothing_is_due_once_the_incident_is_over(status: IncidentStatus) -> None:
    chain = follow(chain_of(0, 10), status, 5)
    assert advance(chain, Severity.CRITICAL, 100) == (chain, None)
