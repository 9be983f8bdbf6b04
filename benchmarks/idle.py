"""What does watching one machine cost while nothing happens? Both stacks at once, same interval, same rules."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.process import describe_machine, mebibytes
from benchmarks.stacks import Stack, prometheus_stack, watchkeeper_stack

WARM_UP_SECONDS = 30.0
MEASURED_SECONDS = 60.0

OPERATIONS = """
services:
  idle:
    environments:
      production:
        runtime: {process: {argv: [sleep, "3600"]}}
        ports: 18801-18802
        strategy: recreate
        health_check: {command: {argv: ["true"]}}
policies:
  - name: rollback
    when: {alert: {matchers: ['severity="critical"']}}
    do: {operation: rollback}
"""

RULES = """
groups:
  - name: host
    rules:
      - alert: CpuHigh
        expr: 100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))) > 80
        for: 10m
      - alert: MemoryHigh
        expr: 100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) > 85
        for: 10m
      - alert: DiskFull
        expr: predict_linear(node_filesystem_avail_bytes[1h], 86400) < 0
        for: 30m
      - alert: TargetDown
        expr: up == 0
        for: 5m
"""


def main() -> None:
    """Print memory and CPU of both sides, and their ratio."""
    print(describe_machine())
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        sides: list[tuple[str, Stack]] = [
            ("watchkeeper, watching only", running.enter_context(watchkeeper_stack(folder / "watching", ""))),
            (
                "watchkeeper, with operations",
                running.enter_context(watchkeeper_stack(folder / "operations", OPERATIONS)),
            ),
            (
                "node_exporter + Prometheus + Alertmanager",
                running.enter_context(prometheus_stack(folder / "peer", interval="15s", rules=RULES, targets={})),
            ),
        ]
        time.sleep(WARM_UP_SECONDS)
        before = {title: _cpu(stack) for title, stack in sides}
        time.sleep(MEASURED_SECONDS)
        figures = {title: (_cpu(stack) - before[title], *_memory(stack)) for title, stack in sides}
    peer_cpu, peer_rss, _ = figures["node_exporter + Prometheus + Alertmanager"]
    print(f"{'':44}{'RSS':>12}{'PSS':>12}{'CPU-s a minute':>16}{'RSS ratio':>11}{'CPU ratio':>11}")
    for title, (cpu, rss, pss) in figures.items():
        cpu_ratio = f"{cpu / peer_cpu:.2f}" if peer_cpu else "-"
        print(f"{title:44}{mebibytes(rss):>12}{mebibytes(pss):>12}{cpu:>16.2f}{rss / peer_rss:>11.2f}{cpu_ratio:>11}")
    print("bars: watching only <= 91 MB, with operations <= 125 MB, peer together 91 MB")


def _cpu(stack: Stack) -> float:
    return sum(peer.usage().cpu_seconds for peer in stack.peers)


def _memory(stack: Stack) -> tuple[int, int]:
    usages = [peer.usage() for peer in stack.peers]
    return sum(usage.rss_bytes for usage in usages), sum(usage.pss_bytes for usage in usages)
