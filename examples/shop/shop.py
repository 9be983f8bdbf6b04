"""A sample shop: one small HTTP service with health check and metrics, whose releases can be good or bad.

    python shop.py --port 9001 --version 1.4.1

`/` takes an order, `/healthz` says that the process is well, `/metrics` tells in Prometheus' text format how business
goes. A release is this file beside a `release.json`: `{"version": "1.4.2", "failure_ratio": 0.34}` is one in which
a third of the orders fail while the health check stays green, as bad releases do.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ACTIVE_SECONDS = 300.0
PRICE_CENTS = 1999


class Business:
    """Counts what happens; safe to use from many threads."""

    def __init__(self, version: str, failure_ratio: float) -> None:
        self.version = version
        self._failure_ratio = failure_ratio
        self._lock = threading.Lock()
        self._attempts = 0
        self._orders = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._last_seen: dict[str, float] = {}

    def order(self, user: str) -> bool:
        """Take an order; of 1 / failure_ratio orders exactly one fails, always the same ones."""
        with self._lock:
            self._last_seen[user] = time.monotonic()
            before = int(self._attempts * self._failure_ratio)
            self._attempts += 1
            fails = int(self._attempts * self._failure_ratio) > before
            self._orders += not fails
            return not fails

    def record(self, path: str, code: int, seconds: float) -> None:
        """Count an answered request."""
        with self._lock:
            self._requests[path, code] += 1
            self._seconds += seconds
            self._buckets[next((bound for bound in BUCKETS if seconds <= bound), float("inf"))] += 1

    def metrics(self) -> str:
        """Return all counts in Prometheus' text format."""
        with self._lock:
            return "\n".join([*self._request_lines(), *self._duration_lines(), *self._business_lines(), ""])

    def _request_lines(self) -> list[str]:
        lines = ["# HELP http_requests_total Answered requests.", "# TYPE http_requests_total counter"]
        for (path, code), count in sorted(self._requests.items()):
            lines.append(f'http_requests_total{{path="{path}",code="{code}"}} {count}')
        return lines

    def _duration_lines(self) -> list[str]:
        name = "http_request_duration_seconds"
        lines = [f"# HELP {name} Time to answer a request.", f"# TYPE {name} histogram"]
        total = 0
        for bound in (*BUCKETS, float("inf")):
            total += self._buckets[bound]
            shown = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{name}_bucket{{le="{shown}"}} {total}')
        return [*lines, f"{name}_sum {self._seconds!r}", f"{name}_count {total}"]

    def _business_lines(self) -> list[str]:
        recently = time.monotonic() - ACTIVE_SECONDS
        active = sum(seen > recently for seen in self._last_seen.values())
        return [
            "# HELP shop_orders_total Orders that were taken.",
            "# TYPE shop_orders_total counter",
            f"shop_orders_total {self._orders}",
            "# HELP shop_revenue_euros_total What the orders were worth.",
            "# TYPE shop_revenue_euros_total counter",
            f"shop_revenue_euros_total {self._orders * PRICE_CENTS / 100}",
            "# HELP shop_active_users Users with an order in the last five minutes.",
            "# TYPE shop_active_users gauge",
            f"shop_active_users {active}",
            "# HELP shop_build_info Which release this is.",
            "# TYPE shop_build_info gauge",
            f'shop_build_info{{version="{self.version}"}} 1',
        ]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    server: Shop

    def do_GET(self) -> None:
        """Answer the shop's three paths."""
        started = time.perf_counter()
        address = urlsplit(self.path)
        business = self.server.business
        if address.path == "/metrics":
            self._answer(200, business.metrics(), "text/plain; version=0.0.4; charset=utf-8")
            return
        if address.path == "/healthz":
            code, body = 200, {"status": "ok", "version": business.version}
        elif address.path == "/":
            taken = business.order(parse_qs(address.query).get("user", ["anonymous"])[0])
            code, body = (200, {"order": "taken"}) if taken else (500, {"error": "the payment could not be booked"})
        else:
            code, body = 404, {"error": "no such page"}
        known = address.path if code != 404 else "other"
        business.record(known, code, time.perf_counter() - started)
        self._answer(code, json.dumps(body) + "\n", "application/json")

    def do_POST(self) -> None:
        """Take an order that is sent as a form; what it says is read and ignored."""
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 65536))
        self.do_GET()

    def _answer(self, code: int, body: str, content_type: str) -> None:
        content = body.encode()
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Shop-Version", self.server.business.version)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Log nothing: forty lines a second help nobody."""


class Shop(ThreadingHTTPServer):
    """The server; daemon threads end with it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], business: Business) -> None:
        super().__init__(address, Handler)
        self.business = business


def read_release(folder: Path) -> tuple[str, float]:
    """Return version and failure ratio of the release in `folder`; without a release.json, a good one."""
    file = folder / "release.json"
    if not file.exists():
        return "development", 0.0
    release = json.loads(file.read_text(encoding="utf-8"))
    return str(release["version"]), float(release.get("failure_ratio", 0.0))


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description="A sample shop for Watchkeeper.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--version", help="what to call this release; by default what release.json says")
    options = parser.parse_args()
    released_version, failure_ratio = read_release(Path(__file__).resolve().parent)
    business = Business(options.version or released_version, failure_ratio)
    try:
        shop = Shop((options.host, options.port), business)
    except OSError as error:
        print(f"shop: cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1
    # shutdown() waits for the serving loop, which a signal handler interrupts: so from another thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=shop.shutdown).start())
    print(f"shop {business.version} listens on http://{options.host}:{shop.server_port}", flush=True)
    try:
        shop.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        return 130
    finally:
        shop.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
