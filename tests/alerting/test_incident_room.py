"""Incidents on a real database: durable before anybody is answered, the same after a restart, links that work once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from alerting.alerting import Alerting
from alerting.incident import Incident
from alerting.incident_work import Doer
from alerting.notify.notice import Links, Notice
from core.errors import ConflictError, ForbiddenError, NotFoundError, StoreUnavailableError, UserError
from tests.alerting.house import House, config_of, eventually, house

RULES = """
groups:
  - name: g
    rules:
      - {alert: Hot, expr: heat > 5, labels: {severity: critical, service: shop, environment: production}}
      - {alert: Warm, expr: warmth > 5, labels: {severity: warning, service: shop, environment: production}}
"""
ANNA = Doer("token:anna")


async def burning(here: House) -> Incident:
    await here.collect(1, heat=6, warmth=1)
    (incident,) = here.alerting.room.open
    return incident


async def test_what_a_person_does_is_on_the_disk_before_they_are_answered(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES)) as here:
        incident = await burning(here)
        await here.alerting.room.desk.acknowledge(incident.id, ANNA, "looking")
        with sqlite3.connect(tmp_path / "state.db") as other:
            row = other.execute("SELECT status, owner, acknowledged_by FROM incident").fetchone()
            (data, actor) = other.execute(
                "SELECT data, actor FROM logbook_entry WHERE kind = 'incident.acknowledged'"
            ).fetchone()
        assert row == ("acknowledged", "anna", "anna")
        assert (json.loads(data)["note"], actor) == ("looking", "token:anna")
        assert await here.told() == ["acknowledged Hot: shop in production"]
        assert await here.logbook.verify() == []


async def test_all_of_it_is_there_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES)) as here:
        incident = await burning(here)
        await here.collect(1, heat=6, warmth=6)
        await here.alerting.room.desk.acknowledge(incident.id, ANNA)
        made = await here.alerting.room.desk.open(ANNA, title="Paper jam", severity=incident.severity)
        before = {one.id: one for one in here.alerting.room.open}
        clock = here.clock
    async with house(tmp_path, config_of(RULES), clock=clock) as here:
        assert {one.id: one for one in here.alerting.room.open} == before
        assert here.alerting.room.of_alert(incident.alerts[0]) == before[incident.id]
        await here.collect(1, heat=1, warmth=1)
        assert [one.id for one in here.alerting.room.open] == [made.id]  # only a person resolves that one
        closed = await here.alerting.incident(incident.id)
        assert closed is not None
        assert (closed.status, closed.owner) == ("resolved", "anna")
        reopened = await here.alerting.room.desk.reopen(incident.id, ANNA)
        assert reopened.by_hand


async def test_merge_and_split_move_alerts_for_good(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES)) as here:
        incident = await burning(here)
        await here.collect(1, heat=6, warmth=6)
        desk = here.alerting.room.desk
        warm = next(alert for alert in await desk.alerts(incident.id) if alert.name == "Warm")
        apart = await desk.split(incident.id, [warm.id], ANNA, title="Only warm")
        assert [alert.id for alert in await desk.alerts(apart.id)] == [warm.id]
        await here.collect(1, heat=1, warmth=6)
        assert [one.id for one in here.alerting.room.open] == [apart.id]
        again = await desk.reopen(incident.id, ANNA)
        merged = await desk.merge(apart.id, again.id, ANNA)
        assert merged.active == {warm.id}
        record = await here.alerting.room.records.read(merged.id)
        assert record.merged == (apart.id,)
        assert {alert.name for alert in record.alerts} == {"Hot", "Warm"}
        assert "Only warm" in " ".join(line.text for line in record.timeline)
        with pytest.raises(NotFoundError, match=r"has no alert 'nonsense'"):
            await desk.split(merged.id, ["nonsense"], ANNA)


async def test_nothing_is_said_to_be_done_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.db.database.LOCK_WAIT_SECONDS", 0.05)
    async with house(tmp_path, config_of(RULES)) as here:
        incident = await burning(here)
        with sqlite3.connect(tmp_path / "state.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            acting = asyncio.create_task(here.alerting.room.desk.acknowledge(incident.id, ANNA))
            await eventually(lambda: bool(here.alerting.trouble))
            with pytest.raises(StoreUnavailableError, match="nothing was changed"):
                await here.alerting.room.desk.note(incident.id, ANNA, "too late")
            other.execute("ROLLBACK")
        while not acting.done():
            await here.clock.advance(1.0)
            await asyncio.sleep(0.01)
        assert (await acting).status == "acknowledged"


async def test_a_record_has_the_whole_story_and_names_the_suspect(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES)) as here:
        shop = {"kind": "deploy", "service": "shop", "environment": "production", "parameters": {"version": "2.1"}}
        await here.logbook.append("operation.requested", "operation/1", shop, actor="token:bob")
        served = {"revision": 4, "version": "2.1", "state": "baking", "operation": "1"}
        await here.logbook.append("revision.baking", "service/shop/production", served)
        await here.logbook.append("revision.baking", "service/mail/production", served)
        here.alerting.room.changes.look()
        await here.clock.advance(40)
        incident = await burning(here)
        await eventually(lambda: bool(here.alerting.room.changes.all()))
        assert here.alerting.room.suspects(incident) == ("shop 2.1, deployed 41 s before",)
        await here.alerting.room.desk.note(incident.id, ANNA, "it is the release")
        record = await here.alerting.room.records.read(incident.id)
        assert record.suspects == ("shop 2.1, deployed 41 s before",)
        assert [line.text for line in record.timeline] == [
            "Deploy of shop to 2.1 asked for by bob (operation 1)",
            "shop 2.1 takes the traffic",
            "Hot fires",
            "Incident opened, critical",
            "Note by anna",
        ]
        assert [line.text for line in record.timeline if line.is_suspect] == ["shop 2.1 takes the traffic"]
        clock = here.clock
    async with house(tmp_path, config_of(RULES), clock=clock) as here:
        (restored,) = here.alerting.room.open
        assert here.alerting.room.suspects(restored) == ("shop 2.1, deployed 41 s before",)


async def test_which_alerts_open_incidents_is_configured(tmp_path: Path) -> None:
    only = "incidents: {open_for: [{severities: [medium], matchers: ['service=~\"sh.*\"']}], reopen_within: 5m}\n"
    async with house(tmp_path, config_of(only + RULES)) as here:
        await here.collect(1, heat=6, warmth=1)
        assert here.alerting.room.open == []
        await here.collect(1, heat=1, warmth=6)
        (incident,) = here.alerting.room.open
        await here.collect(1, heat=1, warmth=1)
        assert await here.collect(60, heat=1, warmth=6)
        assert [one.id for one in here.alerting.room.open] == [incident.id]


# Links.


def links_of(alerting: Alerting, incident: Incident, person: str = "") -> Links:
    return alerting.room.links(incident, {"alertname": "Hot"}, person)


def token_of(links: Links) -> str:
    return links.acknowledge.partition("/act/")[2]


async def test_a_link_acknowledges_once_and_never_again(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES), link_key_file=tmp_path / "key") as here:
        incident = await burning(here)
        links = links_of(here.alerting, incident, person="carol")
        assert links.incident == "http://watchkeeper:8797/#incident/1"
        assert links.silence == "http://watchkeeper:8797/#silence/new?filter=%7Balertname%3D%22Hot%22%7D"
        token, desk = token_of(links), here.alerting.room.desk
        _, looked_at, used = await desk.link_state(token)
        assert (looked_at.status, used) == ("open", False)  # looking does nothing
        done = await asyncio.gather(*(desk.acknowledge_by_link(token) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(one, Incident) for one in done) == 1
        assert sum(isinstance(one, ConflictError) for one in done) == 4
        acknowledged = here.alerting.room.get(incident.id)
        assert acknowledged is not None
        assert acknowledged.owner == "carol"
        assert links_of(here.alerting, acknowledged).acknowledge == ""
        await desk.resolve(incident.id, ANNA)
        await desk.reopen(incident.id, ANNA)
        clock = here.clock
    async with house(tmp_path, config_of(RULES), clock=clock, link_key_file=tmp_path / "key") as here:
        with pytest.raises(ConflictError, match="was used before; incident 1 is open"):
            await here.alerting.room.desk.acknowledge_by_link(token)


async def test_a_link_ends_with_its_time(tmp_path: Path) -> None:
    config = config_of("incidents: {link_lifetime: 1m}\n" + RULES)
    async with house(tmp_path, config, link_key_file=tmp_path / "key") as here:
        incident = await burning(here)
        token = token_of(links_of(here.alerting, incident))
        await here.clock.advance(61)
        with pytest.raises(ForbiddenError, match="too old"):
            await here.alerting.room.desk.acknowledge_by_link(token)


async def test_without_a_key_there_are_no_links_that_act(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES)) as here:
        incident = await burning(here)
        assert links_of(here.alerting, incident).acknowledge == ""
        with pytest.raises(UserError, match="links do not work now"):
            await here.alerting.room.desk.link_state("a.b")


async def test_a_notice_gets_its_incident_links_and_suspects(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES), link_key_file=tmp_path / "key") as here:
        incident = await burning(here)
        alert = here.alerting.alerts()[0]
        plain = Notice("team", "{}", {"alertname": "Hot"}, [alert], "firing", "", 1.0)
        notice = here.alerting.room.enrich(plain)
        assert notice.incident is not None
        assert (notice.incident.id, notice.incident.title) == (incident.id, incident.title)
        assert "/act/" in notice.links.acknowledge
        other = Notice("team", "{}", {}, [], "firing", "", 1.0)
        assert here.alerting.room.enrich(other).incident is None


# An older database.


async def test_incidents_of_an_older_version_are_taken_over(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(RULES)) as here:
        await burning(here)
        await here.collect(1, heat=1, warmth=1)
        incident = await burning(here)
        clock = here.clock
    with sqlite3.connect(tmp_path / "state.db") as old:
        _make_old(old)
    async with house(tmp_path, config_of(RULES), clock=clock) as here:
        (restored,) = here.alerting.room.open
        assert (restored.id, restored.active) == (incident.id, incident.active)
        ended = await here.alerting.room.desk.alerts(1)
        assert [alert.resolved_at is None for alert in ended] == [False]
        assert [alert.name for alert in ended] == ["Hot"]


def _make_old(database: sqlite3.Connection) -> None:
    """Take away what the first version did not have."""
    first = {
        "incident": [
            "id",
            "subject",
            "title",
            "service",
            "environment",
            "severity",
            "status",
            "opened_at",
            "resolved_at",
        ],
        "incident_alert": ["incident", "alert", "position"],
    }
    for index in ("incident_opened", "incident_merged", "incident_alert_alert"):
        database.execute(f"DROP INDEX {index}")
    for table, kept in first.items():
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        for column in columns:
            if column not in kept:
                database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    database.execute("DROP TABLE incident_link")
    database.execute("DELETE FROM schema_migration WHERE package = 'incidents'")
