"""The whole of alerting, from a frame to what is told, over time, restarts, clock steps and failures."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from alerting.health import Aspect
from core.errors import ConfigError
from metrics.label import labels_of
from tests.alerting.house import config_of, eventually, house
from tests.fakes.clock import FakeClock

TARGET_DOWN = """
groups:
  - name: targets
    rules:
      - alert: TargetDown
        expr: up == 0
        for: 10s
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is down"}
"""

INSTANT = "groups: [{name: g, rules: [{alert: Hot, expr: 'heat > 5'}]}]"


def rule(alert: str, expr: str, **more: str) -> str:
    """Return a config of one rule."""
    rest = "".join(f", {key.rstrip('_')}: {value}" for key, value in more.items())
    return f"groups: [{{name: g, rules: [{{alert: {alert}, expr: '{expr}'{rest}}}]}}]"


async def test_an_alert_is_pending_then_fires_then_ends_and_so_does_its_incident(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(TARGET_DOWN)) as here:
        assert await here.collect(3, up__instance__a=1) == []
        assert await here.collect(1, up__instance__a=0) == ["pending TargetDown"]
        assert await here.collect(9, up__instance__a=0) == []
        assert await here.collect(2, up__instance__a=0) == ["firing TargetDown", "opened TargetDown: a"]
        alert = here.alerting.alerts()[0]
        assert (alert.state, alert.severity, alert.annotations) == ("firing", "critical", {"summary": "a is down"})
        assert await here.collect(1, up__instance__a=1) == ["resolved TargetDown", "resolved TargetDown: a"]
        assert here.alerting.alerts() == []
        assert [each.id for each in here.alerting.resolved_alerts()] == [alert.id]


async def test_everything_that_happened_is_in_the_logbook_and_the_timeline(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(TARGET_DOWN)) as here:
        await here.collect(12, up__instance__a=0)
        await here.collect(1, up__instance__a=1)
        kinds = [entry.kind for entry in await here.logbook.read()]
        assert kinds == ["alert.pending", "alert.firing", "incident.opened", "alert.resolved", "incident.resolved"]
        (incident,) = await here.alerting.incidents()
        assert (incident.id, incident.status, len(incident.alerts)) == (1, "resolved", 1)
        timeline = await here.logbook.read(subject="incident/1")
        assert [entry.kind for entry in timeline] == ["incident.opened", "incident.resolved"]
        assert await here.logbook.verify() == []
        assert await here.alerting.incident(2) is None


async def test_a_pending_alert_fires_on_time_though_no_data_arrives_then(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(TARGET_DOWN)) as here:
        assert await here.collect(1, up__instance__a=0) == ["pending TargetDown"]
        await here.clock.advance(9.98)
        assert await here.told() == []
        await here.clock.advance(0.02)
        assert await here.told() == ["firing TargetDown", "opened TargetDown: a"]


async def test_a_threshold_stays_until_its_value_has_passed_resolve(tmp_path: Path) -> None:
    text = "thresholds: [{name: Hot, expr: heat, warning: {above: 80, resolve: 70}, critical: {above: 90}}]"
    async with house(tmp_path, config_of(text)) as here:
        assert await here.collect(1, heat=85) == ["firing Hot"]
        assert await here.collect(1, heat=95) == ["firing Hot", "opened Hot"]
        assert await here.collect(1, heat=85) == ["resolved Hot", "resolved Hot"]
        assert await here.collect(3, heat=70) == []
        assert here.alerting.alerts()[0].value == 70
        assert await here.collect(1, heat=69.9) == ["resolved Hot"]
        assert await here.collect(1, heat=75) == []


async def test_flapping_is_bridged_by_keep_firing_for(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(rule("Hot", "heat > 5", keep_firing_for="10s"))) as here:
        assert await here.collect(1, heat=6) == ["firing Hot"]
        assert await here.collect(9, heat=1) == []
        assert await here.collect(1, heat=6) == []
        assert await here.collect(10, heat=1) == []
        assert await here.collect(2, heat=1) == ["resolved Hot"]


async def test_later_rules_see_what_earlier_ones_record_in_the_same_round(tmp_path: Path) -> None:
    text = """
groups:
  - name: g
    rules:
      - {record: "job:heat:sum", expr: sum by (job) (heat), labels: {team: a}}
      - {alert: Hot, expr: "job:heat:sum > 5"}
  - name: h
    rules: [{alert: Warm, expr: "job:heat:sum > 3"}]
