"""Only what carries the demo's own state directory is ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from daemon.cli.demo.processes import MARKER, end_leftovers, last_words, marked

pytestmark = pytest.mark.slow

SLEEP = "import signal, time; {setup}; print('ready', flush=True); time.sleep(60)"
IGNORE_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def sleeper(marker: str | None, setup: str = "pass") -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    if marker is not None:
        environment[MARKER] = marker
    command = [sys.executable, "-c", SLEEP.format(setup=setup)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def others(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of nobody, of another state directory, and of one whose name only begins the same."""
    processes = [sleeper(None), sleeper(str(tmp_path / "other")), sleeper(str(tmp_path / "state2"))]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_marked_processes_are_ended_and_no_others(tmp_path: Path, others: list[subprocess.Popen[str]]) -> None:
    state = tmp_path / "state"
    ours = [sleeper(str(state)), sleeper(str(state / "services"))]
    assert {process.pid for process in marked(state)} == {process.pid for process in ours}
    assert end_leftovers(state) == 2
    for process in ours:
        process.communicate(timeout=5)
    assert [process.poll() for process in others] == [None, None, None]


def test_one_that_ignores_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.cli.demo.processes.GRACE_SECONDS", 0.2)
    stubborn = sleeper(str(tmp_path), IGNORE_SIGTERM)
    assert end_leftovers(tmp_path) == 1
    stubborn.communicate(timeout=5)
    assert not psutil.pid_exists(stubborn.pid)


def test_the_last_words_of_a_daemon_are_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    assert last_words(log) == "it said nothing"
    log.write_text("first\nlast: port in use\n\n")
    assert last_words(log) == "last: port in use"
