"""kill -9 at bad moments: `for` goes on, nothing is forgotten, nothing is told twice but where the answer was lost."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine

from core.logbook import find_faults
from tests.alerting.receiver import Receiver, receiving

pytestmark = pytest.mark.slow


class Daemon:
    """A process that can be killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def expect(self, *lines: str) -> None:
        """Wait until each line was printed, in this order."""
        assert self.process.stdout is not None
        for line in lines:
            async with asyncio.timeout(20):
                while (got := (await self.process.stdout.readline()).decode().strip()) != line:
                    assert got, f"ended before {line!r}"

    def heat(self, value: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{value}\n".encode())

    async def kill(self) -> None:
        """kill -9."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def daemon(folder: Path, receiver: Receiver, *config: str) -> AsyncIterator[Daemon]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.alerting.crash_process", str(folder), receiver.url, *config,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    started = Daemon(process)
    try:
        await started.expect("ready")
        yield started
    finally:
        await started.kill()
        process._transport.close()  # type: ignore[attr-defined]


def logbook(folder: Path) -> list[tuple[str, float, dict[str, Any]]]:
    with sqlite3.connect(folder / "state.db") as connection:
        rows = connection.execute("SELECT kind, time, data FROM logbook_entry ORDER BY number").fetchall()
    connection.close()
    return [(kind, time, json.loads(data)) for kind, time, data in rows]


def assert_chain_holds(folder: Path) -> None:
    engine = create_engine(f"sqlite:///{folder / 'state.db'}")
    with engine.connect() as connection:
        assert list(find_faults(connection)) == []
    engine.dispose()


async def test_for_goes_on_when_it_is_killed_while_an_alert_is_pending(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with daemon(tmp_path, receiver) as first:
            first.heat(6)
            await first.expect("pending Hot")
            await asyncio.wait_for(receiver.next(), 5)  # Warm, which fires at once
            await asyncio.sleep(1)
            await first.kill()
        async with daemon(tmp_path, receiver) as second:
            started = time.time()
            second.heat(6)
            await second.expect("firing Hot", "opened incident 1")
            hot = await receiver.next()
        assert hot.summary == "firing: firing Hot"
    entries = [(kind, at, data) for kind, at, data in logbook(tmp_path) if data.get("name") == "Hot"]
    (first_kind, pending_at, before), (second_kind, fired_at, after) = entries
    assert (first_kind, second_kind) == ("alert.pending", "alert.firing")
    assert before["active_since"] == after["active_since"]
    assert fired_at - pending_at >= 2.9
    assert fired_at - started < 2.9  # `for` did not begin anew
    assert_chain_holds(tmp_path)


async def test_a_firing_alert_is_neither_forgotten_nor_told_again(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with daemon(tmp_path, receiver) as first:
            first.heat(4)
            assert (await receiver.next()).summary == "firing: firing Warm"
            await wait_for_entry(tmp_path, "notification.sent")
            await first.kill()
        async with daemon(tmp_path, receiver) as second:
            await second.expect("restored Warm")
            second.heat(4)
            await asyncio.sleep(1)
            assert receiver.arrived.empty()
            second.heat(1)
            assert (await receiver.next()).summary == "resolved: resolved Warm"
            await second.expect("resolved Warm")
        assert len(receiver.got) == 2
    kinds = [kind for kind, _, _ in logbook(tmp_path) if kind.startswith("alert.")]
    assert kinds == ["alert.firing", "alert.resolved"]


async def test_an_undelivered_notification_is_delivered_after_the_restart(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = [503] * 100
        async with daemon(tmp_path, receiver) as first:
            first.heat(4)
            before = await receiver.next()
            await first.kill()
        receiver.answers = []
        async with daemon(tmp_path, receiver) as second:
            second.heat(4)
            after = await receiver.next()
            assert (after.key, after.body) == (before.key, before.body)
            await wait_for_entry(tmp_path, "notification.sent")
        async with daemon(tmp_path, receiver) as third:
            await third.expect("restored Warm")
            third.heat(4)
            await asyncio.sleep(0.5)
            assert receiver.arrived.empty()


async def test_what_was_sent_without_an_answer_is_sent_again_with_the_same_key(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.answers = ["hang"]
        async with daemon(tmp_path, receiver) as first:
            first.heat(4)
            before = await receiver.next()
            await first.kill()
        async with daemon(tmp_path, receiver) as second:
            second.heat(4)
            after = await receiver.next()
            await wait_for_entry(tmp_path, "notification.sent")
        assert after.key == before.key
        assert len(receiver.got) == 2


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_moment_every_transition_is_told_under_one_key(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    async with receiving() as receiver:
        for _ in range(6):
            async with daemon(tmp_path, receiver) as running:
                for _ in range(3):
                    running.heat(random.choice([1, 4, 6]))
                    await asyncio.sleep(random.uniform(0.0, 0.3))
                await running.kill()
        async with daemon(tmp_path, receiver) as last:
            last.heat(1)
            await wait_for_peace(tmp_path)
        told: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        for got in receiver.got:
            for alert in got.message["alerts"]:
                when = alert["startsAt"] if alert["status"] == "firing" else alert["endsAt"]
                told[alert["labels"]["alertname"], alert["status"], when].add(got.key)
    assert all(len(keys) == 1 for keys in told.values()), told
    written = [
        (data["name"], kind) for kind, _, data in logbook(tmp_path) if kind in ("alert.firing", "alert.resolved")
    ]
    assert sorted(written) == sorted((name, f"alert.{status}") for name, status, _ in told)
    assert written
    for name in {name for name, _ in written}:  # each firing has its end, and they take turns
        kinds = [kind for other, kind in written if other == name]
        assert kinds == ["alert.firing", "alert.resolved"] * (len(kinds) // 2)
    assert_chain_holds(tmp_path)


async def wait_for_peace(folder: Path) -> None:
    """Wait until no alert is active and nothing waits to be delivered."""
    query = "SELECT (SELECT count(*) FROM alert WHERE state <> 'resolved') + (SELECT count(*) FROM notification)"
    async with asyncio.timeout(30):
        while True:
            await asyncio.sleep(1)
            with sqlite3.connect(folder / "state.db") as connection:
                (count,) = connection.execute(query).fetchone()
            connection.close()
            if count == 0:
                return


async def wait_for_entry(folder: Path, kind: str) -> None:
    async with asyncio.timeout(10):
        while kind not in [entry[0] for entry in logbook(folder)]:
            await asyncio.sleep(0.05)
