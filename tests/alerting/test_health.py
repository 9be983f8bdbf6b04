"""Health: what firing alerts and other findings amount to."""

from __future__ import annotations

from dataclasses import replace

from alerting.alert import AlertState
from alerting.health import Aspect, Reason, Status, assess
from tests.alerting.makers import alert, ended


def test_without_reasons_it_is_healthy_and_what_nobody_watches_is_unknown() -> None:
    health = assess([], watched={Aspect.RESOURCES})
    assert health.status is Status.HEALTHY
    assert health.aspects[Aspect.RESOURCES] is Status.HEALTHY
    assert health.aspects[Aspect.DATABASE] is Status.UNKNOWN


def test_severity_decides_how_bad_an_aspect_is() -> None:
    critical = alert("Errors", severity="critical", aspect="database")
    warning = replace(alert("Slow", severity="warning"), annotations={"aspect": "resources", "summary": "slow"})
    health = assess([warning, critical])
    assert health.status is Status.UNHEALTHY
    assert [reason.status for reason in health.reasons] == [Status.UNHEALTHY, Status.DEGRADED]
    assert health.aspects[Aspect.DATABASE] is Status.UNHEALTHY
    assert health.aspects[Aspect.RESOURCES] is Status.DEGRADED
    assert health.reasons[1].message == "slow"


def test_pending_resolved_and_low_alerts_are_no_reason() -> None:
    pending = replace(alert(severity="critical"), state=AlertState.PENDING)
    assert assess([pending, ended(alert()), alert(severity="low")]).status is Status.HEALTHY


def test_the_worst_reason_of_an_aspect_counts() -> None:
    alerts = [alert("A", severity="critical", aspect="security"), alert("B", severity="warning", aspect="security")]
    assert assess(alerts).aspects[Aspect.SECURITY] is Status.UNHEALTHY
    assert assess(alerts[::-1]).aspects[Aspect.SECURITY] is Status.UNHEALTHY


def test_other_findings_count_too() -> None:
    full = Reason(Aspect.RESOURCES, Status.DEGRADED, "the state database cannot be written: disk full")
    assert assess([], [full]).status is Status.DEGRADED


def test_an_alert_that_names_no_known_aspect_is_about_availability() -> None:
    assert assess([alert(aspect="feelings")]).aspects[Aspect.AVAILABILITY] is Status.DEGRADED
