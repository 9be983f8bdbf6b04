"""kill -9 at every point between "rule fires" and "receiver answered", and around silences and posted alerts.

Nothing is lost; a message arrives twice only where the receiver's answer was lost, and then under the same key. The
cases run side by side, each in processes of its own. docs/crash-safety.md has the table.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from aiohttp import web

from tests.alerting.pipeline import crash_process

pytestmark = pytest.mark.slow

TOGETHER = 8
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([crash_process.__name__])
QUIET_SECONDS = 1.3
"""Longer than the group's interval, so that a second message would have come."""


class Receiver:
    """Remembers status and key of what each case is told; a case may ask to be killed by it."""

    def __init__(self) -> None:
        self.got: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self.kill: dict[str, ForkServerProcess] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        case = request.path.strip("/")
        message = await request.json()
        self.got[case].append((message["status"], request.headers["Idempotency-Key"]))
        if case in self.kill:
            self.kill.pop(case).kill()
        return web.Response()

    def statuses(self, case: str) -> list[str]:
        """Return what a case was told, each message once."""
        return [status for status, _ in dict.fromkeys(self.got[case])]

    def doubled(self, case: str) -> int:
        """Return how many messages came more than once."""
        return sum(count - 1 for count in Counter(self.got[case]).values())


class Daemon:
    """Alerting in a process that a trap or the test kills."""

    def __init__(self, process: ForkServerProcess, orders: Connection) -> None:
        self.process, self.orders = process, orders

    async def say(self, order: str) -> None:
        """Give an order; it is done when this returns, unless the process dies of it."""
        self.orders.send(order)
        await asyncio.to_thread(self.answer)

    def answer(self) -> str:
        """Return what the process says; nothing where it is dead."""
        try:
            return str(self.orders.recv()) if self.orders.poll(30) else ""
        except EOFError:
            return ""

    async def died(self) -> None:
        await asyncio.to_thread(self.process.join, 20)
        assert self.process.exitcode == -9

    async def kill(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.join, 20)
        self.process.close()
        self.orders.close()


class Stage:
    """Where one case plays."""

    def __init__(self, name: str, folder: Path, receiver: Receiver) -> None:
        self.name, self.folder, self.receiver = name, folder, receiver
        folder.mkdir()

    @asynccontextmanager
    async def daemon(self, point: str = "none", wait: str = "0s") -> AsyncIterator[Daemon]:
        ours, theirs = PROCESSES.Pipe()
        arguments = (self.folder, f"{self.receiver.url}/{self.name}", wait, point, theirs)
        process = PROCESSES.Process(target=crash_process.run, args=arguments, daemon=True)
        await asyncio.to_thread(process.start)
        theirs.close()
        started = Daemon(process, ours)
        try:
            assert await asyncio.to_thread(started.answer) == "ready"
            yield started
        finally:
            await started.kill()

    async def told(self, *statuses: str) -> None:
        """Wait until these were told in this order, and that this is written down."""
        async with asyncio.timeout(20):
            while self.receiver.statuses(self.name) != list(statuses) or self.count("notification"):
                await asyncio.sleep(0.02)

    def count(self, table: str) -> int:
        with sqlite3.connect(self.folder / "state.db", timeout=10) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        connection.close()
        return int(count)


@dataclass(frozen=True)
class Case:
    """What is to come of a play: messages in order, and how many of them come twice."""

    play: Callable[[Stage], Awaitable[None]]
    told: tuple[str, ...] = ("firing", "resolved")
    doubled: int = 0


def when_it_fires(point: str) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        async with stage.daemon(point) as first:
            await first.say("arm")
            if point == "none":
                stage.receiver.kill[stage.name] = first.process
            await first.say("heat 6")
            await first.died()
        async with stage.daemon() as second:
            await second.say("heat 6")
            await stage.told("firing")
            await asyncio.sleep(QUIET_SECONDS)
            await second.say("heat 1")
            await stage.told("firing", "resolved")

    return play


def when_it_ends(point: str) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        async with stage.daemon(point) as first:
            await first.say("heat 6")
            await stage.told("firing")
            await first.say("arm")
            if point == "none":
                stage.receiver.kill[stage.name] = first.process
            await first.say("heat 1")
            await first.died()
        async with stage.daemon() as second:
            await second.say("heat 1")
            await stage.told("firing", "resolved")
            await asyncio.sleep(QUIET_SECONDS)

    return play


