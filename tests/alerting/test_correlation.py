"""Which alerts are one incident: when one opens, who joins it, and when it ends."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.alert import Alert, Severity, Transition
from alerting.correlation import Correlation, decide
from alerting.incident import Incident, IncidentEvent, IncidentTransition, subject_of
from tests.alerting.makers import alert, ended

FIRING, RESOLVED, PENDING = Transition.FIRING, Transition.RESOLVED, Transition.PENDING

Round = list[tuple[Transition, Alert]]


def play(*rounds: Round, correlation: Correlation | None = None, every: float = 60.0) -> list[str]:
    """Return what was told of incidents when rounds come one after the other."""
    known: dict[int, Incident] = {}
    told: list[IncidentEvent] = []
    for number, changes in enumerate(rounds):
        events = decide(
            known.values(), changes, next_id=max(known, default=0) + 1, now=1.0 + number * every,
            correlation=correlation,
        )  # fmt: skip
        known.update((event.incident.id, event.incident) for event in events)
        told += [event for event in events if event.transition is not IncidentTransition.LEFT]
    return [f"{event.transition} {event.incident.id} {event.incident.severity}" for event in told]


CRITICAL = alert("Errors", service="shop", environment="production", severity="critical")
WARNING = alert("Slow", service="shop", environment="production", severity="warning")
STAGING = alert("Errors", service="shop", environment="staging", severity="critical")
HOST = alert("Disk", job="system", instance="web-1", severity="critical")
DATABASE = alert("DatabaseDown", service="database", environment="production", severity="critical")
OTHER = alert("MailDown", service="mail", environment="production", severity="critical")


def needs(service: str) -> Collection[str]:
    return {"shop": ("database", "cache"), "cart": ("shop", "database", "cache")}.get(service, ())


NEEDS = Correlation(dependencies=needs)


def test_only_a_critical_alert_opens_an_incident() -> None:
    assert play([(FIRING, WARNING)]) == []
    assert play([(PENDING, CRITICAL)]) == []
    assert play([(FIRING, CRITICAL)]) == ["opened 1 critical"]


def test_which_alerts_open_one_can_be_told() -> None:
    every = Correlation(opens=lambda alert: alert.labels.get("team") == "a")
    assert play([(FIRING, CRITICAL)], correlation=every) == []
    assert play([(FIRING, alert("X", team="a", severity="low"))], correlation=every) == ["opened 1 low"]


def test_further_alerts_of_the_service_and_environment_join_it() -> None:
    assert play([(FIRING, CRITICAL)], [(FIRING, WARNING)], [(FIRING, STAGING)]) == [
        "opened 1 critical",
        "joined 1 critical",
        "opened 2 critical",
    ]


def test_a_warning_of_the_same_round_joins_whatever_its_place() -> None:
    assert play([(FIRING, WARNING), (FIRING, CRITICAL)]) == ["opened 1 critical", "joined 1 critical"]


def test_a_worse_alert_raises_the_severity() -> None:
    anything = Correlation(opens=lambda _alert: True)
    assert play([(FIRING, WARNING)], [(FIRING, CRITICAL)], correlation=anything) == [
        "opened 1 medium",
        "joined 1 critical",
        "raised 1 critical",
    ]


def test_it_ends_with_its_last_alert_and_the_next_trouble_is_a_new_one() -> None:
    assert play(
        [(FIRING, CRITICAL)],
        [(FIRING, WARNING)],
        [(RESOLVED, ended(CRITICAL))],
        [(RESOLVED, ended(WARNING))],
        [(FIRING, CRITICAL)],
    ) == ["opened 1 critical", "joined 1 critical", "resolved 1 critical", "opened 2 critical"]


def test_the_same_trouble_soon_after_its_end_opens_it_again_where_that_is_wanted() -> None:
    story: list[Round] = [[(FIRING, CRITICAL)], [(RESOLVED, ended(CRITICAL))], [(FIRING, CRITICAL)]]
    again = ["opened 1 critical", "resolved 1 critical", "reopened 1 critical"]
    assert play(*story, correlation=Correlation(reopen_seconds=60)) == again
    assert play(*story, correlation=Correlation(reopen_seconds=59))[-1] == "opened 2 critical"


def test_an_alert_that_never_joined_ends_nothing() -> None:
    assert play([(FIRING, WARNING)], [(FIRING, CRITICAL)], [(RESOLVED, ended(WARNING))]) == ["opened 1 critical"]


def test_what_belongs_to_no_service_is_told_apart_by_its_place() -> None:
    (event,) = decide([], [(FIRING, HOST)], next_id=7, now=3.0)
    assert (event.incident.id, event.incident.title, event.incident.service) == (7, "Disk: web-1", "")
    assert subject_of(HOST.labels) == "instance/system/web-1"
    assert subject_of({"alertname": "Backup"}) == "alert/Backup"


def test_a_service_that_needs_the_broken_one_joins_its_incident() -> None:
    assert play([(FIRING, DATABASE)], [(FIRING, CRITICAL)], correlation=NEEDS) == [
        "opened 1 critical",
        "joined 1 critical",
    ]


def test_a_cause_that_is_noticed_after_its_effect_joins_too() -> None:
    assert play([(FIRING, CRITICAL)], [(FIRING, DATABASE)], correlation=NEEDS) == [
        "opened 1 critical",
        "joined 1 critical",
    ]


def test_services_that_have_nothing_to_do_with_each_other_have_incidents_of_their_own() -> None:
    assert play([(FIRING, DATABASE), (FIRING, OTHER)], correlation=NEEDS) == ["opened 1 critical", "opened 2 critical"]


def test_a_dependency_in_another_environment_is_another_matter() -> None:
    assert play([(FIRING, DATABASE)], [(FIRING, STAGING)], correlation=NEEDS)[-1] == "opened 2 critical"


def test_dependencies_count_only_while_the_incident_is_young() -> None:
    story: list[Round] = [[(FIRING, DATABASE)], [(FIRING, CRITICAL)]]
    assert play(*story, correlation=NEEDS, every=600)[-1] == "joined 1 critical"
    assert play(*story, correlation=NEEDS, every=601)[-1] == "opened 2 critical"


def test_what_joined_by_dependency_brings_further_alerts_of_its_service() -> None:
    story: list[Round] = [[(FIRING, DATABASE)], [(FIRING, CRITICAL)], [(FIRING, WARNING)]]
    assert play(*story, correlation=NEEDS)[-1] == "joined 1 critical"


def test_a_storm_is_one_event_and_loses_no_alert() -> None:
    storm = [alert(f"A{n}", service="shop", environment="production", instance=str(n)) for n in range(2000)]
    (opened,) = decide([], [(FIRING, CRITICAL)], next_id=1, now=1.0)
    joined, *rest = decide([opened.incident], [(FIRING, each) for each in storm], next_id=2, now=2.0)
    assert rest == []
    assert len(joined.incident.alerts) == len(joined.incident.active) == 2001
    assert len(joined.alerts) == 2000


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_an_incident_is_open_exactly_while_one_of_its_alerts_fires(story: list[tuple[bool, int]]) -> None:
    known: dict[int, Incident] = {}
    firing: dict[int, Alert] = {}
    for moment, (starts, number) in enumerate(story):
        service, severity = f"s{number % 2}", "critical" if number < 3 else "warning"
        if starts and number not in firing:
            firing[number] = alert(f"A{number}", service=service, severity=severity, at=moment)
            change = FIRING, firing[number]
        elif not starts and number in firing:
            change = RESOLVED, ended(firing.pop(number))
        else:
            continue
        events = decide(known.values(), [change], next_id=max(known, default=0) + 1, now=float(moment))
        known.update((event.incident.id, event.incident) for event in events)
        ids = {each.id for each in firing.values()}
        open_ones = [incident for incident in known.values() if incident.is_open]
        assert len({incident.subject for incident in open_ones}) == len(open_ones)
        for incident in open_ones:
            assert incident.active
            assert incident.active <= ids
        for each in firing.values():
            if each.severity is Severity.CRITICAL:
                assert any(each.id in incident.active for incident in open_ones)


def test_what_fired_shortly_before_is_taken_along() -> None:
    def opened(since: float) -> list[str]:
        early = alert("Slow", service="shop", environment="production", severity="warning", at=since)
        loose = {subject_of(early.labels): [early]}
        events = decide([], [(FIRING, CRITICAL)], next_id=1, now=1000.0, loose=loose)
        return [str(event.transition) for event in events]

    assert opened(400.0) == ["opened", "joined"]
    assert opened(399.0) == ["opened"]
