from __future__ import annotations

from alerting.pipeline.stage import NoSilences, Stages
from alerting.route import Route
from alerting.time_interval import TimeInterval
from tests.alerting.makers import alert

NIGHT = {"night": (TimeInterval(times=((0, 360),)),)}
MIDNIGHT, NOON = 1_700_006_400.0, 1_700_049_600.0
MUTED = Route("team", mute_time_intervals=("night",))
AWAKE = Route("other")


def stages() -> Stages:
    made = Stages(NoSilences())
    made.configure(None, NIGHT)
    return made


def test_a_route_that_is_mute_tells_nothing() -> None:
    one = alert()
    assert stages().passing(MUTED, [one], MIDNIGHT) == []
    assert stages().passing(MUTED, [one], NOON) == [one]


def test_an_alert_is_suppressed_by_time_only_where_all_of_its_routes_are_mute() -> None:
    made = stages()
    assert made.status(alert(), [MUTED], MIDNIGHT).muted_by == ("night",)
    assert made.status(alert(), [MUTED], MIDNIGHT).state == "suppressed"
    assert made.status(alert(), [MUTED, AWAKE], MIDNIGHT).state == "active"
    assert made.status(alert(), [MUTED], NOON).state == "active"


def test_a_status_names_each_receiver_once() -> None:
    found = stages().status(alert(), [AWAKE, MUTED, AWAKE], NOON)
    assert found.receivers == ("other", "team")
