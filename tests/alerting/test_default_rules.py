"""The built-in rules over the metrics of a real machine, and over troubles made up."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from alerting.default_rules import default_groups
from alerting.rule import AlertingRule
from metrics.exposition import parse as parse_exposition
from metrics.frame import Frame, Layout
from metrics.head import Head
from metrics.label import labels_of, with_labels
from metrics.promql.engine import Engine
from metrics.promql.parse import parse
from metrics.promql.result import Vector
from tests.alerting.house import config_of, house
from tests.alerting.notify.test_alertmanager import free_port
from tests.components import require

HOUR = 3600
TARGET = {"job": "system", "instance": "a"}


def rules() -> dict[tuple[str, str], AlertingRule]:
    found = {}
    for group in default_groups():
        for rule in group.rules:
            assert isinstance(rule, AlertingRule)
            found[rule.name, rule.labels["severity"].text] = rule
    return found


def yielded(rule: AlertingRule, frames: Mapping[float, Mapping[str, float]], at: float) -> list[dict[str, str]]:
    """Return the labels of what a rule's expression yields `at` seconds, after samples at their seconds."""
    head = Head(retention_seconds=1e9)
    for seconds, values in sorted(frames.items()):
        layout = Layout(tuple(_series(text) for text in values))
        head.append(Frame("s", round(seconds * 1000), layout, np.array(list(values.values()), dtype=np.float64)))
    result = Engine(head).instant(rule.expr, round(at * 1000))
    assert isinstance(result, Vector)
    return [dict(labels) for labels in result.series]


def _series(text: str) -> tuple[tuple[str, str], ...]:
    (use,) = parse(text).selectors
    return labels_of({matcher.name: matcher.value for matcher in use.matchers} | TARGET)


def cpu(idle_per_second: float, seconds: float) -> dict[str, float]:
    return {
        'node_cpu_seconds_total{cpu="0",mode="idle"}': seconds * idle_per_second,
        'node_cpu_seconds_total{cpu="0",mode="user"}': seconds * (1 - idle_per_second),
    }


def disk(free: float, *, fstype: str = "ext4", readonly: float = 0) -> dict[str, float]:
    where = f'{{device="sda1",mountpoint="/",fstype="{fstype}"}}'
    return {
        f"node_filesystem_size_bytes{where}": 100.0,
        f"node_filesystem_free_bytes{where}": free,
        f"node_filesystem_avail_bytes{where}": free,
        f"node_filesystem_readonly{where}": readonly,
    }


def steady(values: Mapping[str, float]) -> dict[float, Mapping[str, float]]:
    return dict.fromkeys(range(0, 301, 15), values)


def growing(start: float, per_hour: float) -> dict[float, Mapping[str, float]]:
    return {hour * HOUR: disk(start - per_hour * hour) for hour in np.arange(0, 6.01, 0.1).tolist()}


def router(bad_per_second: float, good_per_second: float) -> dict[float, Mapping[str, float]]:
    def at(seconds: float) -> dict[str, float]:
        where = 'service="shop",environment="production"'
        return {
            f'watchkeeper_router_requests_total{{{where},code="500"}}': seconds * bad_per_second,
            f'watchkeeper_router_requests_total{{{where},code="200"}}': seconds * good_per_second,
        }

    return {seconds: at(seconds) for seconds in range(0, 301, 5)}


def slow(seconds: float) -> dict[float, Mapping[str, float]]:
    def at(now: float) -> dict[str, float]:
        where = 'service="shop",environment="production"'
        bounds = {"1.0": 1.0, "2.5": 2.5, "5.0": 5.0, "10.0": 10.0, "+Inf": 1e9}
        name = "watchkeeper_router_request_duration_seconds_bucket"
        return {f'{name}{{{where},le="{le}"}}': now * (bound >= seconds) for le, bound in bounds.items()}

    return {now: at(now) for now in range(0, 301, 5)}


def unsent(*, pending: float, caught_up: float) -> dict[str, float]:
    return {
        "watchkeeper_remote_write_samples_pending": pending,
        "watchkeeper_remote_write_caught_up_timestamp_seconds": caught_up,
    }


