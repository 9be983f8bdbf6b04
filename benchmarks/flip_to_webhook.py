"""How long from a metric's flip until the webhook arrives? Both stacks scrape the same target each second."""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.process import describe_machine
from benchmarks.stacks import prometheus_stack, watchkeeper_stack

FLIPS = 50

RULES = "groups: [{name: flip, interval: 1s, rules: [{alert: Flipped, expr: 'flip > 0', labels: {severity: high}}]}]\n"


class _Target:
    """A gauge that flips, and the two webhooks that hear of it."""

    def __init__(self) -> None:
        self.value = 0
        self.arrived: dict[str, threading.Event] = {}
        self.at: dict[str, float] = {}
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(f"# TYPE flip gauge\nflip {target.value}\n".encode(), "text/plain; version=0.0.4")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                target.heard(self.path.strip("/"), body["status"])
                self._answer(b"{}", "application/json")

            def _answer(self, body: bytes, content_type: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def heard(self, side: str, status: str) -> None:
        key = f"{side} {status}"
        if key in self.arrived and not self.arrived[key].is_set():
            self.at[key] = time.perf_counter()
            self.arrived[key].set()

    def flip(self, value: int, status: str, sides: tuple[str, ...]) -> dict[str, float]:
        """Flip and return, per side, the seconds until its webhook came."""
        keys = {side: f"{side} {status}" for side in sides}
        self.arrived = {key: threading.Event() for key in keys.values()}
        start = time.perf_counter()
        self.value = value
        for key in keys.values():
            if not self.arrived[key].wait(30):
                raise TimeoutError(f"no webhook {key!r} within 30 s")
        return {side: self.at[key] - start for side, key in keys.items()}


def main() -> None:
    """Print the latencies of both sides over the same flips."""
    print(describe_machine())
    target = _Target()
    sides = ("watchkeeper", "prometheus")
    config = (
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "default_rules: {enabled: false}\n"
        f"scrape_configs: [{{job_name: flip, static_configs: [{{targets: ['{target.address}']}}]}}]\n"
        f"{RULES}"
        f"receivers: [{{name: hook, webhook_configs: [{{url: 'http://{target.address}/watchkeeper'}}]}}]\n"
        "route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
    )
    firing: dict[str, list[float]] = {side: [] for side in sides}
    resolved: dict[str, list[float]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        running.enter_context(watchkeeper_stack(Path(name) / "ours", config))
        running.enter_context(
            prometheus_stack(
                Path(name) / "peer", interval="1s", rules=RULES, targets={"flip": target.address},
                webhook=f"http://{target.address}/prometheus", with_node_exporter=False,
            )
        )  # fmt: skip
        time.sleep(5)
        chance = random.Random(1)  # the phase of a flip against the scrapes is what is random
        for _ in range(FLIPS):
            for side, seconds in target.flip(1, "firing", sides).items():
                firing[side].append(seconds)
            time.sleep(1 + chance.random())
            for side, seconds in target.flip(0, "resolved", sides).items():
                resolved[side].append(seconds)
            time.sleep(1 + chance.random())
    target.server.shutdown()
    for title, latencies in (("firing", firing), ("resolved", resolved)):
        for side in sides:
            _print(title, side, latencies[side])
    ratio = statistics.median(firing["watchkeeper"]) / statistics.median(firing["prometheus"])
    print(f"ratio of medians, firing: {ratio:.2f}")
    print("bar: watchkeeper median <= 0.55 s, max <= 1.05 s")


def _print(title: str, side: str, latencies: list[float]) -> None:
    median, slowest = statistics.median(latencies), max(latencies)
    print(f"{title:9} {side:12} median {median:.2f} s   max {slowest:.2f} s   ({len(latencies)} flips)")
