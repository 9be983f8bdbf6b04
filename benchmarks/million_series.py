"""Does the scrape path hold a million series? 100 targets of 10,000 series each, every 15 s, for some minutes.

Nobody else runs beside it: the bar is about this size of machine, not about a ratio. What the scrapes looked like is
told by the targets, which note when they were asked.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
import urllib.parse
import urllib.request
from itertools import pairwise
from pathlib import Path

from benchmarks.exposition_server import Targets, targets
from benchmarks.process import Peer, describe_machine, mebibytes
from benchmarks.stacks import watchkeeper_stack

TARGETS = 100
SERIES = 10_000
INTERVAL_SECONDS = 15.0
WARM_UP_SECONDS = 60.0
"""So long nothing is counted: each target's first answer is read line by line."""

_EVERY_SECONDS = 30.0


def main() -> None:
    """Print memory, CPU, how late scrapes came and how many were missed, each half minute and in all."""
    seconds = float(os.environ.get("WATCHKEEPER_BENCH_SECONDS", "330"))
    print(f"{describe_machine()}, load {os.getloadavg()[0]:.1f}")
    jobs = "".join(
        f"  - {{job_name: load{n}, metrics_path: /target/{n}, static_configs: [{{targets: ['ADDRESS']}}]}}\n"
        for n in range(TARGETS)
    )
    config = (
        f"global: {{scrape_interval: {INTERVAL_SECONDS:g}s}}\ndefault_rules: {{enabled: false}}\n"
        f"system: {{enabled: false}}\nscrape_configs:\n{jobs}"
    )
    with (
        targets(SERIES) as server,
        tempfile.TemporaryDirectory() as name,
        watchkeeper_stack(Path(name), config.replace("ADDRESS", server.address)) as stack,
    ):
        _watch(stack.peers[0], stack.url, server, seconds)


def _watch(peer: Peer, url: str, server: Targets, seconds: float) -> None:
    begun = time.monotonic()
    time.sleep(WARM_UP_SECONDS)
    start = time.monotonic()
    first = peer.usage()
    print(f"warm-up: {first.cpu_seconds:.1f} s of CPU in {start - begun:.0f} s, RSS {mebibytes(first.rss_bytes)}")
    most = first.rss_bytes
    while (left := start + seconds - time.monotonic()) > 0:
        time.sleep(min(_EVERY_SECONDS, left))
        usage, now = peer.usage(), time.monotonic()
        most = max(most, usage.rss_bytes)
        share = (usage.cpu_seconds - first.cpu_seconds) / (now - start)
        print(
            f"{now - start:5.0f} s: RSS {mebibytes(usage.rss_bytes)}, CPU {share:.2f} cores, {_scrapes(server, start)},"
            f" load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    print(f"{_asked(url, 'count(load_metric)'):.0f} series are there")
    print(f"{_asked(url, 'sum(count_over_time(up[5m]) - sum_over_time(up[5m]))'):.0f} scrapes of the last 5 min failed")
    print(f"largest RSS {mebibytes(most)}; bar: <= 3 GB, no scrape missed")


def _scrapes(server: Targets, start: float) -> str:
    """Say how late scrapes came, and how many did not come, since a time."""
    late: list[float] = []
    missed = 0
    for times in server.scrapes().values():
        since = [at for at in times if at >= start]
        for before, after in pairwise(since):
            intervals = max(1, round((after - before) / INTERVAL_SECONDS))
            missed += intervals - 1
            late.append(abs(after - before - intervals * INTERVAL_SECONDS))
    if not late:
        return "no scrapes yet"
    return (
        f"{len(late)} scrapes, off by {1000 * statistics.median(late):.0f} ms in the median, "
        f"{1000 * max(late):.0f} ms at most, {missed} missed"
    )


def _asked(url: str, query: str) -> float:
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=60) as answer:
        return float(json.load(answer)["data"]["result"][0]["value"][1])


if __name__ == "__main__":
    main()