async def while_the_group_waits(stage: Stage) -> None:
    async with stage.daemon(wait="2s") as first:
        await first.say("heat 6")
        await asyncio.sleep(0.5)
        assert stage.count("alert_group") == 1
    async with stage.daemon(wait="2s") as second:
        await second.say("heat 6")
        await stage.told("firing")
        await asyncio.sleep(QUIET_SECONDS)
        await second.say("heat 1")
        await stage.told("firing", "resolved")


async def while_an_end_waits(stage: Stage) -> None:
    async with stage.daemon() as first:
        await first.say("heat 6")
        await stage.told("firing")
        await first.say("heat 1")
        while not stage.count("alert_group_ended"):
            await asyncio.sleep(0.01)
    async with stage.daemon() as second:
        await second.say("heat 1")
        await stage.told("firing", "resolved")
        await asyncio.sleep(QUIET_SECONDS)


async def while_nothing_happens(stage: Stage) -> None:
    for _ in range(3):
        async with stage.daemon() as running:
            await running.say("heat 6")
            await stage.told("firing")
            await asyncio.sleep(QUIET_SECONDS / 2)


def around_a_silence(point: str, *, is_kept: bool) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        async with stage.daemon(point) as first:
            await first.say("arm")
            await first.say("silence")
            if not is_kept:
                await first.died()
        assert stage.count("silence") == int(is_kept)
        async with stage.daemon() as second:
            await second.say("heat 6")
            if not is_kept:
                await stage.told("firing")
            await asyncio.sleep(QUIET_SECONDS)

    return play


async def after_a_post_is_answered(stage: Stage) -> None:
    async with stage.daemon(wait="1s") as first:
        await first.say("post 600")
    async with stage.daemon(wait="1s") as second:
        await stage.told("firing")
        await second.say("post 600")
        await asyncio.sleep(QUIET_SECONDS)
    async with stage.daemon(wait="1s") as third:
        await asyncio.sleep(QUIET_SECONDS)
        await third.say("post 0")
        await stage.told("firing", "resolved")


async def before_a_posted_alert_ends_by_itself(stage: Stage) -> None:
    async with stage.daemon() as first:
        await first.say("post 2")
        await stage.told("firing")
    async with stage.daemon():
        await stage.told("firing", "resolved")


SAFE = [
    "before the transaction",
    "in the transaction",
    "after the commit",
    "before the request",
    "after the answer is written",
]
LOST_ANSWER = ["none", "after the answer", "before the answer is written"]

CASES = {
    **{f"fires, {point}": Case(when_it_fires(point)) for point in SAFE},
    **{f"fires, {point}": Case(when_it_fires(point), doubled=1) for point in LOST_ANSWER},
    **{f"ends, {point}": Case(when_it_ends(point)) for point in SAFE},
    **{f"ends, {point}": Case(when_it_ends(point), doubled=1) for point in LOST_ANSWER},
    "while the group waits": Case(while_the_group_waits),
    "while an end waits": Case(while_an_end_waits),
    "while nothing happens": Case(while_nothing_happens, ("firing",)),
    "silence, before it is written": Case(
        around_a_silence("before the silence is written", is_kept=False), ("firing",)
    ),
    "silence, in its transaction": Case(around_a_silence("in the silence's transaction", is_kept=False), ("firing",)),
    "silence, after it is answered": Case(around_a_silence("none", is_kept=True), ()),
    "posted, after it is answered": Case(after_a_post_is_answered),
    "posted, before it ends by itself": Case(before_a_posted_alert_ends_by_itself),
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Receiver, dict[str, BaseException | None]]:
    """All cases, played, with what went wrong in each."""
    return asyncio.run(play_all(tmp_path_factory.mktemp("matrix")))


async def play_all(folder: Path) -> tuple[Receiver, dict[str, BaseException | None]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    places = asyncio.Semaphore(TOGETHER)

    async def play(number: int, case: Case) -> None:
        async with places:
            await case.play(Stage(str(number), folder / str(number), receiver))

    try:
        plays = [play(number, case) for number, case in enumerate(CASES.values())]
        outcomes = await asyncio.gather(*plays, return_exceptions=True)
    finally:
        await runner.cleanup()
    return receiver, dict(zip(CASES, outcomes, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_killed(played: tuple[Receiver, dict[str, BaseException | None]], name: str) -> None:
    receiver, outcomes = played
    place, case = str(list(CASES).index(name)), CASES[name]
    if (error := outcomes[name]) is not None:
        raise AssertionError(f"{name}: {receiver.got[place]}") from error
    assert receiver.statuses(place) == list(case.told)
    assert receiver.doubled(place) == case.doubled
