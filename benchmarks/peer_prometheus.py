"""A Prometheus without targets that gets its samples by remote write, and whose CPU time can be read."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import remote_write
from benchmarks.process import Peer, free_port, program, running, wait_until_answers
from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels

_SAMPLES_A_CALL = 200_000


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The running server."""

    url: str
    folder: Path
    peer: Peer

    def cpu_seconds(self) -> float:
        """Return the CPU time since its start."""
        return self.peer.usage().cpu_seconds

    def write(self, series: Sequence[Labels], times_ms: TimeArray, values: FloatArray) -> None:
        """Store samples: values of shape (times, series)."""
        rows = max(1, _SAMPLES_A_CALL // len(series))
        for start in range(0, len(times_ms), rows):
            part = slice(start, start + rows)
            remote_write.write_columns(self.url, series, times_ms[part], values[part])

    def ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        """Return the `data` of an answer of its API."""
        body = urllib.parse.urlencode(parameters).encode()
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", body, timeout=120) as answer:
            return json.loads(answer.read())["data"]

    def use_rules(self, rules: str) -> None:
        """Load other rules."""
        (self.folder / "rules.yml").write_text(rules)
        with urllib.request.urlopen(f"{self.url}/-/reload", b"", timeout=60) as answer:
            answer.read()

    def idle_cpu(self, seconds: float) -> float:
        """Return the CPU seconds a second while nothing is asked."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        return (self.cpu_seconds() - before) / seconds

    def settle(self) -> None:
        """Return when it is quiet after much was written."""
        end = time.monotonic() + 60
        while time.monotonic() < end and self.idle_cpu(2) > 0.1:
            pass


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """Run one until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "rules.yml").write_text("groups: []\n")
    (folder / "prometheus.yml").write_text(f"rule_files: [{folder / 'rules.yml'}]\n")
    argv = [
        program("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--web.enable-lifecycle",
    ]  # fmt: skip
    with running("prometheus", argv, folder) as peer:
        url = f"http://127.0.0.1:{port}"
        wait_until_answers(f"{url}/-/ready")
        yield Prometheus(url, folder, peer)
