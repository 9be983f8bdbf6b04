"""The same pushes to a real Pushgateway and to us give the same answers and the same metrics."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, push_to_gateway, pushadd_to_gateway
from prometheus_client.exposition import delete_from_gateway
from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.running import RunningDaemon, running_daemon
from tests.peers import pushgateway, request

PUSHES = [
    ("PUT", "job/a", "x 1\ny 2\n"),
    ("POST", "job/a", 'x{l="1"} 3\n'),
    ("PUT", "job/a/instance/i1", "x 1\n"),
    ("POST", "job/a/instance/i1", ""),
    ("PUT", "job/b", "x 1\ny 1\n"),
    ("PUT", "job/b", ""),
    ("PUT", "job/c/l/group", 'x{l="own",job="own"} 1\n'),
    ("PUT", "job@base64/L3Zhci90bXA/p@base64/L2E=", "x 1\n"),
    ("PUT", "job/d", '# TYPE h histogram\nh_bucket{le="1.0"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'),
    ("POST", "job/d", '# TYPE h histogram\nh_bucket{le="+Inf"} 5\nh_sum 4\nh_count 5\n'),
    ("PUT", "job/e", "x 1 1700000000000\n"),
    ("PUT", "job/f", "x 1\nx 2\n"),
    ("PUT", "job/g", "x one\n"),
    ("PUT", "job/h", "x 1\n"),
    ("DELETE", "job/h", ""),
    ("DELETE", "job/unknown", ""),
    ("PUT", "job/i/odd", "x 1\n"),
    ("PUT", "job/i/1a/b", "x 1\n"),
    ("PUT", "job/k", "x NaN\ny +Inf\nz -0.5e-9\n"),
    ("PUT", "job/l%20m/n/%C3%A4%2Bb", "x 1\n"),
]


def job_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("last_success", "When.", registry=registry).set(1.7e9)
    Counter("done", "What.", ["what"], registry=registry).labels("this").inc(3)
    Histogram("took", "How long.", registry=registry).observe(0.3)
    return registry


def push_with_client(url: str, registry: CollectorRegistry) -> None:
    """Push as a job would that uses prometheus_client."""
    push_to_gateway(url, "client", registry, grouping_key={"instance": "a/b", "empty": ""})
    pushadd_to_gateway(url, "client", registry, grouping_key={"shard": "1"})
    push_to_gateway(url, "gone", registry)
    delete_from_gateway(url, "gone")


Metrics = dict[frozenset[tuple[str, str]], str]


def of_pushgateway(text: str) -> Metrics:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "le" in sample.labels:  # a Pushgateway writes all bounds anew, ours stay as they came
                sample.labels["le"] = {"+Inf": "+Inf"}.get(sample.labels["le"], repr(float(sample.labels["le"])))
            labels = {"__name__": sample.name, **{k: v for k, v in sample.labels.items() if v}}
            if "job" in labels:
                found[frozenset(labels.items())] = repr(float(sample.value))
    return found


def of_daemon(daemon: RunningDaemon, jobs: set[str]) -> Metrics:
    found = {}
    document = daemon.get("query?" + urllib.parse.urlencode({"query": '{job!=""}'}))
    for row in document["data"]["result"]:
        if row["metric"]["job"] in jobs:
            found[frozenset(row["metric"].items())] = repr(float(row["value"][1]))
    return found


def times_aside(metrics: Metrics) -> Metrics:
    """Two programs never push at the same instant: what counts of a time is whether there is one."""
    names = {"push_time_seconds", "push_failure_time_seconds"}
    return {
        labels: "never" if value == "0.0" else "then" if dict(labels)["__name__"] in names else value
        for labels, value in metrics.items()
    }


@pytest.mark.slow
@pytest.mark.component("prometheus-pushgateway")
def test_we_are_a_pushgateway(tmp_path: Path) -> None:
    with pushgateway(tmp_path / "peer") as peer, running_daemon(tmp_path) as daemon:
        for method, path, body in PUSHES:
            answers = [request(f"{url}/metrics/{path}", method, body.encode())[0] for url in (peer.url, daemon.url)]
            assert answers[0] == answers[1], (method, path, body, answers)
        registry = job_registry()
        for url in (peer.url, daemon.url):
            push_with_client(url, registry)
        theirs = of_pushgateway(request(f"{peer.url}/metrics", "GET", b"")[1])
        jobs = {dict(labels)["job"] for labels in theirs}
        ours = of_daemon(daemon, jobs | {"gone", "g", "i"})
        assert times_aside(ours) == times_aside(theirs)

        daemon.kill()
        daemon.start()
        daemon.wait("pushed metrics", lambda: of_daemon(daemon, jobs) == ours)
