"""What does a round of alert rules cost? The same rules over the same samples, here and in Prometheus.

Ours: the rules' own evaluation, alert states included, in this process. Prometheus: its CPU time while it evaluates the
group each second, less what it uses while it has no rules.
"""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alerting.alert import Moment, Timing
from alerting.rule import AlertingRule
from alerting.rule_state import AlertingState
from benchmarks.peer_prometheus import Prometheus, prometheus
from benchmarks.process import describe_machine
from metrics.frame import FloatArray, Frame, Layout, TimeArray
from metrics.head import Head
from metrics.label import Labels, labels_of
from metrics.promql.engine import Engine
from metrics.promql.parse import parse

STEP_SECONDS = 15
PAST_SECONDS = 330
FUTURE_SECONDS = 240
"""So long the samples reach ahead, so that all rounds find fresh ones."""

OUR_ROUNDS = 10
THEIR_SECONDS = 8.0
RULES = 1000


@dataclass(frozen=True)
class Case:
    """Rules that are measured together."""

    title: str
    expressions: Sequence[str]
    bar: str


CASES = (
    Case("1,000 rules x 1 series, value > x", [f"single_{n} > 1e12" for n in range(RULES)], "<= 0.05"),
    Case(
        "1,000 rules x 1 series, rate 5m > x", [f"rate(single_{n}_total[5m]) > 1e12" for n in range(RULES)], "<= 0.05"
    ),
    Case("1,000 rules x 100 series, value > x", [f"many_{n}_total > 1e12" for n in range(RULES)], "<= 0.20"),
    Case("1,000 rules x 100 series, rate 5m > x", [f"rate(many_{n}_total[5m]) > 1e12" for n in range(RULES)], "half"),
    Case("1 rule x 100,000 series, rate 5m > x", ['rate({kind="many"}[5m]) > 1e12'], "half"),
)


def main() -> None:
    """Print CPU seconds a round of both, and their ratio."""
    print(describe_machine())
    now_ms = int(time.time()) * 1000
    times = np.arange(now_ms - 1000 * PAST_SECONDS, now_ms + 1000 * FUTURE_SECONDS, 1000 * STEP_SECONDS, dtype=np.int64)
    series = _series()
    values = _values(len(times), len(series))
    ours = [_ours(case, engine, now_ms) for engine in [_engine(series, times, values)] for case in CASES]
    with tempfile.TemporaryDirectory() as name, prometheus(Path(name)) as peer:
        peer.write(series, times, values)
        peer.settle()
        idle = peer.idle_cpu(5)
        theirs = [_theirs(case, peer, idle) for case in CASES]
    print(f"{'CPU seconds a round':42}{'watchkeeper':>13}{'prometheus':>13}{'ratio':>8}   bar")
    for case, our, their in zip(CASES, ours, theirs, strict=True):
        print(f"{case.title:42}{our:>13.4f}{their:>13.4f}{our / their:>8.2f}   {case.bar}")


def _series() -> list[Labels]:
    single = [f"single_{n}{ending}" for n in range(RULES) for ending in ("", "_total")]
    return [labels_of({"__name__": name, "kind": "single", "job": "bench", "instance": "a:1"}) for name in single] + [
        labels_of(
            {"__name__": f"many_{n}_total", "kind": "many", "job": "bench", "instance": f"host-{i}:1", "path": f"/{n}"}
        )
        for n in range(RULES)
        for i in range(100)
    ]


def _values(rows: int, columns: int) -> FloatArray:
    growth = np.random.default_rng(1).integers(0, 50, (rows, columns)).astype(np.float64)
    return np.cumsum(growth, axis=0)


def _engine(series: Sequence[Labels], times: TimeArray, values: FloatArray) -> Engine:
    head = Head()
    layout = Layout(tuple(series))
    for at, row in zip(times.tolist(), values, strict=True):
        head.append(Frame("bench", at, layout, row))
    return Engine(head)


def _ours(case: Case, engine: Engine, now_ms: int) -> float:
    states = [
        AlertingState(AlertingRule(f"bench/{n}", f"rule{n}", parse(text), Timing()))
        for n, text in enumerate(case.expressions)
    ]
    seconds = []
    for number in range(OUR_ROUNDS + 1):
        at_ms = now_ms + 1000 * number
        moment = Moment(at_ms / 1000, float(number))
        start = time.process_time()
        for state in states:
            state.update(engine, at_ms, moment)
        seconds.append(time.process_time() - start)
    return sum(seconds[1:]) / OUR_ROUNDS


def _theirs(case: Case, peer: Prometheus, idle: float) -> float:
    rules = "".join(f"      - {{alert: rule{n}, expr: '{text}'}}\n" for n, text in enumerate(case.expressions))
    peer.use_rules(f"groups:\n  - name: bench\n    interval: 1s\n    rules:\n{rules}")
    time.sleep(3)
    rounds, cpu, start = _rounds(peer), peer.cpu_seconds(), time.monotonic()
    time.sleep(THEIR_SECONDS)
    seconds = peer.cpu_seconds() - cpu - idle * (time.monotonic() - start)
    return seconds / max(1.0, _rounds(peer) - rounds)


def _rounds(peer: Prometheus) -> float:
    # Asked of its own page, as it scrapes nothing.
    with urllib.request.urlopen(f"{peer.url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("prometheus_rule_group_iterations_total{"))
