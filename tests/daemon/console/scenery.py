"""A daemon in the middle of a rollback, for the browser to show."""

from __future__ import annotations

from actions.deployment.revision import RevisionState
from actions.operation import OperationState, StepRecord, StepState
from alerting.alert import AlertState, Severity
from alerting.health import Aspect, Health, Reason, Status
from alerting.incident import IncidentStatus
from core.db.database import Trouble
from daemon.api.state import ConfigStatus
from tests.daemon.api.fake_view import (
    FakeView,
    make_alert,
    make_incident,
    make_instance,
    make_operation,
    make_revision,
    make_service,
    make_step,
    make_target,
)


async def furnish(view: FakeView) -> None:
    """Fill a view with a bad release that is being rolled back."""
    now = view.clock.now()
    view.verdict = Health(
        Status.UNHEALTHY,
        (
            Reason(Aspect.AVAILABILITY, Status.UNHEALTHY, "31 % of the requests to shop in production fail"),
            Reason(Aspect.RESOURCES, Status.DEGRADED, "Disk /var/lib/postgresql is 84 % full"),
        ),
        {
            Aspect.AVAILABILITY: Status.UNHEALTHY,
            Aspect.DATABASE: Status.HEALTHY,
            Aspect.DEPENDENCIES: Status.HEALTHY,
            Aspect.RESOURCES: Status.DEGRADED,
            Aspect.SECURITY: Status.UNKNOWN,
        },
    )
    view.collectors.shown = [
        make_target("system", samples=612, last_collected=now - 4),
        make_target("own", samples=143, last_collected=now - 9),
        make_target("scrape/shop/127.0.0.1:9070", samples=38, last_collected=now - 2, exported=False),
        make_target("scrape/shop/127.0.0.1:9071", samples=38, last_collected=now - 7, exported=False),
        make_target("http_probe/https://shop.example.org/", samples=11, last_collected=now - 12, interval_seconds=30.0),
        make_target("sql/orders", samples=4, last_collected=now - 31, interval_seconds=60.0,
                    last_duration_seconds=0.241),
        make_target("scrape/cache/10.0.4.17:9121", health="down", samples=0, last_collected=now - 6,
                    last_error="connection refused by 10.0.4.17:9121; is redis_exporter running?"),
    ]  # fmt: skip
    labels = {"service": "shop", "environment": "production"}
    view.alerting.shown = [
        make_alert("HighErrorRate", labels={"alertname": "HighErrorRate", **labels, "code": "5xx"}, value=0.3127,
                   severity=Severity.CRITICAL, active_since=now - 62, fired_at=now - 41,
                   annotations={"summary": "31 % of the requests to shop in production fail (critical above 10 %)",
                                "runbook_url": "https://runbooks.example.org/error-rate"}),
        make_alert("DiskFilling", labels={"alertname": "DiskFilling", "mountpoint": "/var/lib/postgresql"}, value=84.2,
                   active_since=now - 4000, fired_at=now - 3700,
                   annotations={"summary": "Disk /var/lib/postgresql is 84 % full"}),
        make_alert("TargetDown", state=AlertState.PENDING, active_since=now - 20, fired_at=None, value=0.0,
                   labels={"alertname": "TargetDown", "job": "cache", "instance": "10.0.4.17:9121"},
                   annotations={"summary": "10.0.4.17:9121 of job cache cannot be read"}),
        make_alert("SlowResponses", state=AlertState.RESOLVED, value=1.94, resolved_at=now - 1500,
                   active_since=now - 2400, fired_at=now - 2300,
                   labels={"alertname": "SlowResponses", **labels},
                   annotations={"summary": "shop in production answered slower than 2 s"}),
    ]  # fmt: skip
    view.alerting.opened = [
        make_incident(12, opened_at=now - 41, alerts=("HighErrorRate-1",)),
        make_incident(11, title="TargetDown: 10.0.4.17:9121", service="", environment="", severity=Severity.HIGH,
                      status=IncidentStatus.RESOLVED, opened_at=now - 90000, resolved_at=now - 89300),
    ]  # fmt: skip
    view.actions.status = [
        make_service(baking_until=now + 95),
        make_service(
            service="search", environment="staging", current=3, last_good=3, baking_until=None, strategy="recreate",
            address=None, revisions=(make_revision(3, "0.9.0", RevisionState.GOOD, 400000),),
            instances=(make_instance(3, 0, None, id="search/staging/r3/0", port=7700),)),
    ]  # fmt: skip
    await _operations(view, now)
    await _history(view)


