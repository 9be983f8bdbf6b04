"""The same rules give the same alerts, whether we or a real Prometheus evaluate them."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.daemon.running import RunningDaemon
from tests.peers import prometheus

RULES = """
global: {evaluation_interval: 1s}
default_rules: {enabled: false}
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: High, expr: "level > 5", labels: {severity: critical, note: "{{ $labels.part }}"}}
      - {alert: Sum, expr: "sum by (job) (level) > 10", for: 1s, keep_firing_for: 1s}
      - {alert: Gone, expr: "absent(nothing)"}
      - {alert: Steady, expr: "rate(work_total[1m]) > 1e9"}
"""
SCRAPE = """
scrape_configs:
  - {{job_name: target, scrape_interval: 1s, scrape_timeout: 900ms, static_configs: [{{targets: ["{address}"]}}]}}
"""


class Target(BaseHTTPRequestHandler):
    """Three parts, two of them too high until told otherwise."""

    is_high = True

    def do_GET(self) -> None:
        levels = (7, 1, 9) if Target.is_high else (2, 1, 2)
        body = "".join(f'level{{part="p{i}"}} {level}\n' for i, level in enumerate(levels)) + "work_total 5\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def firing(daemon: RunningDaemon) -> list[dict[str, Any]]:
    found = [one["labels"] for one in daemon.get("alerts")["alerts"] if one["state"] == "firing"]
    return sorted(found, key=str)


def has(daemon: RunningDaemon, count: int) -> bool:
    return len(firing(daemon)) == count


def query(daemon: RunningDaemon, text: str) -> Any:
    return daemon.get("query?" + urllib.parse.urlencode({"query": text}))["data"]["result"]


@pytest.mark.slow
@pytest.mark.component("prometheus")
def test_rules_give_the_same_alerts_by_another_server(tmp_path: Path) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(target())
        peer = stack.enter_context(prometheus(tmp_path / "prometheus", config=SCRAPE.format(address=address)))
        for name in ("own", "asking"):
            (tmp_path / name).mkdir()
        own = RunningDaemon(tmp_path / "own", RULES + SCRAPE.format(address=address))
        asking = RunningDaemon(tmp_path / "asking", RULES + f"query: {{url: '{peer.url}', timeout: 2s}}\n")
        for daemon in (own, asking):
            stack.callback(daemon.stop)
            daemon.start()
        for daemon in (own, asking):
            daemon.wait("four alerts", partial(has, daemon, 4), seconds=60)
        assert firing(own) == firing(asking)
        assert query(asking, "count(level)")[0]["value"][1] == "3"

        peer.stop()
        asking.wait(
            "the error", lambda: any("cannot be asked" in r["last_error"] for r in asking.get("rules")["rules"])
        )
        assert len(firing(asking)) == 4  # what cannot be known changes nothing
        peer.start()
        Target.is_high = False
        for daemon in (own, asking):
            daemon.wait("one alert", partial(has, daemon, 1), seconds=60)
        assert firing(own) == firing(asking)
