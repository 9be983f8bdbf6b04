"""Real receivers give back the very samples that were stored, whatever happens to them and to us meanwhile."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from metrics.remote_write.block import compress
from tests.daemon.running import RunningDaemon
from tests.metrics.remote_write.oracle import write_request
from tests.peers import Peer, prometheus, request, victoria_metrics

SERIES = 300

Samples = dict[frozenset[tuple[str, str]], dict[float, float]]


class Target(BaseHTTPRequestHandler):
    """Gives other values each time, and odd ones."""

    scrapes = 0

    def do_GET(self) -> None:
        Target.scrapes += 1
        lines = [f'm{{i="{i}"}} {Target.scrapes * 1000 + i / 8}' for i in range(SERIES)]
        lines += [
            "big 1e300",
            "tiny -5e-20",
            "inf +Inf",
            f"own_time {Target.scrapes} {int(time.time() * 1000) - 1234}",
        ]
        if Target.scrapes % 5 == 0:
            lines.append(f"now_and_then {Target.scrapes}")
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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


def config(address: str, peers: list[Peer]) -> str:
    receivers = "".join(
        f"  - url: {peer.url}/api/v1/write\n    queue_config: {{batch_send_deadline: 300ms, capacity: 3000}}\n"
        for peer in peers
    )
    return f"""
global: {{external_labels: {{site: here}}}}
scrape_configs:
  - job_name: target
    scrape_interval: 500ms
    scrape_timeout: 400ms
    static_configs: [{{targets: ["{address}"]}}]
remote_write:
{receivers}"""


def of_document(document: Any) -> Samples:
    return {
        frozenset((k, v) for k, v in row["metric"].items() if k != "site"): {
            time: float(value) for time, value in row["values"] if value != "NaN"
        }
        for row in document["data"]["result"]
    }


def ours(daemon: RunningDaemon, seconds: int, at: float) -> Samples:
    return of_document(daemon.get("query?" + parameters(seconds, at)))


def theirs(peer: Peer, seconds: int, at: float) -> Samples:
    with_site = parameters(seconds, at).replace("job%3D", "site%3D%22here%22%2Cjob%3D")
    return of_document(json.loads(request(f"{peer.url}/api/v1/query?{with_site}", "GET", b"")[1]))


def parameters(seconds: int, at: float) -> str:
    return urllib.parse.urlencode({"query": f'{{job="target"}}[{seconds}s]', "time": f"{at:.3f}"})


def newest(samples: Samples) -> float:
    return max((max(of_series) for of_series in samples.values() if of_series), default=0.0)


def has_since(peer: Peer, moment: float) -> bool:
    return newest(theirs(peer, 120, time.time())) > moment


def equal(daemon: RunningDaemon, peer: Peer, seconds: int, at: float) -> bool:
    """Tell whether both have the same samples; VictoriaMetrics packs decimal numbers and so keeps about 12 digits."""
    stored, found = ours(daemon, seconds, at), theirs(peer, seconds, at)
    if stored.keys() != found.keys():
        return False
    relative = 1e-9 if "victoria" in peer.program else 0.0
    return all(alike(stored[labels], found[labels], relative) for labels in stored)


def alike(stored: dict[float, float], found: dict[float, float], relative: float) -> bool:
    return stored.keys() == found.keys() and all(
        value == found[moment] or math.isclose(value, found[moment], rel_tol=relative)
        for moment, value in stored.items()
    )


@pytest.mark.slow
@pytest.mark.component("victoria-metrics")
@pytest.mark.component("prometheus")
def test_nothing_is_lost_while_receivers_are_down_and_we_are_killed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        peers = [
            stack.enter_context(prometheus(tmp_path / "prometheus", "--web.enable-remote-write-receiver")),
            stack.enter_context(victoria_metrics(tmp_path / "victoria")),
        ]
        address = stack.enter_context(target())
        daemon = RunningDaemon(tmp_path, config(address, peers))
        stack.callback(daemon.stop)
        daemon.start()
        began = time.time()

        def all_have(what: str, moment: float) -> None:
            for peer in peers:
                daemon.wait(f"{what} at {peer.url}", partial(has_since, peer, moment))

        all_have("the first samples", began)
        for peer in peers:
            peer.stop()
        missed = time.time()
        time.sleep(2)
        daemon.kill()
        daemon.start()
        time.sleep(2)
        daemon.kill()
        time.sleep(0.5)
        for peer in peers:
            peer.start()
        daemon.start()
        all_have("samples after all that", time.time())
        daemon.kill()  # while everything works
        daemon.start()
        all_have("samples after the last start", time.time())

        at = time.time() - 1.0
        seconds = int(at - began) + 5
        stored = ours(daemon, seconds, at)
        assert len(stored) >= SERIES + 5
        in_the_dark = [t for of_series in stored.values() for t in of_series if missed < t < missed + 4]
        assert len(in_the_dark) > SERIES * 4
        for peer in peers:
            daemon.wait(f"the same samples at {peer.url}", partial(equal, daemon, peer, seconds, at), seconds=15)


@pytest.mark.slow
@pytest.mark.component("prometheus")
def test_prometheus_sends_to_us_what_it_scrapes(tmp_path: Path) -> None:
    """A real sender: what it has, we have, with the ends of series."""
    with ExitStack() as stack:
        address = stack.enter_context(target())
        daemon = RunningDaemon(tmp_path)
        stack.callback(daemon.stop)
        daemon.start()
        scraped = f"""
global: {{scrape_interval: 1s, scrape_timeout: 900ms, external_labels: {{site: here}}}}
remote_write: [{{url: "{daemon.url}/api/v1/write", queue_config: {{batch_send_deadline: 200ms}}}}]
scrape_configs: [{{job_name: target, static_configs: [{{targets: ["{address}"]}}]}}]
"""
        peer = stack.enter_context(prometheus(tmp_path / "prometheus", config=scraped))
        daemon.wait("the first samples", lambda: newest(ours(daemon, 60, time.time())), seconds=60)
        began = time.time()
        daemon.wait("samples", lambda: newest(ours(daemon, 60, time.time())) > began + 6, seconds=60)
        at = time.time() - 2.0
        query = urllib.parse.urlencode({"query": '{job="target"}[60s]', "time": f"{at:.3f}"})
        expected = of_document(peer.get("/api/v1/query", query='{job="target"}[60s]', time=f"{at:.3f}"))
        assert len(expected) >= SERIES
        assert of_document(daemon.get("query?" + query)) == expected
        status, text = request(
            f"{daemon.url}/api/v1/write", "POST", compress(write_request([({"__name__": "x"}, [(1000, 1.0)])])),
            {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
        )  # fmt: skip
        assert (status, "out_of_bounds" in text) == (400, True)
