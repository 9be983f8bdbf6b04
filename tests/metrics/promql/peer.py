"""A real Prometheus that is given samples by remote write, and asked over HTTP."""

from __future__ import annotations

import json
import math
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import remote_write
from metrics.frame import STALE_BITS
from metrics.label import Labels, labels_of

Samples = Mapping[int, float]
"""Values by Unix milliseconds; the staleness marker is metrics.frame.STALE."""


class PeerError(Exception):
    """The peer refused a query."""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def write(self, series: Mapping[Labels, Mapping[int, bytes]]) -> None:
        """Store samples (eight bytes each, least first), in order of time, an hour at a time."""
        times = sorted({moment for samples in series.values() for moment in samples})
        hours = {moment // 1_800_000 for moment in times}
        for hour in sorted(hours):
            part = {
                labels: {at: value for at, value in samples.items() if at // 1_800_000 == hour}
                for labels, samples in series.items()
            }
            remote_write.write(self._url, part.items())

    def instant(self, text: str, at_ms: int) -> Any:
        """Return the `data` of an instant query.

        Raises: PeerError: it was refused.
        """
        return self._ask("query", {"query": text, "time": f"{at_ms / 1000:.3f}"})

    def range(self, text: str, start_ms: int, end_ms: int, step_ms: int) -> Any:
        """Return the `data` of a range query.

        Raises: PeerError: it was refused.
        """
        moments = {"start": start_ms, "end": end_ms, "step": step_ms}
        return self._ask("query_range", {"query": text} | {name: f"{ms / 1000:.3f}" for name, ms in moments.items()})

    def wait(self, seconds: float = 30.0) -> None:
        """Return when it is ready."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self._open(urllib.request.Request(f"{self._url}/-/ready"))
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("Prometheus was not ready in time")

    def _ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        body = urllib.parse.urlencode(parameters).encode()
        try:
            return json.loads(self._open(urllib.request.Request(f"{self._url}/api/v1/{path}", body)))["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise PeerError(json.loads(error.read())["error"]) from None

    @staticmethod
    def _open(request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def running(program: str, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus, empty and without targets, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m, evaluation_interval: 1m}\n")
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--log.level=error",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            peer = Prometheus(port)
            peer.wait()
            yield peer
        finally:
            process.terminate()
            process.wait(20)


def sample_bytes(value: float, *, stale: bool = False) -> bytes:
    """Return a sample's eight bytes; an ordinary NaN is Go's."""
    if stale:
        return int(STALE_BITS).to_bytes(8, "little")
    return (0x7FF8000000000001).to_bytes(8, "little") if math.isnan(value) else struct.pack("<d", value)


def labels_from(metric: Mapping[str, str]) -> Labels:
    """Return the labels of a series in an answer."""
    return labels_of(metric)


def values_from(pairs: Sequence[Sequence[Any]]) -> dict[int, float]:
    """Return the points of a series in an answer by Unix milliseconds."""
    return {round(float(at) * 1000): float(value) for at, value in pairs}
