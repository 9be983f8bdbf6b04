"""Escalation in the whole of alerting: from a rule that fires to messages of its steps, and kill -9 between them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from alerting.incident_work import Doer
from tests.alerting.house import config_of, eventually, house
from tests.alerting.receiver import Receiver, receiving
from tests.alerting.test_crash import assert_chain_holds, daemon, logbook

HOT = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 5, labels: {severity: critical, service: shop}}]}]\n"
STEPS = """
receivers:
  - {name: route, webhook_configs: [{url: URL}]}
  - {name: ana, webhook_configs: [{url: URL}]}
  - {name: team, webhook_configs: [{url: URL}]}
people: [{name: ana, receiver: ana}]
schedules: [{name: primary, layers: [{people: [ana]}]}]
escalation_policies:
  - {name: default, steps: [{notify: [{schedule: primary}]}, {wait: 5m, notify: [{receiver: team}]}]}
"""


def names(receiver: Receiver) -> list[str]:
    return sorted(f"{got.message['receiver']}: {got.summary}" for got in receiver.got)


async def test_a_critical_alert_escalates_until_its_incident_is_acknowledged(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(HOT + STEPS.replace("URL", receiver.url))) as here:
        await here.collect(1, heat=6)
        await eventually(lambda: len(receiver.got) == 2)
        assert names(receiver) == ["ana: firing: firing Hot", "route: firing: firing Hot"]
        (paged,) = [got.message for got in receiver.got if got.message["receiver"] == "ana"]
        assert paged["groupKey"] == '{}/escalation:{incident="1"}'
        assert paged["groupLabels"] == {"incident": "1", "service": "shop"}
        chain = await here.alerting.escalation.chain(1)
        assert chain is not None
        assert (chain.state, chain.position) == ("running", 1)

        acknowledging = asyncio.ensure_future(here.alerting.room.desk.acknowledge(1, Doer("token:ana", "ana")))
        await here.told()
        await acknowledging
        await here.collect(600, every=60, heat=6)
        assert len(receiver.got) == 2

        await here.collect(1, heat=1)
        await eventually(lambda: len(receiver.got) == 4)
        assert names(receiver)[2:] == ["route: firing: firing Hot", "route: resolved: resolved Hot"]
        kinds = [entry.kind for entry in await here.logbook.read(subject="incident/1")]
        assert kinds == [
            "incident.opened", "escalation.started", "escalation.told", "incident.acknowledged", "escalation.paused",
            "incident.resolved", "escalation.ended",
        ]  # fmt: skip


async def test_nothing_of_it_is_made_where_nobody_escalates(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(HOT)) as here:
        await here.collect(1, heat=6)
        assert here.alerting.escalation.schedules is None
        assert await here.alerting.escalation.chain(1) is None


async def test_a_running_daemon_takes_up_its_first_policy(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(HOT)) as here:
        await here.alerting.apply(config_of(HOT + STEPS.replace("URL", receiver.url)), base=tmp_path)
        await here.collect(1, heat=6)
        await eventually(lambda: len(receiver.got) == 2)
        assert names(receiver) == ["ana: firing: firing Hot", "route: firing: firing Hot"]


async def test_what_runs_goes_on_in_a_daemon_whose_config_has_no_policies(tmp_path: Path) -> None:
    async with receiving() as receiver:
        config = config_of(HOT + STEPS.replace("URL", receiver.url))
        async with house(tmp_path, config) as here:
            await here.collect(1, heat=6)
            await eventually(lambda: len(receiver.got) == 2)
            clock = here.clock
        bare = STEPS.replace("URL", receiver.url).partition("people:")[0]
        async with house(tmp_path, config_of(HOT + bare), clock=clock) as here:
            await here.collect(310, every=31, heat=6)
            await eventually(lambda: len(receiver.got) == 3)
            assert names(receiver)[-1] == "team: firing: firing Hot"


@pytest.mark.slow
async def test_killed_at_any_moment_each_step_is_told_once_and_in_order(tmp_path: Path) -> None:
    random = Random(3)
    count = 6
    receivers = ", ".join(f"{{name: s{n}, webhook_configs: [{{url: 'URL', timeout: 2s}}]}}" for n in range(count))
    steps = ", ".join(f"{{wait: {n and '600ms'}, notify: [{{receiver: s{n}}}]}}" for n in range(count))
    steps = steps.replace("wait: 0,", "wait: 0s,")
    config = (
        f"receivers: [{{name: nobody}}, {receivers}]\nescalation_policies: [{{name: p, steps: [{steps}]}}]\n"
        "thresholds: [{name: Now, expr: heat, critical: {above: 5}}]\n"
    )
    async with receiving() as receiver:
        for _ in range(5):
            async with daemon(tmp_path, receiver, config) as running:
                running.heat(6)
                await asyncio.sleep(random.uniform(0.1, 0.9))
                await running.kill()
        async with daemon(tmp_path, receiver, config) as last:
            last.heat(6)
            async with asyncio.timeout(20):
                while [kind for kind, _, _ in logbook(tmp_path)].count("escalation.exhausted") < 1:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
    keys: dict[str, set[str]] = {}
    for got in receiver.got:
        keys.setdefault(got.message["receiver"], set()).add(got.key)
    assert list(keys) == [f"s{n}" for n in range(count)]
    assert all(len(found) == 1 for found in keys.values()), keys
    told = [data["step"] for kind, _, data in logbook(tmp_path) if kind == "escalation.told"]
    assert told == list(range(1, count + 1))
    assert_chain_holds(tmp_path)
