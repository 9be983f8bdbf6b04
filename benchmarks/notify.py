"""What does it cost to hold 10,000 alerts under 100 routes and 1,000 silences, and how soon is a new one told?

Both sides get the same alerts by the same API, as a Prometheus posts them: all of them again each round.
"""

from __future__ import annotations

import json
import queue
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.process import (
    Peer,
    describe_machine,
    free_port,
    program,
    running,
    wait_until_answers,
)
from benchmarks.stacks import watchkeeper_stack

ALERTS, ROUTES, SILENCES = 10_000, 100, 1_000
BATCH = 64
"""As many alerts as Prometheus posts together."""

ROUNDS, NEW = 3, 20
INTERVAL_SECONDS = 10


class _Hook:
    """A webhook that hands on when it heard of which alert."""

    def __init__(self) -> None:
        self.heard: queue.Queue[tuple[str, float]] = queue.Queue()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                hook.heard.put((message["groupLabels"].get("alertname", ""), time.monotonic()))

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


def main() -> None:
    """Print CPU and latency of both sides."""
    print(describe_machine())
    hook = _Hook()
    with tempfile.TemporaryDirectory() as name:
        for side in (_watchkeeper, _alertmanager):
            with side(Path(name) / side.__name__, hook.url) as (peer, url):
                _measure(side.__name__.strip("_"), peer, url, hook)
    hook.server.shutdown()


@contextmanager
def _watchkeeper(folder: Path, hook: str) -> Iterator[tuple[Peer, str]]:
    # Alertmanager has no limit, so here is none either.
    ours = "default_rules: {enabled: false}\nsystem: {enabled: false}\nnotification_limit: 0\n"
    config = ours + _routing(hook)
    with watchkeeper_stack(folder, config) as stack:
        yield stack.peers[0], stack.url


@contextmanager
def _alertmanager(folder: Path, hook: str) -> Iterator[tuple[Peer, str]]:
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(_routing(hook))
    port = free_port()
    command = [
        program("prometheus-alertmanager"), f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with running("alertmanager", command, folder) as peer:
        wait_until_answers(f"http://127.0.0.1:{port}/-/ready")
        yield peer, f"http://127.0.0.1:{port}"


def _routing(hook: str) -> str:
    routes = [{"receiver": "hook", "matchers": [f'team="{number}"']} for number in range(ROUTES)]
    route = {
        "receiver": "hook", "group_by": ["alertname", "team"], "group_wait": "0s",
        "group_interval": f"{INTERVAL_SECONDS}s", "repeat_interval": "1h", "routes": routes,
    }  # fmt: skip
    receivers = [{"name": "hook", "webhook_configs": [{"url": hook, "max_alerts": 10}]}]
    return f"route: {json.dumps(route)}\nreceivers: {json.dumps(receivers)}\n"


def _measure(side: str, peer: Peer, url: str, hook: _Hook) -> None:
    now = datetime.now(UTC)
    for number in range(SILENCES):
        matchers = [{"name": "instance", "value": f"silenced-{number}", "isRegex": False, "isEqual": True}]
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
        _post(f"{url}/api/v2/silences", {"matchers": matchers, **times, "createdBy": "b", "comment": "b"})
    alerts = [
        {
            "alertname": f"A{number % 50}",
            "team": str(number % ROUTES),
            "instance": f"host-{number}" if number % 10 else f"silenced-{number % SILENCES}",
            "number": str(number),
            "severity": "warning",
        }
        for number in range(ALERTS)
    ]
    first = _round(peer, url, alerts, now)
    later = [_round(peer, url, alerts, now) for _ in range(ROUNDS)]
    while not hook.heard.empty():
        hook.heard.get()
    seconds = [_told_after(url, hook, f"New{number}") for number in range(NEW)]
    print(
        f"{side:12} CPU: first round {first:.2f} s, then {statistics.median(later):.2f} s a round;"
        f" a new alert is told after {statistics.median(seconds) * 1000:.0f} ms (most {max(seconds) * 1000:.0f} ms);"
        f" {peer.usage().rss_bytes / 1e6:.0f} MB"
    )


def _round(peer: Peer, url: str, alerts: list[dict[str, str]], started: datetime) -> float:
    """Post all alerts, wait until every group was looked at, and return the CPU seconds."""
    before = peer.usage().cpu_seconds
    ends_at = datetime.now(UTC) + timedelta(minutes=4)
    for first in range(0, len(alerts), BATCH):
        _post(f"{url}/api/v2/alerts", [_alert(labels, started, ends_at) for labels in alerts[first : first + BATCH]])
    time.sleep(INTERVAL_SECONDS + 1)
    return peer.usage().cpu_seconds - before


def _told_after(url: str, hook: _Hook, name: str) -> float:
    now = datetime.now(UTC)
    started = time.monotonic()
    _post(f"{url}/api/v2/alerts", [_alert({"alertname": name}, now, now + timedelta(minutes=4))])
    while True:
        heard, at = hook.heard.get(timeout=30)
        if heard == name:
            return at - started


def _alert(labels: dict[str, str], starts_at: datetime, ends_at: datetime) -> dict[str, Any]:
    return {
        "labels": labels,
        "annotations": {"summary": f"{labels['alertname']} is firing"},
        "startsAt": starts_at.isoformat(),
        "endsAt": ends_at.isoformat(),
        "generatorURL": "http://prometheus/graph",
    }


def _post(url: str, document: object) -> None:
    body = json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