MEMORY = "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes"
DAY = 86400.0
CASES = [
    ("HostCpuHigh", "medium", {s: cpu(0.15, s) for s in range(0, 301, 15)}, True),
    ("HostCpuHigh", "medium", {s: cpu(0.25, s) for s in range(0, 301, 15)}, False),
    ("HostCpuHigh", "critical", {s: cpu(0.05, s) for s in range(0, 301, 15)}, True),
    ("HostMemoryHigh", "medium", steady({MEMORY[0]: 100, MEMORY[1]: 14}), True),
    ("HostMemoryHigh", "critical", steady({MEMORY[0]: 100, MEMORY[1]: 14}), False),
    ("HostDiskUsageHigh", "medium", steady(disk(19)), True),
    ("HostDiskUsageHigh", "critical", steady(disk(19)), False),
    ("HostDiskUsageHigh", "critical", steady(disk(0, fstype="squashfs")), False),
    ("HostDiskUsageHigh", "critical", steady(disk(0, readonly=1)), False),
    ("HostDiskFullSoon", "high", growing(38, 2), True),
    ("HostDiskFullSoon", "high", growing(30, 0.5), False),
    ("HostDiskFullSoon", "high", growing(99, 5), False),
    ("HostClockSkew", "high", steady({"node_timex_offset_seconds": 0.9}), True),
    ("HostClockSkew", "high", steady({"node_time_seconds": 300}), False),
    ("HostClockSkew", "high", steady({"node_time_seconds": 900}), True),
    ("TargetDown", "high", steady({"up": 0}), True),
    ("TargetDown", "high", steady({"up": 1}), False),
    ("ServiceProbeFailing", "critical", steady({'probe_success{service="shop"}': 0}), True),
    ("ServiceProbeFailing", "critical", steady({"probe_success": 0}), False),
    ("ProbeFailing", "high", steady({"probe_success": 0}), True),
    ("DatabaseUnreachable", "critical", steady({"sql_up": 0}), True),
    ("ProbeSlow", "medium", steady({"probe_duration_seconds": 3, "probe_success": 1}), True),
    ("ProbeSlow", "medium", steady({"probe_duration_seconds": 3, "probe_success": 0}), False),
    ("ServiceSlow", "medium", slow(3), True),
    ("ServiceSlow", "critical", slow(8), True),
    ("ServiceSlow", "medium", slow(0.5), False),
    ("ServiceErrorRateHigh", "medium", router(0.6, 9.4), True),
    ("ServiceErrorRateHigh", "critical", router(0.6, 9.4), False),
    ("ServiceErrorRateHigh", "critical", router(3, 6), True),
    ("ServiceErrorRateHigh", "critical", router(0.02, 0.02), False),
    ("CertificateExpiring", "medium", steady({"probe_ssl_earliest_cert_expiry": 13 * DAY}), True),
    ("CertificateExpiring", "critical", steady({"probe_ssl_earliest_cert_expiry": 13 * DAY}), False),
    ("CertificateExpiring", "critical", steady({"probe_ssl_earliest_cert_expiry": 2 * DAY}), True),
    ("WatchkeeperStateNotWritable", "critical", steady({"watchkeeper_state_database_writable": 0}), True),
    ("WatchkeeperStateNotWritable", "critical", steady({"watchkeeper_state_database_writable": 1}), False),
    ("WatchkeeperRemoteWriteBehind", "medium", steady(unsent(pending=2000, caught_up=-400)), True),
    ("WatchkeeperRemoteWriteBehind", "medium", steady({"watchkeeper_remote_write_samples_pending": 2000}), True),
    ("WatchkeeperRemoteWriteBehind", "medium", steady(unsent(pending=2000, caught_up=200)), False),
    ("WatchkeeperRemoteWriteBehind", "medium", steady(unsent(pending=0, caught_up=-400)), False),
    ("WatchkeeperRemoteWriteLoses", "high",
     {s: {"watchkeeper_remote_write_samples_dropped_total": s} for s in range(0, 301, 15)}, True),
    ("WatchkeeperRemoteWriteLoses", "high",
     {s: {"watchkeeper_remote_write_lost_bytes_total": s // 300 * 9} for s in range(0, 301, 15)}, True),
    ("WatchkeeperRemoteWriteLoses", "high", steady({"watchkeeper_remote_write_samples_dropped_total": 7}), False),
    ("WatchkeeperStalled", "high", steady({"watchkeeper_stalled": 1}), True),
    ("WatchkeeperTaskCrashed", "high", steady({'watchkeeper_task_crashes_total{task="x"}': 1}), True),
    ("WatchkeeperConfigRefused", "medium", steady({"watchkeeper_config_last_reload_successful": 0}), True),
    ("WatchkeeperSignInFailures", "high",
     {s: {"watchkeeper_sign_in_failures_total": s / 10} for s in range(0, 301, 15)}, True),
    ("WatchkeeperNotificationsUndelivered", "high", steady({"watchkeeper_notifications_queued": 2}), True),
    ("WatchkeeperReceiverFailing", "high", steady({"watchkeeper_notification_circuit_open": 1}), True),
    ("WatchkeeperReceiverFailing", "high", steady({"watchkeeper_notification_circuit_open": 0}), False),
    ("WatchkeeperNotificationsRejected", "high",
     {s: {'watchkeeper_notification_failures_total{outcome="rejected"}': s // 200} for s in range(0, 301, 15)}, True),
    ("WatchkeeperEscalationLate", "high", steady({"watchkeeper_escalation_late_steps": 1}), True),
    ("WatchkeeperEscalationLate", "high", steady({"watchkeeper_escalation_late_steps": 0}), False),
    ("WatchkeeperEscalationLate", "high",
     {s: {"watchkeeper_escalation_steps_late_total": s // 200} for s in range(0, 301, 15)}, True),
    ("WatchkeeperEscalationReachedNobody", "high",
     {s: {'watchkeeper_escalation_steps_total{outcome="nobody"}': s // 200} for s in range(0, 301, 15)}, True),
    ("WatchkeeperEscalationReachedNobody", "high",
     {s: {'watchkeeper_escalation_steps_total{outcome="told"}': s // 200} for s in range(0, 301, 15)}, False),
    ("WatchkeeperRuleFailing", "high",
     {s: {"watchkeeper_rule_evaluation_failures_total": s / 15} for s in range(0, 301, 15)}, True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "severity", "frames", "expected"), CASES)
def test_a_rule_sees_its_trouble_and_nothing_else(
    name: str, severity: str, frames: dict[float, dict[str, float]], expected: bool
) -> None:
    assert bool(yielded(rules()[name, severity], frames, max(frames))) == expected


def test_every_rule_has_a_case() -> None:
    assert {name for name, _ in rules()} == {case[0] for case in CASES}


@pytest.mark.slow
@pytest.mark.component("prometheus-node-exporter")
async def test_the_rules_of_a_host_understand_what_node_exporter_tells(tmp_path: Path) -> None:
    program, port = require("prometheus-node-exporter"), free_port()
    process = await asyncio.create_subprocess_exec(
        program, f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        body = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/metrics")
    finally:
        process.terminate()
        await process.wait()
    parsed = parse_exposition(body, "text/plain; version=0.0.4")
    layout = Layout(tuple(with_labels(labels, TARGET) for labels in parsed.layout.series))
    head = Head()
    now = round(time.time() * 1000)
    for age in (240, 120, 0):
        head.append(Frame("node", now - age * 1000, layout, parsed.values))
    engine = Engine(head)
    for expression in (
        'rate(node_cpu_seconds_total{mode=~"idle|iowait"}[5m])',
        "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
        "node_filesystem_size_bytes - node_filesystem_free_bytes + node_filesystem_avail_bytes",
        "node_time_seconds",
    ):
        result = engine.instant(parse(expression), now)
        assert isinstance(result, Vector)
        assert len(result.series), expression
    for rule in rules().values():
        engine.instant(rule.expr, now)
    assert not yielded(rules()["HostClockSkew", "high"], {}, 0)


def fetch(url: str) -> bytes:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                content: bytes = response.read()
                return content
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"{url} did not answer")


async def test_they_are_quiet_where_nothing_is_wrong(tmp_path: Path) -> None:
    async with house(tmp_path, config_of("", quiet=False)) as here:
        for number in range(40):
            await here.clock.advance(15)
            frame = {**disk(50), **cpu(0.9, number * 15), MEMORY[0]: 100.0, MEMORY[1]: 50.0, "up": 1.0,
                     "node_timex_offset_seconds": 0.001, "node_time_seconds": here.clock.now(),
                     "watchkeeper_state_database_writable": 1.0, "watchkeeper_alert_changes_waiting": 0.0,
                     "watchkeeper_notifications_queued": 0.0, "watchkeeper_stalled": 0.0}  # fmt: skip
            here.feed_series("s", {_series(text): value for text, value in frame.items()})
            await here.clock.advance(0.01)
        assert await here.told() == []
        assert {status.health for status in here.alerting.rules()} == {"ok"}
