"""The daemon as a child process, and the end of everything that it started.

Instances and the router outlive the daemon by design, so the demo has to find them itself: by the state directory
that every one of them carries in its environment. Nothing else is ever ended.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.client import Client
from daemon.cli.demo.scene import Scene
from daemon.cli.failure import PROBLEMS, CommandError, UnreachableError

if TYPE_CHECKING:
    from psutil import Process

MARKER = "WATCHKEEPER_STATE"
START_SECONDS = 20.0
STOP_SECONDS = 12.0
GRACE_SECONDS = 4.0


class DaemonProcess:
    """A daemon of our own, on the scene's configuration."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it, wait until it is ready, and return how many seconds that took.

        Raises: CommandError: it ended or was not ready in time; the message has its last words.
        """
        began = time.monotonic()
        command = [sys.executable, "-m", "daemon", "run", "--config", str(self._scene.config)]
        with self._scene.log.open("ab") as log:
            # A session of its own: Ctrl-C is for the demo, which then stops the daemon in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while not self._is_ready():
            self._check(time.monotonic() - began)
            time.sleep(0.02)
        return time.monotonic() - began

    def _is_ready(self) -> bool:
        try:
            return Client(self._scene.url, timeout_seconds=2).root("/-/ready")[0] == 200
        except UnreachableError:
            return False

    def _check(self, waited_seconds: float) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            reason = f"the daemon ended with {self._process.returncode} instead of starting"
        elif waited_seconds > START_SECONDS:
            reason = f"the daemon was not ready within {START_SECONDS:g} s"
        else:
            return
        raise CommandError(f"{reason}: {last_words(self._scene.log)}", exit_code=PROBLEMS)

    def kill(self) -> None:
        """End it as a crash of the machine would: SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> bool:
        """End it in order and say whether it did so in time; does nothing when it does not run."""
        if self._process is None or self._process.poll() is not None:
            return True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True


def last_words(log: Path) -> str:
    """Return the last line that the daemon wrote."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def end_leftovers(state: Path) -> int:
    """End every process that carries this state directory, and return how many there were."""
    processes = list(marked(state))
    _signal(processes, lambda process: process.terminate())
    stubborn = _wait_gone(processes, GRACE_SECONDS)
    _signal(stubborn, lambda process: process.kill())
    _wait_gone(stubborn, GRACE_SECONDS)
    return len(processes)


def marked(state: Path) -> Iterator[Process]:
    """Give the processes whose environment names this state directory or a folder in it."""
    import psutil  # noqa: PLC0415 - brings 20 ms that --help need not pay

    wanted = str(state.resolve())
    for process in psutil.process_iter():
        try:
            value = process.environ().get(MARKER, "")
        except (psutil.Error, OSError):
            continue  # not ours to look into, so not ours to end
        if value == wanted or value.startswith(wanted + "/"):
            yield process


def _signal(processes: list[Process], act: Callable[[Process], None]) -> None:
    import psutil  # noqa: PLC0415

    for process in processes:
        try:
            act(process)
        except psutil.NoSuchProcess:
            continue  # psutil compares start times: a pid that was used again is not touched


def _wait_gone(processes: list[Process], seconds: float) -> list[Process]:
    import psutil  # noqa: PLC0415

    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return list(alive)
