"""The life of an alert, by tables and by properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.alert import (
    AlertState,
    Life,
    Moment,
    Seen,
    Severity,
    Timing,
    Transition,
    due,
    fingerprint,
    restore,
    severity_of,
    step,
)
from metrics.label import labels_of

WALL = 1_700_000_000.0


def at(seconds: float, *, jump: float = 0.0) -> Moment:
    return Moment(WALL + seconds + jump, 1000.0 + seconds)


def play(timing: Timing, *seen: tuple[float, Seen]) -> list[tuple[float, Transition]]:
    life: Life | None = None
    told = []
    for seconds, what in seen:
        life, transition = step(life, what, timing, at(seconds))
        if transition is not None:
            told.append((seconds, transition))
    return told


A, H, N, U = Seen.ACTIVE, Seen.HELD, Seen.ABSENT, Seen.UNKNOWN


@pytest.mark.parametrize(
    ("timing", "seen", "expected"),
    [
        (Timing(), [(0, A), (1, N)], [(0, "firing"), (1, "resolved")]),
        (Timing(10), [(0, A), (9, A), (10, A), (11, N)], [(0, "pending"), (10, "firing"), (11, "resolved")]),
        (Timing(10), [(0, A), (5, N), (6, A), (15, A), (16, A)],
         [(0, "pending"), (5, "inactive"), (6, "pending"), (16, "firing")]),
        (Timing(10), [(0, A), (20, U), (21, A)], [(0, "pending"), (21, "firing")]),
        (Timing(10), [(0, A), (20, H)], [(0, "pending"), (20, "inactive")]),
        (Timing(), [(0, A), (1, H), (2, H), (3, N)], [(0, "firing"), (3, "resolved")]),
        (Timing(), [(0, A), (1, U), (2, U), (3, A)], [(0, "firing")]),
        (Timing(0, 10), [(0, A), (1, N), (10.9, N), (11, N)], [(0, "firing"), (11, "resolved")]),
        (Timing(0, 10), [(0, A), (1, N), (5, A), (12, N), (21, N), (22, N)], [(0, "firing"), (22, "resolved")]),
        (Timing(0, 10), [(0, A), (1, N), (50, U), (51, N)], [(0, "firing"), (51, "resolved")]),
        (Timing(), [(0, N), (1, U), (2, H)], []),
    ],
)  # fmt: skip
def test_a_life(timing: Timing, seen: list[tuple[float, Seen]], expected: list[tuple[float, str]]) -> None:
    assert play(timing, *seen) == expected


timings = st.builds(Timing, st.sampled_from([0.0, 1.0, 7.0, 30.0]), st.sampled_from([0.0, 1.0, 7.0, 30.0]))
stories = st.lists(st.tuples(st.floats(0.01, 20.0), st.sampled_from(list(Seen)), st.floats(-1e6, 1e6)), max_size=40)


@settings(max_examples=50)
@given(timings, stories)
def test_steps_of_the_wall_clock_change_nothing_but_what_is_written_down(
    timing: Timing, story: list[tuple[float, Seen, float]]
) -> None:
    steady: Life | None = None
    stepped: Life | None = None
    now = 0.0
    for pause, seen, jump in story:
        now += pause
        steady, first = step(steady, seen, timing, at(now))
        stepped, second = step(stepped, seen, timing, at(now, jump=jump))
        assert first == second
        assert (steady is None) == (stepped is None)


@settings(max_examples=50)
@given(timings, stories)
def test_it_fires_only_after_its_time_and_every_end_follows_a_beginning(
    timing: Timing, story: list[tuple[float, Seen, float]]
) -> None:
    life: Life | None = None
    now, active_for = 0.0, 0.0
    for pause, seen, _ in story:
        now += pause
        before = life
        life, transition = step(life, seen, timing, at(now))
        active_for = active_for + pause if before is not None and seen in (A, U) else 0.0
        if transition is Transition.FIRING:
            assert seen is A
            assert active_for >= timing.for_seconds - 1e-6
        if transition in (Transition.RESOLVED, Transition.INACTIVE):
            assert before is not None
            assert life is None
            assert seen in (N, H)
        if transition is Transition.RESOLVED:
            assert before is not None
            assert before.state is AlertState.FIRING
        if seen is U:
            assert transition is None
            assert life == before


@settings(max_examples=50)
@given(timings, stories)
def test_looking_again_when_it_is_due_is_enough(timing: Timing, story: list[tuple[float, Seen, float]]) -> None:
    life: Life | None = None
    now = 0.0
    for pause, seen, _ in story:
        now += pause
        life, _ = step(life, seen, timing, at(now))
        moment = due(life, timing) if life is not None else None
        if life is not None and moment is not None and moment > 1000.0 + now:
            too_early = Moment(WALL, moment - 1e-3)
            kind = A if life.fired_at is None else N
            assert step(life, kind, timing, too_early)[1] is None
            assert step(life, kind, timing, Moment(WALL, moment))[1] is not None


def test_what_was_written_down_goes_on_from_its_time() -> None:
    life = restore(WALL - 7, None, None, at(0))
    assert due(life, Timing(10)) == 1003.0
    assert step(life, A, Timing(10), at(3))[1] is Transition.FIRING


def test_a_wall_clock_that_went_backwards_meanwhile_counts_as_no_time() -> None:
    assert due(restore(WALL + 500, None, None, at(0)), Timing(10)) == 1010.0


@pytest.mark.parametrize(
    ("label", "expected"),
    [("critical", "critical"), ("page", "critical"), ("warning", "medium"), ("info", "low"), ("HIGH", "high"),
     ("", "medium"), ("sev1", "medium")],
)  # fmt: skip
def test_severities_of_other_worlds_are_understood(label: str, expected: str) -> None:
    assert severity_of(labels_of({"severity": label})) == Severity(expected)


def test_the_fingerprint_is_alertmanagers() -> None:
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"a": "b", "c": "d"}) == fingerprint({"c": "d", "a": "b"})
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})
