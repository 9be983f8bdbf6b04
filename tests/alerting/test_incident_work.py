"""What people may do with an incident, and what they are told where they may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting import incident_work as work
from alerting.alert import Severity
from alerting.correlation import joined, opened
from alerting.incident import Incident, IncidentAlert, IncidentEvent, IncidentStatus, subject_of
from alerting.incident_work import Doer
from core.errors import ConflictError, UserError, WatchkeeperError
from tests.alerting.makers import alert

ANNA, BOB = Doer("token:anna"), Doer("local", "Bob")
FIRST = alert("Errors", service="shop", environment="production", severity="critical")
SECOND = alert("Slow", service="shop", environment="production", severity="warning")


def one(number: int = 7) -> Incident:
    return joined(opened(number, FIRST, 100.0), [SECOND], 101.0)


def after(events: list[IncidentEvent]) -> Incident:
    return events[-1].incident


def remembered(incident: Incident, *ids: str) -> list[IncidentAlert]:
    known = {each.id: each for each in (FIRST, SECOND)}
    return [
        IncidentAlert(
            id=id_, name=known[id_].name, subject=subject_of(known[id_].labels), severity=known[id_].severity,
            labels=known[id_].labels, annotations={}, expr="up == 0", value=1.0, active_since=90.0, joined_at=100.0,
        )
        for id_ in ids
    ]  # fmt: skip


def test_who_acknowledges_owns_it_unless_somebody_does() -> None:
    (event,) = work.acknowledge(one(), BOB, 130.0, "looking")
    incident = event.incident
    assert (incident.status, incident.owner, incident.acknowledged_by) == ("acknowledged", "Bob", "Bob")
    assert (incident.acknowledged_at, event.actor, event.data["person"]) == (130.0, "local", "Bob")
    owned = replace(one(), owner="carol")
    assert after(work.acknowledge(owned, ANNA, 130.0)).owner == "carol"


def test_the_second_who_acknowledges_learns_who_was_first() -> None:
    acknowledged = after(work.acknowledge(one(), ANNA, 130.0))
    with pytest.raises(ConflictError, match="acknowledged already, by anna at 1970-01-01 00:02:10 UTC; nothing"):
        work.acknowledge(acknowledged, BOB, 131.0)


def test_who_mitigates_what_nobody_acknowledged_has_acknowledged_it() -> None:
    incident = after(work.mitigate(one(), ANNA, 130.0))
    assert (incident.status, incident.acknowledged_at, incident.mitigated_at) == ("mitigated", 130.0, 130.0)


def test_it_can_be_resolved_while_alerts_fire_and_says_so() -> None:
    (event,) = work.resolve(one(), ANNA, 150.0, "false alarm")
    assert (event.incident.status, event.incident.resolved_at) == ("resolved", 150.0)
    assert event.data == {"still_firing": 2, "note": "false alarm"}


def test_what_a_person_reopened_only_a_person_resolves() -> None:
    incident = after(work.reopen(after(work.resolve(one(), ANNA, 150.0)), ANNA, 160.0))
    assert (incident.status, incident.by_hand, incident.resolved_at) == ("open", True, None)


def test_its_review_is_closed_after_its_end_and_may_be_corrected() -> None:
    with pytest.raises(ConflictError, match="resolve it before its review"):
        work.review(one(), ANNA, 150.0, {})
    resolved = after(work.resolve(one(), ANNA, 150.0))
    (event,) = work.review(resolved, ANNA, 200.0, {"cause": "a bad release", "impact": ""})
    assert (event.incident.status, event.incident.reviewed_at) == ("reviewed", 200.0)
    assert event.data == {"cause": "a bad release"}
    assert after(work.review(event.incident, ANNA, 300.0, {"cause": "a worse one"})).reviewed_at == 300.0


def test_merging_moves_alerts_and_takes_the_worse_severity() -> None:
    other = opened(8, alert("Down", service="cart", environment="production", severity="critical"), 90.0)
    merged, absorbed = work.merge(one(), replace(other, severity=Severity.LOW), ANNA, 150.0)
    assert (merged.incident.status, merged.incident.merged_into, merged.incident.alerts) == ("resolved", 8, ())
    assert absorbed.incident.severity is Severity.CRITICAL
    assert set(absorbed.incident.alerts) == {*one().alerts, *other.alerts}
    assert (absorbed.moved_from, absorbed.moved) == (7, one().alerts)
    with pytest.raises(ConflictError, match="was merged into incident 8; use that one"):
        work.reopen(merged.incident, ANNA, 160.0)


def test_an_open_incident_is_not_hidden_in_one_that_is_over() -> None:
    with pytest.raises(ConflictError, match="incident 8 is resolved; reopen it"):
        work.merge(one(), after(work.resolve(one(8), ANNA, 150.0)), ANNA, 160.0)


def test_splitting_makes_an_incident_of_some_alerts() -> None:
    incident = one()
    split, apart = work.split(incident, remembered(incident, SECOND.id), 9, ANNA, 150.0, title="Slow pages")
    assert split.incident.alerts == (FIRST.id,)
    assert (apart.incident.id, apart.incident.title, apart.incident.severity) == (9, "Slow pages", "medium")
    assert (apart.incident.alerts, apart.incident.active) == ((SECOND.id,), frozenset({SECOND.id}))
    assert apart.moved_from == 7
    with pytest.raises(ConflictError, match="would have no alert left"):
        work.split(incident, remembered(incident, FIRST.id, SECOND.id), 9, ANNA, 150.0)


def test_splitting_off_the_last_firing_alert_ends_the_rest() -> None:
    incident = replace(one(), active=frozenset({SECOND.id}))
    *_, end = work.split(incident, remembered(incident, SECOND.id), 9, ANNA, 150.0)
    assert (end.transition, end.incident.id) == ("resolved", 7)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: work.note(one(), ANNA, "  "), "'note' is empty"),
        (lambda: work.note(one(), ANNA, "x" * 10_001), "has 10,001 letters; 10,000 fit"),
        (lambda: work.assign(one(), ANNA, "a\x1bb"), "'owner' is no name"),
        (lambda: work.assign(one(), ANNA, ""), "belongs to nobody already"),
        (lambda: work.set_severity(one(), ANNA, Severity.CRITICAL), "is critical already"),
        (lambda: work.merge(one(), one(), ANNA, 1.0), "cannot be merged into itself"),
        (lambda: work.split(one(), [], 9, ANNA, 1.0), "'alerts' is empty"),
        (lambda: work.reopen(one(), ANNA, 1.0), "is open, not over"),
        (
            lambda: work.open_by_hand(1, ANNA, 1.0, title=" ", service="", environment="", severity=Severity.LOW),
            "'title' must have 1 to 300 letters",
        ),
    ],
)
def test_what_cannot_be_done_is_said(act: Callable[[], object], message: str) -> None:
    with pytest.raises((UserError, ConflictError), match=message):
        act()


STEPS = ("acknowledge", "mitigate", "resolve", "reopen", "review")


@settings(max_examples=200)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_any_order_of_acts_leaves_a_state_that_makes_sense(acts: list[str]) -> None:
    incident, now = one(), 100.0
    for act in acts:
        now += 10
        more: tuple[dict[str, str], ...] = ({},) if act == "review" else ()
        try:
            incident = after(getattr(work, act)(incident, ANNA, now, *more))
        except WatchkeeperError as refusal:
            assert "; " in str(refusal)  # says what to do instead
            continue
        assert (incident.resolved_at is None) == incident.is_open
        assert (incident.status is IncidentStatus.REVIEWED) == (incident.reviewed_at is not None)
        if incident.status in (IncidentStatus.ACKNOWLEDGED, IncidentStatus.MITIGATED):
            assert incident.acknowledged_at is not None
            assert incident.owner
