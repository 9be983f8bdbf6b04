"""`kill -9` of the daemon at every step, with real processes behind the real router under steady requests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

APP = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(STATUS)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Site:
    """A state directory, the daemon runs over it, and a client that never stops asking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        *ports, self.port = _free_ports(7)
        runtime = {"process": {"argv": [sys.executable, "-S", "{artifact}/app.py", "{port}", "{version}"]}}
        production: dict[str, Any] = {
            "runtime": runtime, "ports": ports, "instances": 2, "bake": "1h", "drain": "2s", "stop_grace": "2s",
            "health_check": {"http": {}, "interval": "50ms", "healthy_after": 1, "deadline": "8s"},
            "router": {"listen": f"127.0.0.1:{self.port}"},
        }  # fmt: skip
        self.configure(production)
        self.production = production
        self.answers: list[tuple[int, str]] = []
        self._asking = threading.Event()
        self._client: threading.Thread | None = None

    def configure(self, production: dict[str, Any]) -> None:
        config = {"services": {"shop": {"environments": {"production": production}}}}
        (self.state / "config.json").write_text(json.dumps(config))

    def artifact(self, version: str, status: int = 200) -> dict[str, Any]:
        folder = self.folder / f"shop-{version}"
        folder.mkdir()
        (folder / "app.py").write_text(APP.replace("STATUS", str(status)))
        return {"artifact": str(folder), "version": version}

    def run(self, **task: Any) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
        """Run a daemon to its end; None when it was killed on the way."""
        command = [sys.executable, "-m", "tests.actions.mortal_daemon", str(self.state), json.dumps(task)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == -signal.SIGKILL:
            return None
        assert done.returncode == 0, done.stderr[-3000:]
        operations, status = done.stdout.splitlines()[-2:]
        return json.loads(operations), json.loads(status)

    def run_killed_at(self, moments: list[tuple[str, str]], **task: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Ask for an operation, kill the daemon at each moment in turn, and return what it came to."""
        for step, phase in moments:
            killed = self.run(**task, step=step, phase=phase)
            assert killed is None, f"it was not killed at {step} {phase}"
            task = {}
        ended = self.run()
        assert ended is not None
        return ended[0][0], ended[1]

    def ask(self) -> None:
        """Begin to ask through the router, over and over."""
        self._asking.set()
        self._client = threading.Thread(target=self._ask)
        self._client.start()

    def _ask(self) -> None:
        while self._asking.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/")
                response = connection.getresponse()
                self.answers.append((response.status, response.read().decode()))
                connection.close()
            except OSError as error:
                self.answers.append((0, str(error)))
            time.sleep(0.02)

    def stop_asking(self) -> None:
        self._asking.clear()
        if self._client is not None:
            self._client.join()

    def assert_never_without_traffic(self) -> None:
        assert len(self.answers) > 50
        assert [answer for answer in self.answers if answer[0] != 200] == []

    def end(self) -> None:
        self.stop_asking()
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and path.name != str(os.getpid()) and self._is_ours(path):
                os.kill(int(path.name), signal.SIGKILL)

    def _is_ours(self, process: Path) -> bool:
        """Whether a process was started for this state directory: by its command line or environment."""
        marker = str(self.state).encode()
        try:
            return marker in (process / "cmdline").read_bytes() or marker in (process / "environ").read_bytes()
        except OSError:
            return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.end()


def _live(status: dict[str, Any]) -> list[str]:
    return [instance["id"].removeprefix("shop/production/") for instance in status["instances"] if instance["alive"]]


def _taking(status: dict[str, Any]) -> list[str]:
    return [i["id"].removeprefix("shop/production/") for i in status["instances"] if i["weight"]]


DEPLOY_STEPS = (
    "verify_artifact", "unpack_artifact", "start_instances", "wait_healthy", "switch_traffic", "verify_traffic",
    "record",
)  # fmt: skip


def test_deployment_killed_at_every_step_ends_with_the_new_revision(site: Site) -> None:
    assert site.run(kind="deploy", parameters=site.artifact("1")) is not None
    site.ask()
    changing = ("unpack_artifact", "start_instances", "switch_traffic", "record")
    moments = [
        (step, phase) for step in DEPLOY_STEPS for phase in ("intent", "done") if phase == "intent" or step in changing
    ]
    operation, status = site.run_killed_at(moments, kind="deploy", parameters=site.artifact("2"))
    assert operation["state"] == "succeeded", operation
    assert _live(status) == ["r1/0", "r1/1", "r2/0", "r2/1"]
    assert _taking(status) == ["r2/0", "r2/1"]
    time.sleep(0.1)
    assert site.answers[-1] == (200, "2")
    site.assert_never_without_traffic()


def test_rollback_killed_at_every_change_ends_with_the_old_revision(site: Site) -> None:
    assert site.run(kind="deploy", parameters=site.artifact("1")) is not None
    assert site.run(kind="deploy", parameters=site.artifact("2")) is not None
    site.ask()
    moments = [
        ("switch_traffic", "intent"), ("switch_traffic", "done"), ("record", "done"), ("stop_r2", "intent"),
        ("stop_r2", "recorded"),
    ]  # fmt: skip
    operation, status = site.run_killed_at(moments, kind="rollback", parameters={})
    assert operation["state"] == "succeeded", operation
    assert _live(status) == _taking(status) == ["r1/0", "r1/1"]
    site.assert_never_without_traffic()


def test_failing_deployment_killed_while_it_is_settled_leaves_the_old_revision(site: Site) -> None:
    assert site.run(kind="deploy", parameters=site.artifact("1")) is not None
    site.configure({**site.production, "health_check": {**site.production["health_check"], "deadline": "1s"}})
    site.ask()
    moments = [
        ("start_instances", "done"), ("restore_traffic", "intent"), ("stop_candidate", "done"),
        ("record_failure", "done"),
    ]  # fmt: skip
    operation, status = site.run_killed_at(moments, kind="deploy", parameters=site.artifact("2", status=500))
    assert operation["state"] == "failed"
    assert "last answers: shop/production/r2/0: answered 500" in operation["error"]
    assert _live(status) == _taking(status) == ["r1/0", "r1/1"]
    site.assert_never_without_traffic()


def test_instances_and_router_that_died_with_the_daemon_come_back(site: Site) -> None:
    assert site.run(kind="deploy", parameters=site.artifact("1")) is not None
    site.end()
    ended = site.run()
    assert ended is not None
    deadline = time.monotonic() + 30
    while _taking(ended[1]) != ["r1/0", "r1/1"] and time.monotonic() < deadline:
        ended = site.run(kind="recover", parameters={})
        assert ended is not None
    assert _live(ended[1]) == _taking(ended[1]) == ["r1/0", "r1/1"]
