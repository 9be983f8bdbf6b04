"""Asking an instance whether it is well: by HTTP, by a TCP connection, or by a command.

A check that fails is an answer, never an exception: its words end up in front of whoever wonders why a deployment
stopped.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

from actions.deployment.instances import launch
from actions.deployment.instances.user import account
from core.clock import Clock
from core.errors import PermanentError

_BODY_BYTES = 2048
_SHOWN_CHARACTERS = 200
_KEPT_ANSWERS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What one check found; `text` says it in one line, as in `answered 500; body: no database`."""

    healthy: bool
    text: str


class HealthCheck(Protocol):
    """One way of asking one instance."""

    @property
    def target(self) -> str:
        """What is asked, for messages: an address or a command."""

    async def check(self) -> Answer:
        """Ask once; bounded in time."""


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Healthy when a GET is answered with one of the expected codes; redirects are answers, not followed."""

    url: str
    expect_status: Collection[int] = (200,)
    timeout_seconds: float = 2.0

    @property
    def target(self) -> str:
        """The URL."""
        return self.url

    async def check(self) -> Answer:
        """Ask once."""
        import aiohttp  # noqa: PLC0415 - only a daemon that deploys pays for it

        try:
            async with (
                asyncio.timeout(self.timeout_seconds),
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(self.url, allow_redirects=False, headers={"User-Agent": "watchkeeper"}) as response,
            ):
                body = await response.content.read(_BODY_BYTES)
        except TimeoutError:
            return Answer(False, f"did not answer within {self.timeout_seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(False, f"could not be asked: {_reason(error)}")
        shown = one_line(body)
        text = f"answered {response.status}" + (f"; body: {shown}" if shown else "")
        return Answer(response.status in self.expect_status, text)


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Healthy when a connection is accepted."""

    host: str
    port: int
    timeout_seconds: float = 2.0

    @property
    def target(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    async def check(self) -> Answer:
        """Connect once."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except TimeoutError:
            return Answer(False, f"did not accept a connection within {self.timeout_seconds:g} s")
        except OSError as error:
            return Answer(False, f"could not be reached: {_reason(error)}")
        writer.close()
        return Answer(True, "accepted a connection")


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """Healthy when a program (no shell) ends with status 0; it sees the small environment that instances see."""

    argv: tuple[str, ...]
    timeout_seconds: float = 2.0
    working_directory: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The command line."""
        return " ".join(self.argv)

    async def check(self) -> Answer:
        """Run it once; what still runs at the timeout is killed with all that it started."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self.working_directory,
                env=launch.environment(account(None), self.environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Answer(False, f"could not be run: {_reason(error)}")
        try:
            async with asyncio.timeout(self.timeout_seconds):
                output = await _read_and_wait(process)
        except TimeoutError:
            return Answer(False, f"did not end within {self.timeout_seconds:g} s")
        finally:
            await _kill_session(process)
        shown = one_line(output)
        text = f"ended with {process.returncode}" + (f"; output: {shown}" if shown else "")
        return Answer(process.returncode == 0, text)


async def wait_healthy(
    check: HealthCheck,
    *,
    clock: Clock,
    interval_seconds: float,
    successes: int,
    deadline_seconds: float,
    ended: Callable[[], Awaitable[object | None]],
) -> Answer:
    """Ask until the instance is well, and return its last answer.

    Args:
        successes: how many good answers in a row it takes.
        ended: tells how the instance ended, in something whose text can be read; None while it lives.
    Raises: PermanentError: it ended, or was not well in time; with what it answered last.
    """
    deadline = clock.monotonic() + deadline_seconds
    answers: deque[Answer] = deque(maxlen=_KEPT_ANSWERS)
    in_a_row = 0
    while True:
        if (end := await ended()) is not None:
            raise PermanentError(f"the instance is not there any more: it {end}")
        answer = await check.check()
        answers.append(answer)
        in_a_row = in_a_row + 1 if answer.healthy else 0
        if in_a_row >= successes:
            return answer
        left = deadline - clock.monotonic()
        if left <= 0:
            raise PermanentError(f"not healthy within {deadline_seconds:g} s: {check.target} {describe(answers)}")
        await clock.sleep(min(interval_seconds, left))


def describe(answers: Collection[Answer]) -> str:
    """Return the last answers in words, oldest first: `refused the connection, then answered 500 3 times in a row`."""
    parts = []
    for text, group in groupby(answers, key=lambda answer: answer.text):
        count = sum(1 for _ in group)
        parts.append(text if count == 1 else f"{text} ({count} times in a row)")
    return ", then ".join(parts) or "was not asked"


def one_line(data: bytes) -> str:
    """Return the beginning of text from elsewhere as one printable line."""
    text = " ".join(data.decode(errors="replace").split())
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= _SHOWN_CHARACTERS else printable[:_SHOWN_CHARACTERS] + "…"


async def _read_and_wait(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    output = b""
    while chunk := await process.stdout.read(_BODY_BYTES):
        output = (output + chunk)[:_BODY_BYTES]  # the rest is read so that the program does not block on it
    await process.wait()
    return output


async def _kill_session(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _reason(error: Exception) -> str:
    """Return an error in words; aiohttp's own texts name its arguments."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.strerror:
        return os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
    return str(error) or type(error).__name__
