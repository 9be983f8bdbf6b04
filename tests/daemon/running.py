"""A real daemon as a child process, for end-to-end tests."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningDaemon:
    """One daemon process after another over the same config and state."""

    def __init__(self, folder: Path, config: str = "", *, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config_file = folder / "watchkeeper.yml"
        self.state = folder / "state"
        self.log = folder / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.configure(config)

    def configure(self, config: str) -> None:
        """Write the config file."""
        head = f"web: {{listen: '127.0.0.1:{self.port}'}}\nstate: {{directory: '{self.state}'}}\n"
        self.config_file.write_text(head + config)

    def launch(self) -> None:
        """Start the process without waiting."""
        argv = [sys.executable, "-m", "daemon", "run", "--config", str(self.config_file)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def start(self) -> float:
        """Start the process and return the seconds until it was ready."""
        began = time.monotonic()
        self.launch()
        self.wait("ready", lambda: self._status("/-/ready") == 200)
        return time.monotonic() - began

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> tuple[int, float]:
        """End it as a service manager would; return its exit status and the seconds it took."""
        began = time.monotonic()
        status = self._end(signal.SIGTERM)
        return status, time.monotonic() - began

    def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(20)

    def _status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)

    def get(self, path: str) -> Any:
        """Return a JSON document of the API, by its path below the API's root or from `/`."""
        with urllib.request.urlopen(self._path(path), timeout=10) as answer:
            return json.load(answer)

    def text(self, path: str, **headers: str) -> str:
        """Return an answer as text."""
        request = urllib.request.Request(self._path(path), headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def post(self, path: str, document: object) -> tuple[int, Any]:
        """Post JSON; return status and JSON answer, of errors too."""
        request = urllib.request.Request(
            self._path(path), json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status), json.load(answer)
        except urllib.error.HTTPError as error:
            return int(error.code), json.load(error)

    def _path(self, path: str) -> str:
        return self.url + (path if path.startswith("/") else f"/api/watchkeeper/v1/{path}")

    def wait(self, what: str, look: Callable[[], Any], *, seconds: float = 30.0) -> Any:
        """Return the first true answer of `look`; it asks another process, which has no event for us."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the daemon ended while waiting for {what}\n{self.log.read_text()[-4000:]}")
            try:
                answer = look()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                answer = None
            if answer:
                return answer
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds:g} s in vain for {what}\n{self.log.read_text()[-4000:]}")


@contextmanager
def running_daemon(folder: Path, config: str = "") -> Iterator[RunningDaemon]:
    """A daemon that is ready, and ended with the test."""
    daemon = RunningDaemon(folder, config)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
