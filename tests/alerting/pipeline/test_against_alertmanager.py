"""A real Alertmanager and we tell the same receivers the same things at the same times."""

from __future__ import annotations

import asyncio
import json
import math
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from alerting.alerting import Alerting
from alerting.matcher import new_matcher
from alerting.migrations import MIGRATIONS
from alerting.notify.payload import format_time
from alerting.pipeline.posted import PostedAlert
from alerting.silence import Silence
from alerting.silences import MIGRATIONS as SILENCES_MIGRATIONS
from core.clock import SystemClock
from core.db.database import Database
from core.logbook import MIGRATIONS as LOGBOOK_MIGRATIONS
from core.logbook import Logbook
from core.tasks import Tasks
from metrics.head import Head
from metrics.promql.engine import Engine
from metrics.storage import MatchOp
from tests.alerting.house import config_of, eventually
from tests.alerting.pipeline import scenario as story
from tests.alerting.pipeline.scenario import SCENARIOS, Post, Scenario
from tests.peers import Peer

END_SECONDS = 15.0
EXTERNAL_URL = "http://watch.test"

Told = tuple[float, dict[str, Any]]


class Receiver:
    """Remembers what each side told whom and when."""

    def __init__(self) -> None:
        self.told: dict[str, defaultdict[str, list[Told]]] = {side: defaultdict(list) for side in ("theirs", "ours")}
        self.failures = {(side, one.name): one.failures for side in self.told for one in SCENARIOS}
        self.started = 0.0
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        side, name, index = request.path.strip("/").split("/")
        at, message = asyncio.get_running_loop().time() - self.started, await request.json()
        if self.failures.get((side, name), 0) > 0:
            self.failures[side, name] -= 1
            return web.Response(status=500)
        self.told[side][name.partition("-")[0]].append((at, {**message, "address": index}))
        return web.Response()

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


class Theirs:
    """An Alertmanager."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def post(self, alerts: list[PostedAlert]) -> None:
        body = [
            {
                "labels": alert.labels,
                "annotations": alert.annotations,
                "generatorURL": alert.generator_url,
                **({} if alert.starts_at is None else {"startsAt": format_time(alert.starts_at)}),
                **({} if alert.ends_at is None else {"endsAt": format_time(alert.ends_at)}),
            }
            for alert in alerts
        ]
        async with self._session.post(f"{self._url}/api/v2/alerts", json=body) as response:
            assert response.status == 200, await response.text()

    async def silence(self, labels: dict[str, str], starts_at: float, ends_at: float) -> None:
        matchers = [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()]
        times = {"startsAt": format_time(starts_at), "endsAt": format_time(ends_at)}
        body = {"matchers": matchers, **times, "createdBy": "t", "comment": "t"}
        async with self._session.post(f"{self._url}/api/v2/silences", json=body) as response:
            assert response.status == 200, await response.text()


class Ours:
    """Our alerting, with the clock on the wall."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.tasks = Tasks(self.clock)
        migrations = (*LOGBOOK_MIGRATIONS, *MIGRATIONS, *SILENCES_MIGRATIONS)
        self.database = Database(folder / "state.db", migrations, clock=self.clock, tasks=self.tasks)
        head = Head()
        self.alerting = Alerting(
            head, Engine(head), self.database, Logbook(self.database, self.clock), self.clock, self.tasks,
            CollectorRegistry(), lambda _event: None, external_url=EXTERNAL_URL,
        )  # fmt: skip

    async def start(self, config: str) -> None:
        await self.database.start()
        await self.alerting.apply(config_of(config))
        await self.alerting.start()
        await eventually(lambda: self.alerting.is_restored)

    async def stop(self) -> None:
        await self.alerting.stop()
        await self.database.stop()
        await self.tasks.stop()

    async def post(self, alerts: list[PostedAlert]) -> None:
        await self.alerting.pipeline.post(alerts)

    async def silence(self, labels: dict[str, str], starts_at: float, ends_at: float) -> None:
        matchers = tuple(new_matcher(name, MatchOp.EQUAL, value) for name, value in labels.items())
        await self.alerting.silences.set(Silence("", matchers, starts_at, ends_at, created_by="t", comment="t"), "t")


