"""The pipeline inside a whole alerting: posted alerts, silences, and what is written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from alerting.alert import fingerprint
from alerting.matcher import parse_matchers
from alerting.pipeline.posted import PostedAlert
from alerting.pipeline.store import SENT_KEPT_SECONDS, forget_old_sent, load_memory
from alerting.silence import Silence
from core.errors import StoreUnavailableError
from tests.alerting.house import House, config_of, eventually, house
from tests.alerting.receiver import Receiver, receiving
from tests.fakes.clock import FakeClock

RULES = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 5, labels: {severity: critical, service: shop}}]}]\n"
WAITING = "route: {receiver: team, group_by: [alertname], group_wait: 10s, group_interval: 60s}\n"
DISK = {"alertname": "Disk", "severity": "critical", "service": "db"}


def config(receiver: Receiver, extra: str = "") -> str:
    return f"{RULES}{extra}receivers: [{{name: team, webhook_configs: [{{url: '{receiver.url}'}}]}}]\n"


async def collect(here: House, heat: float) -> None:
    await here.clock.advance(1)
    here.feed(heat=heat)
    await here.clock.advance(0.05)


def disk(here: House, ends_in: float | None = None) -> PostedAlert:
    ends_at = None if ends_in is None else here.clock.now() + ends_in
    return PostedAlert(DISK, {"summary": "full"}, here.clock.now(), ends_at, "http://prometheus/graph")


async def post(here: House, *alerts: PostedAlert) -> None:
    """Post, while threads commit."""
    await asyncio.wait_for(here.alerting.pipeline.post(alerts), 10)


async def test_a_posted_alert_is_told_and_opens_an_incident_like_an_own_one(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        await post(here, disk(here))
        got = await receiver.next()
        assert got.summary == "firing: firing Disk"
        assert got.message["alerts"][0]["generatorURL"] == "http://prometheus/graph"
        assert await here.told() == ["firing Disk", "opened Disk: db"]
        (alert,) = here.alerting.alerts()
        assert (alert.is_posted, alert.severity.value) == (True, "critical")
        await post(here, disk(here, ends_in=0.0))
        assert (await receiver.next()).summary == "resolved: resolved Disk"
        assert (await here.told())[0] == "resolved Disk"
        kinds = [entry.kind for entry in await here.logbook.read(kind="alert.")]
        assert kinds == ["alert.firing", "alert.resolved"]


async def test_a_posted_alert_ends_when_it_is_not_posted_again(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        await post(here, disk(here))
        await receiver.next()
        await here.clock.advance(200)
        await post(here, disk(here))
        await here.clock.advance(200)
        assert [alert.name for alert in here.alerting.pipeline.alerts()] == ["Disk"]
        await here.clock.advance(101)
        assert (await receiver.next()).summary == "resolved: resolved Disk"
        assert here.alerting.alerts() == []


async def test_posted_alerts_and_what_was_told_outlive_the_daemon(tmp_path: Path) -> None:
    clock = FakeClock()
    async with receiving() as receiver:
        text_ = config(receiver)
        async with house(tmp_path, config_of(text_), clock=clock) as here:
            await post(here, disk(here))
            await receiver.next()
            await here.told()
        async with house(tmp_path, config_of(text_), clock=clock) as here:
            assert await here.told() == ["restored Disk", "restored Disk: db"]
            await post(here, disk(here))
            await here.clock.advance(61)
            assert receiver.arrived.empty()
            await post(here, disk(here, ends_in=0.0))
            assert (await receiver.next()).summary == "resolved: resolved Disk"


async def test_an_alert_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver, WAITING))) as here:
        await post(here, disk(here))
        await collect(here, heat=6)
        await here.told()
        pipeline = here.alerting.pipeline
        assert set(pipeline.statuses()) == {fingerprint(alert.labels) for alert in pipeline.alerts()}
        assert {status.state for status in pipeline.statuses().values()} == {"active"}
        assert [(group.receiver, group.key, len(group.alerts)) for group in pipeline.groups()] == [
            ("team", '{}:{alertname="Disk"}', 1),
            ("team", '{}:{alertname="Hot"}', 1),
        ]
        await eventually(lambda: here.registry.get_sample_value("watchkeeper_alert_groups") == 2)


async def test_the_end_of_a_silence_is_told_at_once_where_every_change_is(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        now = here.clock.now()
        silence = Silence("", parse_matchers("alertname=Hot"), now, now + 100, created_by="t", comment="t")
        id_ = await here.alerting.silences.set(silence, "t")
        await collect(here, heat=6)
        await here.told()
        (status,) = here.alerting.pipeline.statuses().values()
        assert (status.state, status.silenced_by) == ("suppressed", (id_,))
        await here.clock.advance(97)
        assert receiver.arrived.empty()
        await here.clock.advance(2)
        assert (await receiver.next()).summary == "firing: firing Hot"


async def test_a_silence_that_is_ended_by_hand_lets_alerts_through_at_once(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        now = here.clock.now()
        silence = Silence("", parse_matchers("alertname=Hot"), now, now + 100, created_by="t", comment="t")
        id_ = await here.alerting.silences.set(silence, "t")
        await collect(here, heat=6)
        await here.told()
        await here.alerting.silences.expire(id_, "t")
        assert (await receiver.next()).summary == "firing: firing Hot"


async def test_a_group_waits_and_then_tells_everything_in_one_message(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver, WAITING))) as here:
        await collect(here, heat=6)
        await here.clock.advance(5)
        assert receiver.arrived.empty()
        await here.clock.advance(5)
        got = await receiver.next()
        assert (got.summary, got.message["groupKey"]) == ("firing: firing Hot", '{}:{alertname="Hot"}')


async def test_what_cannot_be_made_durable_is_not_answered_as_if_it_were(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver))) as here:
        await here.database.stop()
        posting = asyncio.ensure_future(here.alerting.pipeline.post([disk(here)]))
        await here.clock.advance(10)
        with pytest.raises(StoreUnavailableError, match="cannot be written"):
            await asyncio.wait_for(posting, 20)
        assert receiver.arrived.empty()
        await here.database.start()
        await here.clock.advance(60)


async def test_the_memory_is_read_as_it_was_written(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(config(receiver, WAITING))) as here:
        await collect(here, heat=6)
        await here.clock.advance(12)
        await receiver.next()
        await collect(here, heat=1)
        await here.told()
        now = here.clock.now()
        memory = await here.database.read(lambda connection: load_memory(connection, now))
        (sent,) = memory.sent.values()
        (row,) = memory.groups.values()
        ((group, alert),) = memory.ended
        assert sent.firing == {alert.identity}
        assert (row.has_looked, round(row.next_at - now)) == (True, 57)
        assert (group, alert.name, alert.resolved_at is not None) == (("{}", '{}:{alertname="Hot"}'), "Hot", True)
        later = now + SENT_KEPT_SECONDS + 100
        await here.database.write(lambda connection: forget_old_sent(connection, later))
        count = await here.database.read(lambda c: c.execute(text("SELECT count(*) FROM alert_sent")).scalar())
        assert count == 0
