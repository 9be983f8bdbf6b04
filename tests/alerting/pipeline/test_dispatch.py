"""What a dispatcher decides; that it is what Alertmanager does, the side-by-side test shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerting.alert import Alert
from alerting.inhibit import InhibitRule
from alerting.matcher import parse_matchers
from alerting.pipeline.decision import Decision
from alerting.pipeline.dispatch import Settings
from alerting.route import Route
from tests.alerting.makers import alert, ended
from tests.alerting.pipeline.desk import Address, Desk, route


def hot(desk: Desk, i: str = "1", name: str = "Hot", **labels: str) -> Alert:
    return alert(name, at=desk.now.wall, i=i, **labels)


def over(desk: Desk, of: Alert) -> Alert:
    return ended(of, at=desk.now.wall)


def test_without_a_wait_an_alert_is_told_in_the_decision_that_takes_it() -> None:
    desk = Desk(route(group_wait=0.0))
    assert desk.take(hot(desk)) == ["first: firing 1"]


def test_where_each_change_is_told_at_once_so_are_ends() -> None:
    desk = Desk(route(group_wait=0.0, group_interval=0.0))
    one = hot(desk)
    assert desk.take(one) == ["first: firing 1"]
    desk.wait(1)
    assert desk.take(over(desk, one)) == ["changed: resolved 1"]
    assert (desk.sent, desk.groups, desk.ended) == ({}, {}, {})


def test_nothing_is_kept_of_what_is_over() -> None:
    desk = Desk(route())
    one, two = hot(desk), hot(desk, "2")
    desk.take(one, two)
    desk.wait(20)
    desk.take(over(desk, one))
    assert len(desk.ended) == 1
    desk.wait(60)
    desk.take(over(desk, two))
    desk.wait(120)
    assert (desk.sent, desk.groups, desk.ended) == ({}, {}, {})
    assert desk.dispatcher.next_look() is None
    assert desk.dispatcher.group_count == 0


def test_worse_alerts_are_told_first() -> None:
    desk = Desk(route(group_by=("...",), group_wait=0.0))
    found = desk.take(*(hot(desk, i, severity=i) for i in ("low", "critical", "medium", "high")))
    assert found == [f"first: firing {i}" for i in ("critical", "high", "medium", "low")]


def test_external_labels_are_told_with_own_alerts_that_have_none_of_that_name() -> None:
    desk = Desk(route(group_wait=0.0, group_by=("region", "i")), external_labels={"region": "north", "i": "outer"})
    desk.take(hot(desk))
    (view,) = desk.dispatcher.groups()
    assert dict(view.labels) == {"region": "north", "i": "1"}
    posted = replace(hot(desk, "2"), rule="")
    desk.take(posted)
    assert {"i": "2"} in [dict(view.labels) for view in desk.dispatcher.groups()]


INHIBITION = InhibitRule(parse_matchers("alertname=Node"), parse_matchers("alertname=Hot"), ("i",))


def test_in_one_round_it_does_not_matter_which_alert_comes_first() -> None:
    desk = Desk(route(group_wait=0.0), inhibit_rules=[INHIBITION])
    assert desk.take(hot(desk), hot(desk, name="Node")) == ["first: firing 1"]
    assert [message.group_key for message in desk.messages] == ['{}:{alertname="Node"}']


def test_statuses_say_what_keeps_an_alert_from_being_told() -> None:
    desk = Desk(route(), inhibit_rules=[INHIBITION], holds=[Moody({"3": ("flapping",)})], silencer=Quiet({"2"}))
    alerts = [hot(desk), hot(desk, name="Node"), hot(desk, "2"), hot(desk, "3"), hot(desk, "4")]
    desk.take(*alerts)
    found = {
        (alert.name, alert.labels["i"]): (one.state, bool(one.inhibited_by), one.silenced_by, one.muted_by)
        for alert, one in desk.dispatcher.statuses(desk.now.wall).values()
    }
    assert found == {
        ("Hot", "1"): ("suppressed", True, (), ()),
        ("Node", "1"): ("active", False, (), ()),
        ("Hot", "2"): ("suppressed", False, ("silence",), ()),
        ("Hot", "3"): ("suppressed", False, (), ("flapping",)),
        ("Hot", "4"): ("active", False, (), ()),
    }


class Moody:
    """Holds back alerts by their label i."""

    def __init__(self, reasons: dict[str, tuple[str, ...]]) -> None:
        self.reasons = reasons

    def mutes(self, alert: Alert, _now: float) -> tuple[str, ...]:
        return self.reasons.get(alert.labels["i"], ())


class Quiet:
    """Silences alerts by their label i."""

    def __init__(self, silenced: set[str]) -> None:
        self.silenced = silenced

    def mutes(self, labels: Mapping[str, str], _now: float) -> tuple[str, ...]:
        return ("silence",) if labels["i"] in self.silenced else ()

    def next_change(self, _now: float) -> float | None:
        return None


def test_what_is_held_back_is_told_once_it_is_not_any_more() -> None:
    hold = Moody({"1": ("a cause",)})
    desk = Desk(route(group_wait=0.0, group_interval=0.0), holds=[hold])
    assert desk.take(hot(desk)) == []
    hold.reasons.clear()
    desk.dispatcher.hurry_immediate(desk.now)
    assert desk.wait(0) == ["first: firing 1"]


def test_an_alert_that_ended_in_a_silence_is_news_when_it_fires_again() -> None:
    quiet = Quiet(set())
    desk = Desk(route(group_wait=0.0), silencer=quiet)
    one = hot(desk)
    desk.take(one)
    quiet.silenced.add("1")
    desk.take(over(desk, one))
    assert desk.wait(300) == []
    quiet.silenced.clear()
    assert desk.take(hot(desk)) == ["first: firing 1"]


def test_a_refused_message_is_tried_again_later_and_later_with_what_is_then() -> None:
    desk = Desk(route(group_wait=0.0))
    desk.take(hot(desk))
    for _ in range(4):
        decision = Decision()
        desk.teller.refused(desk.messages[-1], decision, desk.now.wall)
        desk.write(decision)
        count = len(desk.messages)
        while len(desk.messages) == count:
            desk.wait(60)
    assert [at for at, _, _ in desk.told] == [0, 60, 180, 420, 900]
    decision = Decision()
    desk.teller.delivered(desk.messages[-1], decision)
    desk.write(decision)
    assert desk.wait(3500) == []


def test_a_reload_keeps_times_and_does_not_tell_again() -> None:
    desk = Desk(route())
    one, two = hot(desk), hot(desk, "2")
    desk.take(one)
    desk.wait(30)
    desk.take(two, over(desk, one))
    desk.write(desk.dispatcher.configure(desk.settings, desk.now))
    assert desk.wait(39.9) == []
    assert desk.wait(0.2) == ["changed: resolved 1, firing 2"]


def test_a_reload_with_other_routes_tells_those_who_were_not_told() -> None:
    desk = Desk(route())
    desk.take(hot(desk, team="x"))
    desk.wait(30)
    child = route("other", matchers=parse_matchers("team=x"), key='{}/{team="x"}', id='{}/{team="x"}/0')
    new = Settings(route=route("team", child), receivers={"team": [Address()], "other": [Address()]})
    desk.write(desk.dispatcher.configure(new, desk.now))
    desk.wait(0.001)
    assert desk.told[-1][1:] == ("other", "first: firing 1")
    desk.wait(40)
    assert list(desk.groups) == [('{}/{team="x"}/0', '{}/{team="x"}:{alertname="Hot"}')]


@pytest.mark.parametrize("count", [500, pytest.param(9_999, marks=pytest.mark.slow)])
def test_a_storm_gives_fifty_messages_and_each_alert_is_counted(count: int) -> None:
    desk = Desk(route(group_by=("...",), group_wait=0.0))
    storm = [hot(desk, str(number), name=f"A{number % 3}", severity="low") for number in range(count)]
    worst = hot(desk, "worst", severity="critical")
    desk.take(*storm, worst)
    desk.wait(0)
    assert len(desk.messages) == 50
    assert desk.messages[0].body == "first: firing worst"
    assert (desk.messages[-1].group_key, desk.messages[-1].status) == ('{}:{alertname="MoreAlerts"}', "firing")
    assert desk.summed == [count + 1 - 49]
    assert desk.wait(50) == []
    desk.take(*(over(desk, one) for one in storm), over(desk, worst))
    desk.wait(60 + 60 + 120)
    windows = [sum(1 for at, _, _ in desk.told if start <= at < start + 60) for start in range(0, 300, 60)]
    assert max(windows) <= 50
    assert desk.summed == [count + 1 - 49, count + 1 - 49]
    assert desk.told[-1][2] == "summary: resolved MoreAlerts"
    assert desk.sent == {}


def test_what_comes_after_the_sum_of_a_window_waits_for_the_next_one_and_is_not_lost() -> None:
    desk = Desk(route(group_by=("...",), group_wait=0.0), notification_limit=3)
    desk.take(*(hot(desk, str(number)) for number in range(5)))
    assert len(desk.messages) == 3
    desk.wait(10)
    assert desk.take(hot(desk, "late")) == []
    desk.begin()
    desk.wait(60)
    assert "first: firing late" in [body for _, _, body in desk.told]


def test_with_no_limit_every_message_goes_out() -> None:
    desk = Desk(route(group_by=("...",), group_wait=0.0), notification_limit=0)
    desk.take(*(hot(desk, str(number)) for number in range(450)))
    desk.wait(0)
    assert len(desk.messages) == 450


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), st.sampled_from("1234")),
        st.tuples(st.just("end"), st.sampled_from("1234")),
        st.tuples(st.just("wait"), st.floats(0.1, 90).map(lambda seconds: f"{seconds:.1f}")),
        st.tuples(st.just("silence"), st.sampled_from("1234")),
    ),
    max_size=30,
)
TREES = st.sampled_from(
    [
        route(),
        route(group_wait=0.0),
        route(group_wait=0.0, group_interval=0.0),
        route(repeat_interval=100.0),
        route(group_by=("i",)),
    ]
)


@settings(max_examples=200, deadline=None)
@given(TREES, STEPS, st.sets(st.integers(0, 30)), st.booleans())
@example(
    route(),
    [("fire", "1"), ("wait", "1.4"), ("wait", "9.3"), ("wait", "59.3"), ("fire", "2"), ("wait", "1.0")],
    {4},
    False,
)
def test_a_restart_at_any_moment_changes_nothing_of_what_is_told(
    tree: Route, steps: list[tuple[str, str]], kills: set[int], send_resolved: bool
) -> None:
    quiet = Quiet(set())
    receivers = {"team": [Address(), Address("webhook/1", send_resolved=send_resolved)]}
    steady, killed = (Desk(tree, receivers=receivers, silencer=quiet) for _ in range(2))
    for number, (what, argument) in enumerate(steps):
        if number in kills:
            killed.begin()
        if what == "silence":
            quiet.silenced ^= {argument}
            for desk in (steady, killed):
                desk.dispatcher.hurry_immediate(desk.now)
                desk.wait(0)
            continue
        for desk in (steady, killed):
            name = hot(desk, argument).identity
            if what == "wait":
                desk.wait(float(argument))
            elif what == "fire" and name not in desk.firing:
                desk.take(hot(desk, argument))
            elif what == "end" and name in desk.firing:
                desk.take(over(desk, desk.firing[name]))
    assert killed.told == steady.told


@pytest.mark.parametrize("seconds", [5, 1000])
def test_time_that_passes_while_it_is_down_delays_what_is_due_and_loses_nothing(seconds: float) -> None:
    desk = Desk(route())
    one = hot(desk)
    desk.take(one)
    desk.wait(15)
    desk.take(over(desk, one), hot(desk, "2"))
    desk.now = replace(desk.now, wall=desk.now.wall + seconds, monotonic=1.0)
    desk.begin()
    found = desk.wait(60)
    assert found == ["changed: resolved 1, firing 2"]
    assert desk.told[-1][0] == max(70, 15 + seconds)
