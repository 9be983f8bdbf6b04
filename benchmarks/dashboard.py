"""What do the range queries of a dashboard cost? 30 panels, 6 hours at 15 s, 1,000 series, here and in Prometheus.

Ours: the engine in this process, without the text of the answer. Prometheus: its whole answer. The panels show few
series, as people do, so that the text is a small part.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peer_prometheus import Prometheus, prometheus
from benchmarks.process import describe_machine
from metrics.frame import FloatArray, Frame, Layout
from metrics.head import Head
from metrics.label import Labels, labels_of
from metrics.promql.engine import Engine
from metrics.promql.parse import parse

STEP_SECONDS = 15
HOURS = 6
ROUNDS = 3
START_MS = 1_700_000_100_000
"""Some time at a full step, so that both find the samples where the other does."""

PANELS = (
    "sum(rate(http_requests_total[5m]))",
    "sum by (job) (rate(http_requests_total[5m]))",
    "sum by (code) (rate(http_requests_total[1m]))",
    "sum by (job, code) (increase(http_requests_total[5m]))",
    'sum(rate(http_requests_total{code="500"}[5m])) / sum(rate(http_requests_total[5m]))',
    'sum by (job) (rate(http_requests_total{code="500"}[5m])) / sum by (job) (rate(http_requests_total[5m]))',
    "topk(5, sum by (instance) (rate(http_requests_total[5m])))",
    'rate(http_requests_total{job="job0",code="200"}[5m])',
    'sum(irate(http_requests_total{job="job1"}[2m]))',
    "max by (job) (rate(http_requests_total[15m]))",
    "histogram_quantile(0.5, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket[5m])))",
    'sum(rate(latency_seconds_bucket{le="0.1"}[5m])) / sum(rate(latency_seconds_bucket{le="+Inf"}[5m]))',
    "sum(memory_bytes)",
    "sum by (job) (memory_bytes)",
    "avg by (job) (memory_bytes)",
    "quantile(0.9, memory_bytes)",
    "topk(5, memory_bytes)",
    'memory_bytes{job="job2"}',
    "max(memory_bytes) - min(memory_bytes)",
    "avg(avg_over_time(memory_bytes[10m]))",
    "max(max_over_time(memory_bytes[30m]))",
    "count(memory_bytes > 6e8)",
    "sum by (job) (memory_bytes) / on () group_left sum(memory_bytes)",
    "stddev(memory_bytes)",
    "deriv(memory_bytes{job='job3'}[10m])",
    "predict_linear(memory_bytes{job='job4'}[30m], 3600)",
    "100 * (1 - avg by (job) (memory_bytes) / 1e9)",
    "count by (job) (changes(memory_bytes[5m]) > 2)",
)


def main() -> None:
    """Print CPU seconds for all panels of both, and their ratio."""
    print(describe_machine())
    times = np.arange(0, HOURS * 3_600_000 + 1, STEP_SECONDS * 1000, dtype=np.int64) + START_MS
    series, values = _samples(len(times))
    head, layout = Head(2 * HOURS * 3600), Layout(tuple(series))
    for at, row in zip(times.tolist(), values, strict=True):
        head.append(Frame("bench", at, layout, row))
    engine, start, end = Engine(head), int(times[0]), int(times[-1])
    ours = [_ours(engine, text, start, end) for text in PANELS]
    with tempfile.TemporaryDirectory() as name, prometheus(Path(name)) as peer:
        peer.write(series, times, values)
        peer.settle()
        idle = peer.idle_cpu(5)
        theirs = [_theirs(peer, text, start, end, idle) for text in PANELS]
    print(f"{'CPU seconds a panel':106}{'ours':>8}{'theirs':>8}{'ratio':>7}")
    for text, our, their in zip(PANELS, ours, theirs, strict=True):
        print(f"{text:106}{our:>8.3f}{their:>8.3f}{our / their:>7.2f}")
    print(f"{'all 30 panels':106}{sum(ours):>8.2f}{sum(theirs):>8.2f}{sum(ours) / sum(theirs):>7.2f}")
    print("bar: ratio <= 1")


def _samples(rows: int) -> tuple[list[Labels], FloatArray]:
    chance = np.random.default_rng(2)
    requests = [
        {"__name__": "http_requests_total", "job": f"job{n % 10}", "instance": f"host{n // 50}:1", "code": code}
        for n in range(500)
        for code in (("200", "404", "500")[n // 10 % 3],)
    ]
    for n, labels in enumerate(requests):
        labels["path"] = f"/{n // 10}"
    memory = [{"__name__": "memory_bytes", "job": f"job{n % 10}", "instance": f"host{n // 10}:1"} for n in range(300)]
    buckets = [
        {"__name__": "latency_seconds_bucket", "job": f"job{n % 10}", "instance": f"host{n // 10}:1", "le": bound}
        for n in range(20)
        for bound in ("0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
    ]
    counters = np.cumsum(chance.integers(0, 100, (rows, 500)), axis=0)
    gauges = 5e8 + np.cumsum(chance.normal(0, 1e6, (rows, 300)), axis=0)
    parts = np.cumsum(chance.integers(0, 10, (rows, 20, 10)), axis=0)
    values = np.concatenate([counters, gauges, np.cumsum(parts, axis=2).reshape(rows, 200)], axis=1)
    return [labels_of(labels) for labels in (*requests, *memory, *buckets)], values.astype(np.float64)


def _ours(engine: Engine, text: str, start: int, end: int) -> float:
    expression = parse(text)
    seconds = []
    for _ in range(ROUNDS):
        before = time.process_time()
        engine.range(expression, start, end, STEP_SECONDS * 1000)
        seconds.append(time.process_time() - before)
    return statistics.median(seconds)


def _theirs(peer: Prometheus, text: str, start: int, end: int, idle: float) -> float:
    parameters = {"query": text, "start": str(start // 1000), "end": str(end // 1000), "step": str(STEP_SECONDS)}
    seconds = []
    for _ in range(ROUNDS):
        before, began = peer.cpu_seconds(), time.monotonic()
        peer.ask("query_range", parameters)
        seconds.append(peer.cpu_seconds() - before - idle * (time.monotonic() - began))
    return max(0.001, _middle(seconds))


def _middle(seconds: Sequence[float]) -> float:
    return statistics.mean(seconds)  # its clock ticks each 10 ms: the mean loses nothing