async def _operations(view: FakeView, now: float) -> None:
    def step(name: str, state: StepState, start: float, took: float | None, detail: str = "") -> StepRecord:
        return make_step(name, state, now + start, took, detail)

    done, running, skipped = StepState.SUCCEEDED, StepState.RUNNING, StepState.SKIPPED
    view.actions.done = [
        make_operation(
            id="7f3c", kind="rollback", state=OperationState.RUNNING, requested_by="policy/rollback-bad-release",
            reason="HighErrorRate: 31 % of requests fail since 1.4.2", created_at=now - 4, started_at=now - 4,
            ended_at=None, steps=(
                step("choose revision", done, -4.0, 0.02, "1.4.1 (r6), the last good one"),
                step("start instances", skipped, -3.9, 0.05, "2 of 2 still run"),
                step("check health", done, -3.8, 0.31, "2 of 2 healthy"),
                step("switch traffic", done, -3.4, 0.04, "100 % to 1.4.1"),
                step("drain", running, -3.3, None, "3 requests in flight on 1.4.2"),
            ),
        ),
        make_operation(id="7f3b", created_at=now - 82, started_at=now - 82, ended_at=now - 70, requested_by="local",
                       reason="release 1.4.2", steps=(step("unpack artifact", done, -82, 1.4, "shop-1.4.2.tar.gz"),
                                                      step("start instances", done, -80, 3.1, "ports 9070, 9071"),
                                                      step("check health", done, -76, 2.2, "2 of 2 healthy"),
                                                      step("switch traffic", done, -71, 0.1, "100 % to 1.4.2"))),
        make_operation(id="7f2a", kind="deploy", service="search", environment="staging", state=OperationState.FAILED,
                       created_at=now - 5400, started_at=now - 5400, ended_at=now - 5310,
                       error="check health: /healthz answered 503 for 60 s; look into search.log",
                       steps=(step("start instances", done, -5400, 1.0), step("check health", StepState.FAILED, -5390,
                                                                              60.0, "503 from /healthz"))),
    ]  # fmt: skip


async def _history(view: FakeView) -> None:
    shop = "service/shop/production"
    for kind, subject, data in (
        ("daemon.started", "daemon", {"version": "0.1.0"}),
        ("config.reloaded", "config", {"file": "/etc/watchkeeper/watchkeeper.yml"}),
        ("operation.requested", "operation/7f3b", {"kind": "deploy", "version": "1.4.2"}),
        ("operation.succeeded", "operation/7f3b", {"kind": "deploy", "version": "1.4.2"}),
        ("alert.pending", "alert/x", {"name": "HighErrorRate", "summary": "31 % of the requests fail"}),
        ("alert.firing", "alert/x", {"name": "HighErrorRate", "summary": "31 % of the requests fail"}),
        ("incident.opened", "incident/12", {"title": "HighErrorRate: shop in production"}),
        ("notification.sent", "incident/12", {"receiver": "on-call"}),
        (
            "policy.decision",
            "policy/rollback-bad-release",
            {"decision": "act", "reason": "critical alert, not in cooldown"},
        ),
        ("operation.requested", "operation/7f3c", {"kind": "rollback", "reason": "HighErrorRate"}),
        ("operation.started", "incident/12", {"kind": "rollback"}),
        ("operation.step", "operation/7f3c", {"step": "switch traffic", "state": "succeeded", "service": shop}),
    ):
        await view.logbook.append(kind, subject, data)


def break_things(view: FakeView) -> None:
    """Let the daemon itself be in trouble too."""
    view.config = ConfigStatus(
        "/etc/watchkeeper/watchkeeper.yml", view.clock.now() - 3600,
        "watchkeeper.yml:14:5: thresholds.0.expr: unknown function 'rat'; did you mean 'rate'?\n"
        "watchkeeper.yml:21:3: recievers: unknown key; did you mean 'receivers'?",
        notes=["watchkeeper.yml:3:3: global.query_log_file: is not used: queries are not logged; remove it"],
    )  # fmt: skip
    view.database_trouble = Trouble("disk I/O error", view.clock.now() - 75)