"""
    async with house(tmp_path, config_of(text)) as here:
        assert await here.collect(1, heat__job__x__n__1=3, heat__job__x__n__2=3) == ["firing Hot", "firing Warm"]
        assert here.alerting.alerts()[0].labels == {"alertname": "Hot", "job": "x", "team": "a"}
        assert await here.collect(1, heat__job__x__n__1=1, heat__job__x__n__2=1) == ["resolved Hot", "resolved Warm"]


async def test_alerts_are_series_too(tmp_path: Path) -> None:
    text = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 5}, {alert: Many, expr: 'count(ALERTS) > 0'}]}]"
    async with house(tmp_path, config_of(text)) as here:
        assert await here.collect(2, heat=6) == ["firing Hot", "firing Many"]
        assert labels_of({"__name__": "ALERTS", "alertname": "Hot", "alertstate": "firing"}) in {
            series for block in here.head.select([], 0, 2**60) for series in block.series
        }


async def test_frames_of_one_moment_are_evaluated_together(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT)) as here:
        await here.clock.advance(1)
        before = here.registry.get_sample_value("watchkeeper_rule_evaluations_total", {"rule_group": "g"}) or 0
        for number in range(20):
            here.feed_series(f"s{number}", {labels_of({"__name__": "heat", "n": str(number)}): 6.0})
        await here.clock.advance(0.05)
        after = here.registry.get_sample_value("watchkeeper_rule_evaluations_total", {"rule_group": "g"})
        assert after == before + 1
        assert len(await here.told()) == 20


async def test_a_rule_whose_data_arrives_all_the_time_is_evaluated_ten_times_a_second(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT)) as here:
        for _ in range(100):
            await here.clock.advance(0.01)
            here.feed(heat=1)
        count = here.registry.get_sample_value("watchkeeper_rule_evaluations_total", {"rule_group": "g"})
        assert count is not None
        assert 9 <= count <= 12


async def test_a_rule_that_no_frame_touches_is_not_evaluated(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT)) as here:
        await here.collect(30, cold=1)
        assert here.registry.get_sample_value("watchkeeper_rule_evaluations_total", {"rule_group": "g"}) == 1


async def test_an_emptied_window_ends_an_alert_though_nothing_arrives(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(rule("Busy", "sum_over_time(jobs[30s]) > 5")), settle_seconds=1) as here:
        assert await here.collect(5, jobs=3) == ["firing Busy"]
        await here.clock.advance(50)
        assert await here.told() == ["resolved Busy"]


async def test_the_end_of_a_source_ends_its_alerts_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT), settle_seconds=0) as here:
        assert await here.collect(2, heat=6) == ["firing Hot"]
        here.head.end_source("test", round(here.clock.now() * 1000))
        here.alerting.on_end("test")
        await here.clock.advance(0.1)
        assert await here.told() == ["resolved Hot"]


async def test_absence_fires_only_after_data_had_its_time_to_come(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(rule("Gone", 'absent(up{job="a"})')), settle_seconds=60) as here:
        assert await here.collect(50, other=1) == []
        assert await here.collect(30, other=1) == ["firing Gone"]
        assert await here.collect(1, up__job__a=1) == ["resolved Gone"]


async def test_for_goes_on_after_a_restart_from_its_stored_time(tmp_path: Path) -> None:
    clock = FakeClock()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        assert await here.collect(4, up__instance__a=0) == ["pending TargetDown"]
        (before,) = here.alerting.alerts()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        (after,) = here.alerting.alerts()
        assert (after.id, after.active_since) == (before.id, before.active_since)
        assert await here.collect(4, up__instance__a=0) == []
        assert await here.collect(4, up__instance__a=0) == ["firing TargetDown", "opened TargetDown: a"]


async def test_a_firing_alert_is_restored_not_told_again_and_ends_once(tmp_path: Path) -> None:
    clock = FakeClock()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        await here.collect(12, up__instance__a=0)
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        assert await here.collect(3, up__instance__a=0) == ["restored TargetDown", "restored TargetDown: a"]
        assert await here.collect(1, up__instance__a=1) == ["resolved TargetDown", "resolved TargetDown: a"]
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        assert await here.told() == []
        assert [alert.name for alert in here.alerting.resolved_alerts()] == ["TargetDown"]
        kinds = [entry.kind for entry in await here.logbook.read(kind="alert.")]
        assert kinds == ["alert.pending", "alert.firing", "alert.resolved"]


async def test_missing_data_after_a_restart_resolves_nothing_until_it_can_be_back(tmp_path: Path) -> None:
    clock = FakeClock()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        await here.collect(12, up__instance__a=0, up__instance__b=0)
        await here.told()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock, settle_seconds=60) as here:
        await here.told()
        # Another target's data is back first, and says nothing about the one whose alert fires.
        assert await here.collect(30, up__instance__b=1) == ["resolved TargetDown", "resolved TargetDown: b"]
        assert [alert.labels["instance"] for alert in here.alerting.alerts()] == ["a"]
        # A target that never comes back is not waited for for ever.
        assert "resolved TargetDown" in await here.collect(45, up__instance__b=1)


async def test_a_pending_alert_waits_for_its_data_too(tmp_path: Path) -> None:
    clock = FakeClock()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        assert await here.collect(4, up__instance__a=0) == ["pending TargetDown"]
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        await here.clock.advance(20)
        assert await here.told() == []
        assert await here.collect(1, up__instance__a=0) == ["firing TargetDown", "opened TargetDown: a"]


async def test_a_range_that_is_not_filled_again_resolves_nothing(tmp_path: Path) -> None:
    config = config_of(rule("Errors", "increase(errors[60s]) > 3"))
    clock = FakeClock()
    async with house(tmp_path, config, clock=clock) as here:
        for number in range(20):
            await here.collect(1, errors=number)
        assert [alert.name for alert in here.alerting.alerts()] == ["Errors"]
        await here.told()
    async with house(tmp_path, config, clock=clock, settle_seconds=5) as here:
        assert await here.collect(58, errors=20) == ["restored Errors"]
        assert await here.collect(4, errors=20) == ["resolved Errors"]


async def test_keep_firing_for_goes_on_after_a_restart(tmp_path: Path) -> None:
    clock, config = FakeClock(), config_of(rule("Hot", "heat > 5", keep_firing_for="20s"))
    async with house(tmp_path, config, clock=clock) as here:
        await here.collect(1, heat=6)
        await here.collect(10, heat=1)
        await here.told()
    async with house(tmp_path, config, clock=clock) as here:
        assert await here.collect(8, heat=1) == ["restored Hot"]
        assert await here.collect(4, heat=1) == ["resolved Hot"]


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 1e8])
async def test_a_step_of_the_wall_clock_neither_fires_nor_resolves(tmp_path: Path, seconds: float) -> None:
    text = (
        TARGET_DOWN + "      - {alert: Slow, expr: 'rate(work[20s]) < 0.5'}\n      - {alert: Gone, expr: absent(up)}\n"
    )
    async with house(tmp_path, config_of(text), settle_seconds=30) as here:
        for number in range(30):
            await here.collect(1, work=number / 10, up__instance__a=0, up__instance__b=1)
        assert await here.collect(1, work=3, up__instance__a=0, up__instance__b=0) == ["pending TargetDown"]
        here.clock.jump(seconds)
        await here.clock.advance(0.5)
        assert await here.told() == []
        assert await here.collect(5, work=3.1, up__instance__a=0, up__instance__b=0) == []
        states = {(alert.name, alert.state) for alert in here.alerting.alerts()}
        assert states == {("TargetDown", "firing"), ("TargetDown", "pending"), ("Slow", "firing")}


async def test_a_rule_that_fails_says_so_once_and_resolves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(rule("Many", "a + on (job) b > 5"))
    async with house(tmp_path, config) as here:
        assert await here.collect(1, a__job__x=6, b__job__x=1) == ["firing Many"]
        with caplog.at_level(logging.WARNING):
            assert await here.collect(5, a__job__x=1, b__job__x__n__1=1, b__job__x__n__2=1) == []
        assert [alert.name for alert in here.alerting.alerts()] == ["Many"]
        assert len([record for record in caplog.records if "cannot be evaluated" in record.message]) == 1
        (status,) = here.alerting.rules()
        assert status.health == "error"
        assert status.last_error
        failures = here.registry.get_sample_value("watchkeeper_rule_evaluation_failures_total", {"rule_group": "g"})
        assert failures == 5
        assert await here.collect(1, a__job__x=1, b__job__x=1) == ["resolved Many"]
        assert here.alerting.rules()[0].health == "ok"


async def test_more_series_than_the_limit_are_an_error(tmp_path: Path) -> None:
    text = "groups: [{name: g, limit: 1, rules: [{alert: Hot, expr: heat > 5}]}]"
    async with house(tmp_path, config_of(text)) as here:
        assert await here.collect(1, heat__n__1=6, heat__n__2=6) == []
        assert "limit of 1" in here.alerting.rules()[0].last_error


async def test_groups_are_told_with_their_rules_and_alerts(tmp_path: Path) -> None:
    text = "groups: [{name: g, interval: 30s, rules: [{alert: Hot, expr: heat  > 5}, {record: a, expr: b}]}, {name: h}]"
    async with house(tmp_path, config_of(text)) as here:
        await here.collect(1, heat__n__1=6, heat__n__2=6)
        first, second = here.alerting.groups()
        assert (first.name, first.interval_seconds, first.limit) == ("g", 30, 0)
        (hot, query, alerts), (recorded, _, none) = first.rules
        assert (hot.name, query, len(alerts)) == ("Hot", "heat > 5", 2)
        assert (recorded.kind, none) == ("recording", ())
        assert (second.name, second.rules) == ("h", ())


async def test_alerts_of_a_removed_rule_end_and_others_go_on(tmp_path: Path) -> None:
    two = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 5}, {alert: Warm, expr: heat > 3, for: 10s}]}]"
    one = "groups: [{name: g, rules: [{alert: Warm, expr: heat > 2, for: 10s}]}]"
    async with house(tmp_path, config_of(two)) as here:
        assert await here.collect(5, heat=6) == ["firing Hot", "pending Warm"]
        await here.alerting.apply(config_of(one), base=tmp_path)
        await here.clock.advance(0.1)
        assert await here.told() == ["resolved Hot"]
        assert here.alerting.resolved_alerts()[0].reason == "rule removed"
        assert await here.collect(6, heat=3) == ["firing Warm"]


async def test_alerts_of_a_rule_removed_while_it_was_down_end_at_the_start(tmp_path: Path) -> None:
    clock = FakeClock()
    async with house(tmp_path, config_of(TARGET_DOWN), clock=clock) as here:
        await here.collect(12, up__instance__a=0)
    async with house(tmp_path, config_of(INSTANT), clock=clock) as here:
        await here.clock.advance(0.1)
        told = await here.told()
        assert told == ["resolved TargetDown", "restored TargetDown: a", "resolved TargetDown: a"] or told == [
            "restored TargetDown: a", "resolved TargetDown", "resolved TargetDown: a"
        ]  # fmt: skip


async def test_a_bad_config_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT)) as here:
        await here.collect(1, heat=6)
        (tmp_path / "bad.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: '('}]}]")
        with pytest.raises(ConfigError, match=r"bad\.yml:1:"):
            await here.alerting.apply(config_of("rule_files: [bad.yml]"), base=tmp_path)
        assert [status.name for status in here.alerting.rules()] == ["Hot"]
        assert [alert.name for alert in here.alerting.alerts()] == ["Hot"]


@pytest.mark.slow
async def test_while_the_database_is_locked_alerts_go_on_and_are_told_late(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT)) as here:
        lock = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        await here.clock.advance(1)
        here.feed(heat=6)
        await here.clock.advance(0.1)
        await eventually(lambda: bool(here.alerting.trouble))
        assert "1 change of alerts wait" in here.alerting.trouble
        assert here.events.empty()
        assert [alert.name for alert in here.alerting.alerts()] == ["Hot"]
        here.feed(heat=1)
        await here.clock.advance(0.2)
        assert here.alerting.alerts() == []
        lock.execute("ROLLBACK")
        lock.close()
        await here.clock.advance(10)
        assert await here.told() == ["firing Hot", "resolved Hot"]
        assert here.alerting.trouble == ""


async def test_the_daemons_own_trouble_is_part_of_the_health(tmp_path: Path) -> None:
    text = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 5, labels: {severity: critical, aspect: resources}}]}]"
    async with house(tmp_path, config_of(text)) as here:
        await here.collect(1, heat=1)
        health = here.alerting.health()
        assert health.status == "healthy"
        assert (health.aspects[Aspect.RESOURCES], health.aspects[Aspect.DATABASE]) == ("healthy", "unknown")
        await here.collect(1, heat=6)
        assert here.alerting.health().status == "unhealthy"


async def test_two_series_with_the_same_alert_labels_are_an_error(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(rule("Hot", "heat > 5", labels='{n: ""}'))) as here:
        assert await here.collect(1, heat__n__1=6, heat__n__2=6) == []
        assert "same labels twice" in here.alerting.rules()[0].last_error


async def test_progress_is_made_while_nothing_happens(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(INSTANT)) as here:
        for _ in range(10):
            await here.clock.advance(15)
            assert here.clock.monotonic() - here.alerting.progress <= 15.1
