from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from daemon.cli.main import execute
from tests.daemon.cli.fake_daemon import FakeDaemon, Running


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def fake() -> Iterator[FakeDaemon]:
    fake = FakeDaemon()
    with Running(fake):
        yield fake


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in this process, without a daemon's address in the environment."""
    for name in ("WATCHKEEPER_URL", "WATCHKEEPER_TOKEN_FILE", "WATCHKEEPER_CONFIG", "WATCHKEEPER_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Ran:
        code = execute(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def cli(run: Cli, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command against the fake daemon."""
    monkeypatch.setenv("WATCHKEEPER_URL", fake.url)
    return run


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
