"""Real programs of others as child processes, for tests beside them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.components import require
from tests.daemon.running import free_port


class Peer:
    """A program with an HTTP server; it can be ended and started again over its data.

    Args:
        arguments: `{port}` in them becomes the port.
        ready: what answers 200 when it can be used.
    """

    def __init__(self, program: str, arguments: Sequence[str], folder: Path, *, ready: str = "/-/ready") -> None:
        self.program = program
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._argv = [require(program), *(argument.replace("{port}", str(self.port)) for argument in arguments)]
        self._ready = ready
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Peer:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, cwd=self._folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + self._ready, timeout=5):
                return
            time.sleep(0.05)
        raise AssertionError(f"{self._argv[0]} does not answer\n{(self._folder / 'log').read_text()[-3000:]}")

    def stop(self) -> None:
        """End it as a service manager would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def get(self, path: str, **parameters: str | float) -> Any:
        """Return a JSON document."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=20) as answer:
            return json.load(answer)


def prometheus(folder: Path, *flags: str, config: str = "") -> Peer:
    """A Prometheus over a config that scrapes nothing unless told."""
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(config or "global: {scrape_interval: 1h}\n")
    arguments = [
        "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:{port}", *flags
    ]  # fmt: skip
    return Peer("prometheus", arguments, folder)


def victoria_metrics(folder: Path) -> Peer:
    """A VictoriaMetrics that shows samples at once."""
    arguments = [
        "-httpListenAddr=127.0.0.1:{port}", "-storageDataPath=data", "-search.latencyOffset=0s",
        "-search.disableCache", "-retentionPeriod=100y",
    ]  # fmt: skip
    return Peer("victoria-metrics", arguments, folder, ready="/health")


def pushgateway(folder: Path) -> Peer:
    """A Pushgateway without persistence."""
    return Peer("prometheus-pushgateway", ["--web.listen-address=127.0.0.1:{port}"], folder)


def request(url: str, method: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Send a request and return status and text, of errors too."""
    made = urllib.request.Request(url, body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(made, timeout=20) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return int(error.code), error.read().decode()
