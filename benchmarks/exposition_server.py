"""A process that stands in for many targets and costs next to nothing: it sends bodies that are made beforehand.

The path is the target: `/target/7`. One value in twenty changes between two scrapes, as on real hosts.
"""

from __future__ import annotations

import json
import multiprocessing
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection

BODIES = 20
_SCRAPES = "/-/scrapes"


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets, as they see those who scrape them. `address` is host and port."""

    address: str

    def scrapes(self) -> dict[str, list[float]]:
        """Return, by path, when each was scraped, in seconds of some clock."""
        with urllib.request.urlopen(f"http://{self.address}{_SCRAPES}", timeout=30) as answer:
            scrapes: dict[str, list[float]] = json.load(answer)
        return scrapes

    def count(self) -> int:
        """Return how many scrapes there were."""
        return sum(map(len, self.scrapes().values()))


@contextmanager
def targets(series: int) -> Iterator[Targets]:
    """Serve targets of `series` series each, for as long as the context lasts."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(target=_serve, args=(series, sender), daemon=True)
    server.start()
    try:
        yield Targets(f"127.0.0.1:{receiver.recv()}")
    finally:
        server.terminate()
        server.join()


def _serve(series: int, ready: Connection) -> None:
    bodies = [_body(series, turn) for turn in range(BODIES)]
    scrapes: dict[str, list[float]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == _SCRAPES:
                body = json.dumps(scrapes).encode()
            else:
                times = scrapes.setdefault(self.path, [])
                times.append(time.monotonic())
                body = bodies[len(times) % BODIES]
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            """Say nothing of a connection that was broken off: whoever scrapes has counted it."""

    server = Server(("127.0.0.1", 0), Handler)
    ready.send(server.server_address[1])
    server.serve_forever()


def _body(series: int, turn: int) -> bytes:
    lines = ["# HELP load_metric A value.\n# TYPE load_metric gauge\n"]
    for index in range(series):
        value = index + (turn if index % 20 == turn % 20 else 0)
        path = f"/path/{index % 50}"
        lines.append(f'load_metric{{host="host-{index // 100}",path="{path}",code="200",id="{index}"}} {value}\n')
    return "".join(lines).encode()
