from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from actions.deployment.health_check import Answer, CommandCheck, HttpCheck, TcpCheck, describe, one_line, wait_healthy
from core.errors import PermanentError
from tests.actions.deployment.traffic.peers import Peers
from tests.fakes.clock import FakeClock, settle

GOOD, BAD = Answer(True, "answered 200"), Answer(False, "answered 500; body: no database")


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    yield peers
    await peers.close()


async def sick(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=500, text="no\n  database\x07 " + "x" * 5000)


async def test_http_check_wants_one_of_the_expected_codes_and_quotes_the_body(peers: Peers) -> None:
    url = f"http://{await peers.backend(sick)}/healthz"
    answer = await HttpCheck(url).check()
    assert not answer.healthy
    assert answer.text.startswith("answered 500; body: no database  xxx")
    assert len(answer.text) < 250
    assert (await HttpCheck(url, expect_status=(204, 500)).check()).healthy
    assert HttpCheck(url).target == url


async def test_http_check_does_not_follow_redirects(peers: Peers) -> None:
    async def moved(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert await HttpCheck(f"http://{await peers.backend(moved)}/").check() == Answer(False, "answered 302")


async def test_http_check_names_why_nothing_was_answered(peers: Peers) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def rude(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    assert await HttpCheck("http://127.0.0.1:1/").check() == Answer(False, "could not be asked: Connection refused")
    slow = HttpCheck(f"http://{await peers.raw_backend(silent)}/", timeout_seconds=0.05)
    assert await slow.check() == Answer(False, "did not answer within 0.05 s")
    assert (await HttpCheck(f"http://{await peers.raw_backend(rude)}/").check()).text.startswith("could not be asked: ")


async def test_tcp_check_wants_a_connection(peers: Peers) -> None:
    host, _, port = (await peers.backend(sick)).partition(":")
    assert await TcpCheck(host, int(port)).check() == Answer(True, "accepted a connection")
    refused = await TcpCheck("127.0.0.1", 1).check()
    assert refused == Answer(False, "could not be reached: Connection refused")
    assert TcpCheck("127.0.0.1", 1).target == "127.0.0.1:1"


async def test_command_check_wants_status_0_and_quotes_the_output() -> None:
    assert await CommandCheck(("true",)).check() == Answer(True, "ended with 0")
    failing = CommandCheck(("sh", "-c", "echo queue is $STATE; exit 2"), environment={"STATE": "full"})
    assert await failing.check() == Answer(False, "ended with 2; output: queue is full")
    assert failing.target == "sh -c echo queue is $STATE; exit 2"
    assert await CommandCheck(("no-such-program",)).check() == Answer(
        False, "could not be run: No such file or directory"
    )


async def test_command_that_hangs_is_killed_with_all_that_it_started() -> None:
    check = CommandCheck(("sh", "-c", "sleep 60 & sleep 61"), timeout_seconds=0.1)
    assert await check.check() == Answer(False, "did not end within 0.1 s")


async def test_command_that_writes_without_end_fills_no_memory() -> None:
    script = "import sys\nfor _ in range(2000): sys.stdout.write('x' * 10000)"
    answer = await CommandCheck((sys.executable, "-c", script), timeout_seconds=20).check()
    assert answer.healthy
    assert len(answer.text) < 250


@dataclass
class Scripted:
    """Gives its answers one after the other, the last one for ever."""

    answers: Sequence[Answer]
    asked: int = field(default=0)
    target: str = "http://127.0.0.1:9001/healthz"

    async def check(self) -> Answer:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def lives() -> None:
    return None


async def waiting(check: Scripted, clock: FakeClock, ended: object = lives) -> asyncio.Task[Answer]:
    task = asyncio.create_task(
        wait_healthy(
            check,
            clock=clock,
            interval_seconds=1,
            successes=2,
            deadline_seconds=5,
            ended=ended,  # type: ignore[arg-type]
        )
    )
    await settle()
    return task


async def test_instance_counts_as_healthy_after_good_answers_in_a_row() -> None:
    clock, check = FakeClock(), Scripted([BAD, GOOD, BAD, GOOD, GOOD])
    task = await waiting(check, clock)
    await clock.advance(3.9)
    assert not task.done()
    await clock.advance(0.2)
    assert await task == GOOD
    assert check.asked == 5


async def test_instance_that_stays_sick_fails_at_the_deadline_with_its_answers() -> None:
    clock, check = FakeClock(), Scripted([Answer(False, "could not be asked: Connection refused"), GOOD, BAD])
    task = await waiting(check, clock)
    await clock.advance(5)
    with pytest.raises(PermanentError) as raised:
        await task
    assert str(raised.value) == (
        "not healthy within 5 s: http://127.0.0.1:9001/healthz answered 200, then answered 500; body: no database"
        " (4 times in a row)"
    )


async def test_instance_that_died_fails_at_once_with_its_last_words() -> None:
    clock, check = FakeClock(), Scripted([BAD])
    deaths = [None, None, "exited with 1 after 0.3 s: no database"]

    async def ended() -> str | None:
        return deaths.pop(0)

    task = await waiting(check, clock, ended)
    await clock.advance(2)
    with pytest.raises(PermanentError, match=r"^the instance is not there any more: it exited with 1 after 0\.3 s: no"):
        await task
    assert check.asked == 2


def test_answers_read_as_a_story() -> None:
    assert describe([]) == "was not asked"
    assert describe([BAD]) == BAD.text
    assert describe([GOOD, GOOD, BAD]) == f"answered 200 (2 times in a row), then {BAD.text}"


def test_text_from_elsewhere_becomes_one_printable_line() -> None:
    assert one_line(b"a\r\n\tb \x1b[0m\xff") == "a b  [0m\ufffd"
    assert one_line(b"y" * 300) == "y" * 200 + "…"
