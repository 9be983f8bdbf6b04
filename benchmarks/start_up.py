"""How long from the command to READY, as a service manager sees it? Cold once, then warm, beside Prometheus."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.process import (
    compile_checkout,
    describe_machine,
    free_port,
    program,
    running,
    wait_until_answers,
    watchkeeper,
)

RUNS = 7


def main() -> None:
    """Print the median and the slowest start of both."""
    print(describe_machine())
    compile_checkout()
    with tempfile.TemporaryDirectory() as name:
        ours = [_watchkeeper(Path(name)) for _ in range(RUNS + 1)][1:]
        theirs = [_prometheus(Path(name)) for _ in range(RUNS + 1)][1:]
    for title, seconds in (("watchkeeper", ours), ("prometheus", theirs)):
        print(f"{title:14} median {statistics.median(seconds):.2f} s   slowest {max(seconds):.2f} s   ({RUNS} starts)")
    print("bar: watchkeeper READY in <= 1.5 s")


def _watchkeeper(folder: Path) -> float:
    port = free_port()
    config = folder / "watchkeeper.yml"
    config.write_text(f"web: {{listen: '127.0.0.1:{port}'}}\nstate: {{directory: {folder / 'state'}}}\n")
    start = time.perf_counter()
    with running("watchkeeper", watchkeeper(config), folder):
        wait_until_answers(f"http://127.0.0.1:{port}/-/ready")
        return time.perf_counter() - start


def _prometheus(folder: Path) -> float:
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 15s}\n")
    argv = [
        program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    start = time.perf_counter()
    with running("prometheus", argv, folder):
        wait_until_answers(f"http://127.0.0.1:{port}/-/ready")
        return time.perf_counter() - start
