from __future__ import annotations

from alerting.alert import AlertState, Severity
from alerting.pipeline.summary import over, summary_alert, tally_by_name
from tests.alerting.makers import alert, ended


def test_a_summary_counts_by_name_and_severity() -> None:
    alerts = [
        *(alert("Down", instance=str(number), severity="critical") for number in range(1200)),
        alert("Full", severity="low"),
        ended(alert("Gone", severity="high")),
    ]
    one = summary_alert(alerts, 40, 1000.0, 50)
    assert one.annotations["summary"] == "1,201 more alerts: 1,200 Down, 1 Full; and 1 more alert ended"
    assert "of 40 groups" in one.annotations["description"]
    assert "1,200 critical, 1 low, 1 high" in one.annotations["description"]
    assert (one.state, one.severity, one.name) == (AlertState.FIRING, Severity.CRITICAL, "MoreAlerts")
    assert tally_by_name(alerts) == {"Down": 1200, "Full": 1, "Gone": 1}


def test_a_summary_names_only_the_most_frequent() -> None:
    one = summary_alert([alert(f"A{number:02}") for number in range(25)], 25, 1000.0, 50)
    assert one.annotations["summary"].endswith("1 A19 and 5 others")


def test_a_summary_of_ends_has_ended() -> None:
    one = summary_alert([ended(alert())], 1, 1000.0, 50)
    assert (one.state, one.resolved_at) == (AlertState.RESOLVED, 1000.0)
    assert one.annotations["summary"] == "1 more alert ended"


def test_all_summaries_are_lives_of_one_alert() -> None:
    first, second = (summary_alert([alert()], 1, at, 50) for at in (1000.0, 2000.0))
    assert first.identity == second.identity
    assert first.id != second.id
    assert over(first, 1060.0).state is AlertState.RESOLVED
