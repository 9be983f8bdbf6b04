"""The command `notify test`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.daemon.cli.conftest import Cli


class Service(BaseHTTPRequestHandler):
    """Takes what comes under /good."""

    got: list[dict[str, object]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).got.append(json.loads(body))
        self.send_response(200 if self.path == "/good" else 404)
        self.end_headers()
        self.wfile.write(b"" if self.path == "/good" else b"no such hook")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base class names it
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    Service.got = []
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def config(tmp_path: Path, service: str) -> str:
    file = tmp_path / "w.yml"
    file.write_text(
        f"receivers:\n- name: team\n  webhook_configs: [{{url: '{service}/good'}}]\n"
        f"- name: broken\n  webhook_configs: [{{url: '{service}/good'}}, {{url: '{service}/bad'}}]\n- name: nobody\n"
    )
    return str(file)


def test_what_the_other_side_answered_is_told(run: Cli, tmp_path: Path, service: str) -> None:
    ran = run("notify", "test", "team", "--config", config(tmp_path, service), "--resolved")
    assert (ran.code, ran.out) == (0, "team: webhook/0: delivered: status 200\n" * 2)
    assert [message["status"] for message in Service.got] == ["firing", "resolved"]


def test_an_address_that_refuses_makes_it_fail(run: Cli, tmp_path: Path, service: str) -> None:
    ran = run("notify", "test", "broken", "--config", config(tmp_path, service))
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "broken: webhook/0: delivered: status 200",
        "broken: webhook/1: refused: status 404: no such hook",
    ]
    ran = run("notify", "test", "broken", "--config", config(tmp_path, service), "--json")
    assert [trial["outcome"] for trial in json.loads(ran.out)["trials"]] == ["delivered", "rejected"]


def test_an_unknown_receiver_and_one_without_addresses_are_named(run: Cli, tmp_path: Path, service: str) -> None:
    file = config(tmp_path, service)
    ran = run("notify", "test", "gone", "--config", file)
    assert (ran.code, "known are: team, broken, nobody" in ran.err) == (2, True)
    ran = run("notify", "test", "nobody", "--config", file)
    assert (ran.code, "has no address" in ran.err) == (2, True)
