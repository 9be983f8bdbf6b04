"""The drafted review: what it says, and what it leaves for a person to say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerting.correlation import opened
from alerting.incident import IncidentAlert, IncidentStatus, subject_of
from alerting.incident_figures import by_service, figures
from alerting.incident_plot import Plot, plot_of
from alerting.incident_record import IncidentRecord
from alerting.incident_timeline import timeline
from alerting.review import Drawn, Review, draft
from alerting.review_chart import svg
from alerting.review_html import html
from alerting.review_markdown import markdown
from core.logbook import Entry
from tests.alerting.makers import alert

FIRED = alert("Errors", service="shop", environment="production", severity="critical", at=1_000_000.0)


def entry(number: int, seconds: float, what: str, subject: str = "incident/7", actor: str = "watchkeeper",
          **data: Any) -> Entry:  # fmt: skip
    return Entry(number, 1_000_000.0 + seconds, what, subject, actor, data, "", "")


def remembered(**changed: Any) -> IncidentAlert:
    values: dict[str, Any] = {
        "id": FIRED.id, "name": FIRED.name, "subject": subject_of(FIRED.labels), "severity": FIRED.severity,
        "labels": FIRED.labels, "annotations": {"summary": "31 % of the requests fail"}, "expr": "errors > 0.1",
        "value": 0.31, "active_since": 999_970.0, "joined_at": 1_000_000.0, "resolved_at": 1_000_600.0,
    }  # fmt: skip
    return IncidentAlert(**(values | changed))


def record(*entries: Entry, **changed: Any) -> IncidentRecord:
    incident = replace(
        opened(7, FIRED, 1_000_000.0), status=IncidentStatus.RESOLVED, resolved_at=1_000_600.0, **changed
    )
    alerts = (remembered(),)
    lines = timeline(incident, alerts, entries)
    return IncidentRecord(incident, alerts, (), tuple(lines), ("shop 2.1, deployed 40 s before",))


def review(*entries: Entry, **changed: Any) -> Review:
    return draft(record(*entries, **changed), 1_001_000.0)


def test_the_times_are_those_of_the_record() -> None:
    found = review(acknowledged_at=1_000_120.0, acknowledged_by="anna")
    assert (found.detect_seconds, found.acknowledge_seconds, found.recover_seconds) == (30.0, 120.0, 600.0)
    assert (
        found.summary
        == "A critical incident of shop / production that lasted 10 min. It was taken by anna after 2 min."
    )
    text = markdown(found)
    assert "| First sign | 1970-01-12 13:46:10 UTC |" in text
    assert "| Recovered | 1970-01-12 13:56:40 UTC, 10 min after it was detected |" in text
    assert "- 31 % of the requests fail (critical, for 10 min)." in text
    assert "- Candidate: shop 2.1, deployed 40 s before" in text


def test_follow_ups_come_from_the_record_alone() -> None:
    (nobody, cause, runbook) = review().follow_ups
    assert nobody.startswith("Nobody acknowledged it")
    assert "whether this was the cause: shop 2.1" in cause
    assert runbook == "Write a runbook and name it as `runbook_url`: Errors."
    troubled = review(
        entry(1, 5, "operation.requested", "operation/3", kind="rollback", service="shop", environment="production"),
        entry(2, 9, "operation.failed", "operation/3", error="no older revision"),
        entry(3, 9, "notification.failed", "notification/x", receiver="team", group='{}:{alertname="Errors"}'),
        acknowledged_at=1_001_000.0,
    ).follow_ups
    assert any("It took 16 min 40 s until somebody took it" in text for text in troubled)
    assert "Operation 3 failed: find out why." in troubled
    assert "Receiver team could not be told: repair it, or give it a fallback." in troubled


def test_what_a_policy_ended_by_itself_is_told_so() -> None:
    place = {"service": "shop", "environment": "production"}
    found = review(
        entry(1, 1, "policy.decision", "policy/back", trigger="incident/7", taken=True, reason="act"),
        entry(2, 1, "operation.requested", "operation/3", "policy/back", kind="rollback", **place),
        entry(3, 1, "operation.started", "operation/3"),
        entry(4, 2, "revision.quarantined", "service/shop/production", version="2.1"),
        entry(5, 3, "operation.succeeded", "operation/3"),
        entry(6, 600.01, "incident.resolved"),
        entry(7, 700, "operation.requested", "operation/4", kind="recover", **place),
        entry(8, 701, "operation.succeeded", "operation/4"),
    )
    assert found.summary.endswith("lasted 10 min. Policy back acted; no person had to.")
    assert [line.text for line in found.acted] == [
        "Policy back acts",
        "Rollback of shop asked for by policy back (operation 3)",
        "Rollback of shop succeeded (operation 3)",
        "Resolved",
    ]
    assert found.causes == (
        "shop 2.1, deployed 40 s before; it was taken back, and 9 min 58 s later the incident was over",
    )
    assert not any("acknowledged" in text for text in found.follow_ups)


def test_what_goes_on_after_the_end_is_done_about_it_only_if_it_was_begun_before() -> None:
    place = {"service": "shop", "environment": "production"}
    found = review(
        entry(1, 590, "operation.requested", "operation/3", kind="rollback", **place),
        entry(2, 610, "operation.failed", "operation/3", error="no older revision"),
        entry(3, 620, "operation.requested", "operation/4", kind="deploy", **place),
    )
    assert [line.text for line in found.acted] == [
        "Rollback of shop asked for (operation 3)", "Rollback of shop failed (operation 3)",
    ]  # fmt: skip
    assert "Nobody acknowledged it." in found.summary


def test_code_in_a_draft_is_code_in_both_forms() -> None:
    assert "name it as `runbook_url`: Errors" in markdown(review())
    assert "name it as <code>runbook_url</code>: Errors" in html(review())


def test_what_a_person_found_takes_the_place_of_questions() -> None:
    found = review(entry(1, 900, "incident.reviewed", actor="token:anna", cause="a certificate", follow_ups="probe it"))
    text = markdown(found)
    assert "a certificate" in text
    assert "probe it" in text
    assert not any("Find out" in each for each in found.follow_ups)
    assert "To be added" not in text
    assert "To be added" in markdown(review())
    assert found.people == ("anna",)


def test_what_was_told_of_other_alerts_is_not_on_the_timeline() -> None:
    found = review(
        entry(1, 1, "notification.sent", "notification/a", receiver="team", group='{}:{alertname="Errors"}'),
        entry(2, 2, "notification.sent", "notification/b", receiver="team", group='{}:{alertname="Other"}'),
        entry(3, 3, "notification.sent", "notification/c", receiver="boss", incident=7),
        entry(4, 4, "notification.sent", "notification/d", receiver="boss", incident=8),
        entry(5, 5, "alert.firing", "alert/another", name="Another"),
        entry(6, 6, "policy.decision", "policy/p", trigger="incident/7", taken=True, reason="matched"),
        entry(7, 7, "revision.good", "service/mail/production", version="1"),
    )
    assert [line.text for line in found.timeline] == [
        "team was told: ", "boss was told: ", "Policy p acts"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expr", "query", "threshold"),
    [
        ("errors > 0.1", "errors", 0.1),
        ("(sum(rate(errors[1m])) / sum(rate(requests[1m]))) >= bool 0.5",
         "sum(rate(errors[1m])) / sum(rate(requests[1m]))", 0.5),
        ("5 < heat", "heat", 5.0),
        ("delta < -3", "delta", -3.0),
        ("a > 1 and b > 2", "a", 1.0),
        ("a > b", "a", None),
        ("absent(up)", "absent(up)", None),
    ],
)  # fmt: skip
def test_what_a_condition_compares_is_drawn(expr: str, query: str, threshold: float | None) -> None:
    plot = plot_of(remembered(expr=expr))
    assert plot is not None
    assert (plot.query, plot.threshold) == (query, threshold)


def test_what_cannot_be_read_is_not_drawn() -> None:
    assert plot_of(remembered(expr="")) is None
    assert plot_of(remembered(expr="))")) is None


def test_a_chart_shows_gaps_marks_and_the_threshold() -> None:
    plot = Plot("Errors", "errors", 0.1, {})
    points = [(0.0, 0.0), (1.0, 0.4), (2.0, float("nan")), (3.0, 0.2)]
    drawn = Drawn(plot, [("a", points)], 0.0, 3.0)
    chart = svg(drawn, [(1.0, "opened"), (99.0, "never")])
    assert chart.count("M") == 2
    assert 'class="threshold"' in chart
    assert "opened" in chart
    assert "never" not in chart
    assert svg(Drawn(plot, [], 5.0, 5.0)).startswith("<svg")
    page = html(draft(record(), 1_001_000.0, [drawn]))
    assert "What the metrics showed" in page
    assert "threshold 0.1" in page


def test_figures_are_over_those_that_have_the_time() -> None:
    one = opened(1, FIRED, 1_000_010.0)
    over = replace(one, id=2, status=IncidentStatus.RESOLVED, resolved_at=1_000_110.0, acknowledged_at=1_000_030.0)
    found = figures([one, over])
    assert (found.incidents, found.open, found.detect.median) == (2, 1, 10.0)
    assert (found.acknowledge.count, found.acknowledge.mean, found.recover.worst) == (1, 20.0, 100.0)
    assert figures([]).recover.mean is None
    assert figures([over, replace(over, resolved_at=1_000_210.0)]).recover.median == 150.0
    assert list(by_service([one, over, replace(one, id=3, service="")])) == ["shop", ""]