async def tell(side: Theirs | Ours, scenario: Scenario, wall: float, started: float) -> None:
    """Let the scenario happen on one side."""
    for deed in scenario.does:
        await asyncio.sleep(started + deed.at - asyncio.get_running_loop().time())
        now = wall + deed.at
        if isinstance(deed, Post):
            alerts = [
                PostedAlert(
                    labels={**labels, "scenario": scenario.name},
                    annotations={"note": deed.note, "long": "<a href='x'>"},
                    starts_at=None if math.isnan(deed.age) else now - deed.age,
                    ends_at=None if deed.for_ is None else now + deed.for_,
                    generator_url="http://source.test/graph?g0.expr=x",
                )
                for labels in deed.alerts
            ]
            await side.post(alerts)
        else:
            await side.silence({**deed.labels, "scenario": scenario.name}, now, now + deed.for_)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("side-by-side")


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, defaultdict[str, list[Told]]]:
    """What both sides told in all scenarios, which happen together."""
    return asyncio.run(run(folder))


async def run(folder: Path) -> dict[str, defaultdict[str, list[Told]]]:
    receiver = Receiver()
    runner = await receiver.serve()
    (folder / "am").mkdir()
    (folder / "am" / "alertmanager.yml").write_text(json.dumps(story.config(f"{receiver.url}/theirs")))
    peer = Peer(
        "prometheus-alertmanager",
        ["--config.file=alertmanager.yml", "--storage.path=data", "--web.listen-address=127.0.0.1:{port}",
         "--cluster.listen-address=", f"--web.external-url={EXTERNAL_URL}", "--web.route-prefix=/"],
        folder / "am",
    )  # fmt: skip
    ours = Ours(folder)
    await ours.start(as_yaml(story.config(f"{receiver.url}/ours") | {"notification_limit": 0}))
    await asyncio.to_thread(peer.start)
    try:
        async with aiohttp.ClientSession() as session:
            theirs = Theirs(session, peer.url)
            receiver.started = asyncio.get_running_loop().time() + 0.2
            wall = ours.clock.now() + 0.2
            sides: list[Theirs | Ours] = [theirs, ours]
            each = [tell(side, one, wall, receiver.started) for one in SCENARIOS for side in sides]
            await asyncio.gather(*each)
            await asyncio.sleep(receiver.started + END_SECONDS - asyncio.get_running_loop().time())
    finally:
        await ours.stop()
        await asyncio.to_thread(peer.stop)
        await runner.cleanup()
    return receiver.told


def as_yaml(config: dict[str, Any]) -> str:
    """Return YAML with the root's keys on lines of their own."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def summary(told: list[Told]) -> list[tuple[float, str, str, list[str]]]:
    return [
        (
            round(at, 2),
            message["groupKey"],
            message["address"],
            [f"{a['status']} {a['labels']}" for a in message["alerts"]],
        )
        for at, message in told
    ]


def ordered(told: list[Told]) -> list[Told]:
    """Messages of different groups that are due together come in any order."""
    return sorted(told, key=lambda one: (one[1]["groupKey"], one[1]["receiver"], one[1]["address"], one[0]))


def without_times(message: dict[str, Any]) -> dict[str, Any]:
    alerts = [
        {key: value for key, value in one.items() if key not in ("startsAt", "endsAt")} for one in message["alerts"]
    ]
    return {**message, "alerts": alerts}


@pytest.mark.slow
@pytest.mark.component("prometheus-alertmanager")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_receivers_are_told_the_same(told: dict[str, defaultdict[str, list[Told]]], scenario: Scenario) -> None:
    theirs, ours = ordered(told["theirs"][scenario.name]), ordered(told["ours"][scenario.name])
    both = f"theirs: {summary(theirs)}\nours: {summary(ours)}"
    assert [without_times(message) for _, message in ours] == [without_times(message) for _, message in theirs], both
    assert len(theirs) == scenario.count, both
    for (their_time, their_message), (our_time, our_message) in zip(theirs, ours, strict=True):
        assert -0.5 <= our_time - their_time <= scenario.late, both
        for their_alert, our_alert in zip(their_message["alerts"], our_message["alerts"], strict=True):
            for key in ("startsAt", "endsAt"):
                assert abs(seconds(their_alert[key]) - seconds(our_alert[key])) < 0.5, (their_alert, our_alert)


def seconds(time: str) -> float:
    return 0.0 if time.startswith("0001-") else datetime.fromisoformat(time).timestamp()
