"""A real Prometheus takes and refuses the same bodies."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.components import require
from tests.metrics.test_exposition import (
    OPENMETRICS,
    OPENMETRICS_CASES,
    OPENMETRICS_MISTAKES,
    TEXT,
    TEXT_CASES,
    TEXT_MISTAKES,
)

BODIES: list[tuple[str, str, bool]] = [
    *((body, TEXT, True) for body, _ in TEXT_CASES),
    *((body, TEXT, False) for body, _, _ in TEXT_MISTAKES),
    *((body + "# EOF\n", OPENMETRICS, True) for body, _ in OPENMETRICS_CASES),
    *((body, OPENMETRICS, False) for body, _, _ in OPENMETRICS_MISTAKES),
]

DIFFERENT = {
    # Version 2.42 takes leading blanks for a part of the name, and refuses that name.
    '  a  {  x = "1" , y="2" }  1 \t 123  ',
    # The format's description has signed timestamps; Prometheus has none.
    "a 1 -5",
    # The format's description wants line breaks escaped.
    'a{b="x\ny"} 1\n',
    # It looks for names that come twice after it has dropped the empty values.
    'a{b="1",b=""} 0',
    # It lets the time overflow.
    "a 1 1e300\n# EOF\n",
}


def is_of_version_3(body: str) -> bool:
    """Tell whether names are quoted, which version 2 does not know."""
    return body.startswith("{") or '{"x.y"' in body


class Handler(BaseHTTPRequestHandler):
    """Serves body number N at /N."""

    def do_GET(self) -> None:
        text, kind, _ = BODIES[int(self.path[1:])]
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        pass


@contextmanager
def bodies_served() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def prometheus(folder: Path, target_port: int) -> Iterator[str]:
    jobs = "".join(
        f'- {{job_name: "{i}", metrics_path: /{i}, static_configs: [{{targets: ["127.0.0.1:{target_port}"]}}]}}\n'
        for i in range(len(BODIES))
    )
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\nscrape_configs:\n" + jobs)
    port = free_port()
    command = [require("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def health_by_body(url: str) -> dict[int, str]:
    """Wait until every body was read once, and return what came of it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/api/v1/targets", timeout=5) as answer:
                targets = json.load(answer)["data"]["activeTargets"]
        except (urllib.error.URLError, ConnectionError):
            targets = []
        health = {int(target["labels"]["job"]): target["health"] for target in targets}
        if len(health) == len(BODIES) and "unknown" not in health.values():
            return health
        time.sleep(0.2)
    pytest.fail("Prometheus did not read all bodies within 60 s")


@pytest.mark.slow
@pytest.mark.component("prometheus")
def test_prometheus_takes_and_refuses_the_same_bodies(tmp_path: Path) -> None:
    require("prometheus")
    with bodies_served() as port, prometheus(tmp_path, port) as url:
        health = health_by_body(url)

    different = {body for i, (body, _, good) in enumerate(BODIES) if (health[i] == "up") is not good}
    assert {body for body in different if not is_of_version_3(body)} == DIFFERENT
