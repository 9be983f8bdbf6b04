"""How long from a sample's arrival until the first step of the action that it causes? There is no peer that acts."""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.process import describe_machine
from benchmarks.stacks import watchkeeper_stack

ROUNDS = 20


class _Target:
    """A gauge that flips; it notes when a scrape first carried the flip away."""

    def __init__(self) -> None:
        self.value = 0
        self.scraped_at = 0.0
        self.scraped = threading.Event()
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                value = target.value
                body = f"# TYPE flip gauge\nflip {value}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                if value and not target.scraped.is_set():
                    target.scraped_at = time.time()
                    target.scraped.set()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def main() -> None:
    """Print the times between a scrape's answer and the start of the operation's first step."""
    print(describe_machine())
    target = _Target()
    config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
default_rules: {{enabled: false}}
scrape_configs:
  - job_name: flip
    static_configs: [{{targets: ['127.0.0.1:{target.server.server_address[1]}']}}]
groups:
  - name: flip
    rules:
      - {{alert: Flipped, expr: flip > 0, labels: {{severity: critical}}}}
policies:
  - name: react
    mode: act
    cooldown: 0s
    max_per_hour: 1000
    when: {{alert: {{matchers: ['alertname="Flipped"']}}}}
    do: {{operation: command, service: flip, environment: benchmark, parameters: {{argv: ["true"]}}}}
"""
    with tempfile.TemporaryDirectory() as name, watchkeeper_stack(Path(name), config) as stack:
        seconds = [_round(target, stack.url) for _ in range(ROUNDS)]
    target.server.shutdown()
    print(
        f"sample to first step: median {1000 * statistics.median(seconds):.0f} ms"
        f"   max {1000 * max(seconds):.0f} ms   ({len(seconds)} flips)"
    )
    print("bar: <= 50 ms")


def _round(target: _Target, url: str) -> float:
    known = {operation["id"] for operation in _operations(url)}
    target.scraped.clear()
    target.value = 1
    if not target.scraped.wait(10):
        raise TimeoutError("the target was not scraped within 10 s")
    first_step = _first_step(url, known)
    target.value = 0
    time.sleep(2.5)  # the alert resolves before the next flip
    return float(first_step) - target.scraped_at


def _first_step(url: str, known: set[str]) -> float:
    end = time.time() + 10
    while time.time() < end:
        for operation in _operations(url):
            if operation["id"] not in known and operation["steps"]:
                return float(operation["steps"][0]["started_at"])
        time.sleep(0.05)
    raise TimeoutError("no operation started within 10 s")


def _operations(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/watchkeeper/v1/operations?limit=50", timeout=5) as answer:
        document = json.load(answer)
    return list(document["operations"] if isinstance(document, dict) else document)
