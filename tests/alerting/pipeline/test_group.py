from __future__ import annotations

from alerting.alert import Moment
from alerting.pipeline.group import EMPTY_KEPT_SECONDS, Group, later, open_group
from alerting.route import Route
from tests.alerting.makers import alert, ended

NOW = Moment(1000.0, 50.0)
ROUTE = Route("team", group_wait=30.0, group_interval=300.0)
AT_ONCE = Route("team", group_wait=0.0, group_interval=0.0)


def group(route: Route = ROUTE) -> Group:
    return open_group(route, {"alertname": "TargetDown"}, '{}:{alertname="TargetDown"}', NOW)


def test_a_new_group_waits_for_more_alerts() -> None:
    one = group()
    one.insert(alert(at=1000.0), NOW)
    assert one.next == later(NOW, 30.0)
    one.insert(alert(at=1010.0, instance="b"), later(NOW, 10))
    assert one.next == later(NOW, 30.0)
    assert len(one.members) == 2


def test_an_alert_that_is_older_than_the_wait_is_told_at_once() -> None:
    one = group()
    one.insert(alert(at=960.0), NOW)
    assert one.next == NOW


def test_after_the_first_look_even_an_old_alert_waits_for_the_interval() -> None:
    one = group()
    one.looked(later(NOW, 30.0))
    one.insert(alert(at=0.0), later(NOW, 40.0))
    assert one.next == later(NOW, 330.0)


def test_the_next_look_is_an_interval_after_the_one_before() -> None:
    one = group()
    one.looked(later(NOW, 30.25))
    assert one.next == later(NOW, 330.25)


def test_looks_that_are_past_can_be_left_out_without_losing_the_rhythm() -> None:
    one = group()
    one.looked(later(NOW, 30.0))
    one.skip_to(later(NOW, 100.0))
    assert one.next == later(NOW, 330.0)
    one.skip_to(later(NOW, 330.0))
    assert one.next == later(NOW, 630.0)
    one.skip_to(later(NOW, 1000.0))
    assert one.next == later(NOW, 1230.0)


def test_without_an_interval_each_change_is_told_at_once() -> None:
    one = group(AT_ONCE)
    one.insert(alert(at=1000.0), NOW)
    assert one.next == NOW
    one.looked(NOW)
    assert one.next == later(NOW, 60.0)
    one.insert(ended(alert(at=1000.0), at=1005.0), later(NOW, 5.0))
    assert one.next == later(NOW, 5.0)


def test_an_alert_is_one_member_whatever_its_life() -> None:
    one = group()
    first, second = alert(at=1000.0), alert(at=1002.0)
    assert first.id != second.id
    one.insert(first, NOW)
    one.insert(ended(first), NOW)
    one.insert(second, NOW)
    assert list(one.members.values()) == [second]


def test_an_empty_group_goes_on_for_a_while_so_that_what_comes_back_waits_for_the_next_look() -> None:
    one = group()
    one.insert(alert(at=1000.0), NOW)
    one.looked(later(NOW, 30.0))
    one.forget([alert().identity], later(NOW, 30.0))
    assert not one.is_over(later(NOW, 30.0 + EMPTY_KEPT_SECONDS - 1))
    assert one.wake_at() == NOW.monotonic + 30.0 + EMPTY_KEPT_SECONDS
    assert one.is_over(later(NOW, 30.0 + EMPTY_KEPT_SECONDS))
    one.insert(alert(at=1040.0), later(NOW, 40.0))
    assert not one.is_over(later(NOW, 100.0))
    assert one.next == later(NOW, 330.0)


def test_an_empty_group_that_tells_at_once_is_over() -> None:
    one = group(AT_ONCE)
    one.insert(alert(at=1000.0), NOW)
    one.forget([alert().identity], NOW)
    assert one.is_over(NOW)
