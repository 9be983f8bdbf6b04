"""Escalation as it runs: who is told when, what stops it, what is written, and what a restart does to it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from alerting.alert import Severity
from alerting.incident import IncidentStatus, IncidentTransition
from alerting.load import load_rules
from alerting.notify.attempt import Outcome
from alerting.schedule import Override
from core.errors import ConfigError
from core.yaml_file import parse_yaml
from tests.alerting.escalation_house import POLICY, escalation_config, escalation_house
from tests.alerting.makers import alert, ended
from tests.fakes.clock import FakeClock

# The fake clock starts on 2023-11-14 22:13:20 UTC: ana is on call, and from midnight, 6400 s later, ben.


async def test_each_step_tells_its_targets_when_it_is_time_until_all_were_told(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        await here.open()
        await here.wait(1200)
        assert here.told() == ["0 ana firing", "300 cem firing", "900 team firing", "900 ana firing"]
        assert await here.entries() == [
            "started", "told: step 1 of 3", "told: step 2 of 3", "told: step 3 of 3",
            "exhausted: everybody was told, and nobody has acknowledged it",
        ]  # fmt: skip
        assert here.metric("watchkeeper_escalations", state="exhausted") == 1
        assert here.metric("watchkeeper_escalation_steps_total", outcome="told") == 3


async def test_it_stops_when_somebody_acknowledges_and_those_who_were_told_learn_of_the_end(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        await here.open()
        await here.wait(400)
        await here.set(IncidentStatus.ACKNOWLEDGED)
        await here.wait(5000)
        assert here.told() == ["0 ana firing", "300 cem firing"]
        await here.set(IncidentStatus.RESOLVED)
        assert here.told() == ["5400 ana resolved", "5400 cem resolved"]
        assert (await here.entries())[-2:] == ["paused", "ended"]
        await here.set(IncidentStatus.REVIEWED)
        assert here.told() == []


async def test_a_receiver_that_wants_no_ends_gets_none(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        here.phones["ana"].send_resolved = False
        await here.open()
        await here.wait(10)
        await here.set(IncidentStatus.RESOLVED)
        assert here.told() == ["0 ana firing"]


async def test_a_notice_says_what_is_wrong_and_an_incident_without_alerts_stands_for_itself(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        here.alerts = [alert("Down", service="shop-1"), ended(alert("Slow", service="shop-1"))]
        await here.open(1)
        await here.flush()
        here.alerts = []
        await here.open(2)
        await here.flush()
        bodies = [json.loads(body) for _, _, body in here.got]
        assert [body["alerts"] for body in bodies] == [["Down"], ["Incident"]]
        assert bodies[0]["labels"] == {"incident": "1", "service": "shop-1", "environment": "production"}
        assert bodies[0]["why"] == "escalation"
        await here.set(IncidentStatus.RESOLVED, by_alerts=[ended(alert("Down", service="shop-1"))])
        last = json.loads(here.got[-1][2])
        assert (last["status"], last["alerts"]) == ("resolved", ["Down"])


async def test_who_is_on_call_is_asked_when_the_step_is_told_not_when_the_incident_opens(tmp_path: Path) -> None:
    text = POLICY.replace("wait: 10m", "wait: 2h")
    async with escalation_house(tmp_path, escalation_config(text)) as here:
        await here.open()
        await here.wait(8000, every=300)
        assert here.told()[-2:] == ["7500 team firing", "7500 ben firing"]


async def test_an_override_counts_at_once(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        now = here.clock.now()
        await here.desk.schedules.add(Override("primary", "cem", now - 10, now + 3600), actor="token:ana")
        await here.open()
        await here.wait(5)
        assert here.told() == ["0 cem firing"]


async def test_an_acknowledged_incident_that_is_not_over_in_time_escalates_further(tmp_path: Path) -> None:
    text = POLICY + "    acknowledge_timeout: 30m\n"
    async with escalation_house(tmp_path, escalation_config(text)) as here:
        await here.open()
        await here.wait(100)
        await here.set(IncidentStatus.ACKNOWLEDGED)
        await here.wait(2000)
        assert here.told() == ["0 ana firing", "1900 cem firing"]
        assert "resumed: not over 30m after it was acknowledged" in await here.entries()
        await here.happen(IncidentTransition.ACKNOWLEDGED, here.incidents[1])
        await here.wait(1000)
        assert here.told() == []


async def test_a_severity_that_rises_begins_an_escalation(tmp_path: Path) -> None:
    text = POLICY + "incidents: {escalation: [{policy: default, severities: [critical], environments: [production]}]}\n"
    async with escalation_house(tmp_path, escalation_config(text)) as here:
        await here.open(severity=Severity.HIGH)
        await here.wait(600)
        assert here.told() == []
        await here.happen(IncidentTransition.RAISED, replace(here.incidents[1], severity=Severity.CRITICAL))
        await here.wait(10)
        assert here.told() == ["600 ana firing"]


async def test_the_first_choice_that_fits_counts(tmp_path: Path) -> None:
    other = "  - {name: other, steps: [{notify: [{receiver: team}]}]}\n"
    choices = "incidents: {escalation: [{policy: other, services: [shop-2]}, {policy: default, severities: [high]}]}"
    async with escalation_house(tmp_path, escalation_config(POLICY + other + choices)) as here:
        await here.open(1, severity=Severity.HIGH)
        await here.open(2)
        await here.open(3, severity=Severity.LOW)
        await here.wait(10)
        assert here.told() == ["0 ana firing", "0 team firing"]


async def test_a_reload_neither_breaks_nor_changes_what_runs(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        await here.open()
        await here.wait(100)
        other = escalation_config("escalation_policies: [{name: new, steps: [{notify: [{receiver: team}]}]}]")
        here.desk.configure(other)
        await here.wait(900)
        assert here.told() == ["0 ana firing", "300 cem firing", "900 team firing", "900 ana firing"]
        await here.open(2)
        await here.wait(10)
        assert here.told() == ["1000 team firing"]


async def test_a_step_that_reaches_nobody_is_followed_by_the_next_at_once(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        await here.open()
        await here.wait(10)
        here.desk.configure(escalation_config("", ["team"]))
        for name in ("ana", "cem"):
            del here.phones[name]  # cem has no receiver any more
        await here.wait(320)
        assert here.told() == ["0 ana firing", "300 team firing"]
        assert (await here.entries())[-3:-1] == [
            "told: step 2 of 3; receiver cem: could not be told", "told: step 3 of 3; receiver ana: could not be told"
        ]  # fmt: skip
        assert here.metric("watchkeeper_escalation_steps_total", outcome="nobody") == 1


async def test_nobody_on_call_is_said_and_the_next_step_follows_at_once(tmp_path: Path) -> None:
    text = POLICY.replace("start: 2023-11-14", "start: 2030-01-01")
    async with escalation_house(tmp_path, escalation_config(text)) as here:
        assert here.metric("watchkeeper_on_call_people", schedule="primary") == 0
        await here.open()
        await here.wait(10)
        assert here.told() == ["0 cem firing"]
        assert "told: step 1 of 3; schedule primary: nobody is on call" in await here.entries()


async def test_a_step_that_every_receiver_refuses_is_followed_by_the_next_at_once(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        here.phones["ana"].answers = [Outcome.REJECTED]
        await here.open()
        await here.wait(10)
        assert here.told() == ["0 cem firing"]
        assert "refused: rejected" in await here.entries()
        assert here.metric("watchkeeper_escalation_steps_total", outcome="refused") == 1


async def test_a_receiver_whose_message_cannot_be_made_does_not_keep_others_from_being_told(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        here.phones["team"].is_broken = True
        await here.open()
        await here.wait(910)
        assert here.told()[-1] == "900 ana firing"


async def test_a_step_that_is_not_delivered_is_late_after_a_minute(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        here.phones["ana"].answers = [Outcome.RETRY] * 50
        await here.open()
        await here.wait(50)
        assert here.metric("watchkeeper_escalation_late_steps") == 0
        await here.wait(30)
        assert here.metric("watchkeeper_escalation_late_steps") == 1
        await here.wait(230)  # the next step is delivered
        assert here.told() == ["300 cem firing"]
        assert here.metric("watchkeeper_escalation_late_steps") == 0


async def test_after_a_restart_it_goes_on_where_it_was(tmp_path: Path) -> None:
    clock = FakeClock()
    async with escalation_house(tmp_path, clock=clock) as here:
        await here.open()
        await here.wait(100)
        open_ones = list(here.incidents.values())
    async with escalation_house(tmp_path, clock=clock, incidents=open_ones) as here:
        here.start -= 100
        await here.wait(900)
        assert here.told() == ["300 cem firing", "900 team firing", "900 ana firing"]


async def test_a_step_that_was_due_while_the_daemon_was_down_is_told_at_once_and_says_that_it_is_late(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    async with escalation_house(tmp_path, clock=clock) as here:
        await here.open()
        await here.wait(100)
        open_ones = list(here.incidents.values())
    await clock.advance(500)
    without = escalation_config("", ["cem", "team", "ana"])
    async with escalation_house(tmp_path, without, clock=clock, incidents=open_ones) as here:
        here.start -= 600
        await here.wait(10)
        assert here.told() == ["600 cem firing"]
        assert (await here.entries())[-1] == "told: step 2 of 3; 5m late"
        assert here.metric("watchkeeper_escalation_steps_late_total") == 1
        await here.wait(600)
        assert here.told() == ["1200 team firing", "1200 ana firing"]
    assert "is 300 s late" in caplog.text


async def test_what_was_not_delivered_is_delivered_after_the_restart_under_the_same_key(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with escalation_house(tmp_path, clock=clock) as here:
        here.phones["ana"].answers = [Outcome.RETRY] * 50
        await here.open()
        await here.wait(20)
        with sqlite3.connect(tmp_path / "state.db") as connection:
            ((key, body),) = connection.execute("SELECT key, body FROM notification").fetchall()
        connection.close()
        open_ones = list(here.incidents.values())
    async with escalation_house(tmp_path, clock=clock, incidents=open_ones) as here:
        await here.wait(5)
        assert [text for _, _, text in here.got] == [body]
        sent = await here.logbook.read(subject=f"notification/{key}")
        assert [entry.kind for entry in sent] == ["notification.sent"]
        assert here.metric("watchkeeper_escalation_late_steps") == 0


async def test_an_incident_that_was_open_before_there_were_policies_is_left_alone_at_the_start(tmp_path: Path) -> None:
    async with escalation_house(tmp_path, escalation_config("", ["team"])) as here:
        await here.open()
        open_ones = list(here.incidents.values())
    async with escalation_house(tmp_path, incidents=open_ones) as here:
        await here.wait(1000)
        assert here.told() == []
        assert await here.desk.chain(1) is None


async def test_a_reopened_incident_escalates_anew_and_its_chain_can_be_read_after_its_end(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        await here.open()
        await here.wait(10)
        await here.set(IncidentStatus.RESOLVED)
        chain = await here.desk.chain(1)
        assert chain is not None
        assert (chain.state, chain.told) == ("ended", ("ana",))
        here.told()
        await here.set(IncidentStatus.OPEN)
        await here.wait(10)
        assert here.told() == ["10 ana firing"]


async def test_a_merged_incident_ends_without_a_word_as_it_goes_on_in_another(tmp_path: Path) -> None:
    async with escalation_house(tmp_path) as here:
        await here.open()
        await here.wait(10)
        over = replace(here.incidents[1], status=IncidentStatus.RESOLVED, merged_into=2)
        await here.happen(IncidentTransition.MERGED, over)
        await here.wait(600)
        assert here.told() == ["0 ana firing"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "people: [{name: ana, receiver: nowhere}]",
            "people.0.receiver: receiver 'nowhere' does not exist; known",
        ),
        (
            "schedules: [{name: s, layers: [{people: [[eve]]}]}]",
            "layers.0.people.0: person 'eve' does not exist",
        ),
        (
            "escalation_policies: [{name: p, steps: [{notify: [{schedule: s}]}]}]",
            "schedule 's' does not exist; none",
        ),
        (
            "escalation_policies: [{name: p, steps: [{notify: [{person: eve}]}]}]",
            "person: person 'eve' does not",
        ),
        (
            "escalation_policies: [{name: p, steps: [{notify: [{receiver: x}]}]}]",
            "receiver 'x' does not exist; known",
        ),
        (
            "incidents: {escalation: [{policy: x}]}",
            "escalation.0.policy: escalation policy 'x' does not exist",
        ),
    ],
)
def test_names_of_nothing_are_named_with_their_place(text: str, mistake: str, tmp_path: Path) -> None:
    document = parse_yaml(f"receivers: [{{name: team}}]\n{text}\n", "w.yml")
    with pytest.raises(ConfigError) as caught:
        load_rules(escalation_config(text, ["team"]), tmp_path, document)
    assert mistake in str(caught.value)
    assert str(caught.value).startswith("w.yml:2:")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("people: [{name: a, receiver: team}, {name: a, receiver: team}]", "person 'a' is defined twice"),
        ("escalation_policies: [{name: p, steps: []}]", "escalation_policies.0.steps"),
        ("escalation_policies: [{name: p, steps: [{notify: [{}]}]}]", "give exactly one of 'receiver', 'person' and"),
        ("escalation_policies: [{name: p, steps: [{notify: [{receiver: team}], wait: 5}]}]", "has no unit"),
        ("escalation_policies: [{name: p, steps: [{notify: [{receiver: team}], severities: [bad]}]}]", "severities.0"),
    ],
)
def test_mistakes_of_policies_are_named(text: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        escalation_config(text, ["team"])
    assert mistake in str(caught.value)
