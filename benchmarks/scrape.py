"""What does scraping and storing cost? The same targets for both, in turn; CPU seconds a scrape, and memory.

`large`: one target of 100,000 series each second. `many`: 200 targets of 1,000 series each 15 seconds. One value in
twenty changes between two scrapes, as on real hosts.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.exposition_server import targets
from benchmarks.process import describe_machine, mebibytes
from benchmarks.stacks import Stack, prometheus_stack, watchkeeper_stack


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    targets: int
    series: int
    interval: str
    seconds: float


CASES = (_Case("large", 1, 100_000, "1s", 40.0), _Case("many", 200, 1_000, "15s", 60.0))


def main() -> None:
    """Print CPU and memory of both sides, and their ratios, for each case."""
    print(describe_machine())
    for case in CASES:
        ours, theirs = _measure(case, "watchkeeper"), _measure(case, "prometheus")
        for title, (cpu, scrapes, rss) in (("watchkeeper", ours), ("prometheus", theirs)):
            print(
                f"{case.name:6} {title:12} {cpu / scrapes:.4f} CPU-s a scrape   {scrapes} scrapes"
                f"   RSS {mebibytes(rss)}"
            )
        cpu_ratio = (ours[0] / ours[1]) / (theirs[0] / theirs[1])
        print(f"{case.name:6} ratio: CPU {cpu_ratio:.2f}   RSS {ours[2] / theirs[2]:.2f}")
    print("bar, large: CPU <= 0.10 s and half of Prometheus', memory <= Prometheus'")


def _measure(case: _Case, side: str) -> tuple[float, int, int]:
    """Return CPU seconds and scrapes within the measured time, and memory at its end."""
    with (
        targets(case.series) as server,
        tempfile.TemporaryDirectory() as name,
        _stack(case, side, Path(name), server.address) as stack,
    ):
        time.sleep(15.0 if case.interval == "1s" else 32.0)
        before, scrapes = _cpu(stack), server.count()
        time.sleep(case.seconds)
        usage = [peer.usage() for peer in stack.peers if peer.name in ("watchkeeper", "prometheus")]
        return (
            sum(one.cpu_seconds for one in usage) - before,
            max(1, server.count() - scrapes),
            sum(one.rss_bytes for one in usage),
        )


def _cpu(stack: Stack) -> float:
    return sum(peer.usage().cpu_seconds for peer in stack.peers if peer.name in ("watchkeeper", "prometheus"))


def _stack(case: _Case, side: str, folder: Path, address: str) -> AbstractContextManager[Stack]:
    """Return the side's programs, not yet started."""
    names = [f"job{index}" for index in range(case.targets)]
    if side == "prometheus":
        return prometheus_stack(
            folder, interval=case.interval, rules="groups: []\n", targets=dict.fromkeys(names, address),
            with_node_exporter=False,
        )  # fmt: skip
    jobs = "".join(f"  - {{job_name: {name}, static_configs: [{{targets: ['{address}']}}]}}\n" for name in names)
    config = (
        f"global: {{scrape_interval: {case.interval}}}\ndefault_rules: {{enabled: false}}\n"
        f"system: {{enabled: false}}\nscrape_configs:\n{jobs}"
    )
    return watchkeeper_stack(folder, config)
