"""Incidents: when one opens, who joins it, and when it ends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.alert import Alert, Transition
from alerting.incident import Incident, IncidentEvent, decide, subject_of
from tests.alerting.makers import alert, ended

FIRING, RESOLVED, PENDING = Transition.FIRING, Transition.RESOLVED, Transition.PENDING


def play(*rounds: list[tuple[Transition, Alert]]) -> list[str]:
    current: dict[str, Incident] = {}
    told: list[IncidentEvent] = []
    next_id = 1
    for changes in rounds:
        events, current = decide(current, changes, next_id=next_id, now=1.0)
        next_id = max([next_id, *(event.incident.id + 1 for event in events)])
        told += events
    return [f"{event.transition} {event.incident.id} {event.incident.severity}" for event in told]


CRITICAL = alert("Errors", service="shop", environment="production", severity="critical")
WARNING = alert("Slow", service="shop", environment="production", severity="warning")
STAGING = alert("Errors", service="shop", environment="staging", severity="critical")
HOST = alert("Disk", job="system", instance="web-1", severity="critical")


def test_only_a_critical_alert_opens_an_incident() -> None:
    assert play([(FIRING, WARNING)]) == []
    assert play([(PENDING, CRITICAL)]) == []
    assert play([(FIRING, CRITICAL)]) == ["opened 1 critical"]


def test_further_alerts_of_the_service_and_environment_join_it() -> None:
    assert play([(FIRING, CRITICAL)], [(FIRING, WARNING)], [(FIRING, STAGING)]) == [
        "opened 1 critical",
        "joined 1 critical",
        "opened 2 critical",
    ]


def test_a_warning_of_the_same_round_joins_whatever_its_place() -> None:
    assert play([(FIRING, WARNING), (FIRING, CRITICAL)]) == ["opened 1 critical", "joined 1 critical"]


def test_it_ends_with_its_last_alert_and_the_next_trouble_is_a_new_one() -> None:
    assert play(
        [(FIRING, CRITICAL)],
        [(FIRING, WARNING)],
        [(RESOLVED, ended(CRITICAL))],
        [(RESOLVED, ended(WARNING))],
        [(FIRING, CRITICAL)],
    ) == ["opened 1 critical", "joined 1 critical", "resolved 1 critical", "opened 2 critical"]


def test_an_alert_that_never_joined_ends_nothing() -> None:
    assert play([(FIRING, WARNING)], [(FIRING, CRITICAL)], [(RESOLVED, ended(WARNING))]) == ["opened 1 critical"]


def test_what_belongs_to_no_service_is_told_apart_by_its_place() -> None:
    events, _ = decide({}, [(FIRING, HOST)], next_id=7, now=3.0)
    (event,) = events
    assert (event.incident.id, event.incident.title, event.incident.service) == (7, "Disk: web-1", "")
    assert subject_of(HOST.labels) == "instance/system/web-1"
    assert subject_of({"alertname": "Backup"}) == "alert/Backup"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_an_incident_is_open_exactly_while_one_of_its_alerts_fires(story: list[tuple[bool, int]]) -> None:
    current: dict[str, Incident] = {}
    firing: dict[int, Alert] = {}
    next_id = 1
    for starts, number in story:
        service, severity = f"s{number % 2}", "critical" if number < 3 else "warning"
        if starts and number not in firing:
            firing[number] = alert(f"A{number}", service=service, severity=severity, at=next_id)
            change = FIRING, firing[number]
        elif not starts and number in firing:
            change = RESOLVED, ended(firing.pop(number))
        else:
            continue
        events, current = decide(current, [change], next_id=next_id, now=1.0)
        next_id += 1
        assert [event.incident.id for event in events] == sorted(event.incident.id for event in events)
        ids = {each.id for each in firing.values()}
        for incident in current.values():
            assert incident.active
            assert incident.active <= ids
        for each in firing.values():
            if each.severity == "critical":
                assert each.id in current[subject_of(each.labels)].active
