"""Side by side with a real Prometheus: the same rules keep, drop and name the same targets and series."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from aiohttp import web
from prometheus_client import CollectorRegistry
from yarl import URL

from collectors.context import CollectorContext
from collectors.manager import CollectorManager
from collectors.scrape import ScrapePlugin
from collectors.scrape.config import ScrapeConfig
from core.clock import SystemClock
from core.tasks import Tasks
from metrics.frame import Frame
from metrics.label import Labels, labels_of
from tests.collectors.peer import free_port, get, running
from tests.collectors.server import serving
from tests.components import require

pytestmark = [pytest.mark.slow, pytest.mark.component("prometheus")]

Key = tuple[tuple[str, str], ...]

TARGETS = [
    {"targets": ["ADDRESS"], "labels": {"env": "prod", "team": "shop", "tier": "1", "MiXed": "StraßE"}},
    {"targets": ["ADDRESS"], "labels": {"env": "test", "team": "test", "__meta_a_b": "x", "__meta_a_c": "y"}},
    {"targets": ["ADDRESS", "localhost"], "labels": {"env": "", "__param_module": "own", "__metrics_path__": "/m"}},
    {"targets": ["[::1]"], "labels": {"__scheme__": "https", "instance": "front"}},
]

# One line for each behaviour of a rule; every job has all of TARGETS.
TARGET_RULES: list[list[dict[str, Any]]] = [
    [{"source_labels": ["env"], "regex": "prod", "action": "keep"}],
    [{"source_labels": ["env"], "regex": "pro", "action": "keep"}],
    [{"source_labels": ["env"], "regex": "", "action": "drop"}],
    [{"source_labels": ["env", "team"], "regex": "prod;.*", "action": "DROP"}],
    [{"source_labels": ["env"], "target_label": "team", "action": "keepequal"}],
    [{"source_labels": ["env"], "target_label": "team", "action": "dropequal"}],
    [{"source_labels": ["env", "team"], "separator": "/", "target_label": "both"}],
    [{"source_labels": ["env"], "regex": "(p)(.*)", "target_label": "x_${1}", "replacement": "$2-${1}$$${3}$1x"}],
    [{"source_labels": ["env"], "regex": "(?P<first>.).*", "target_label": "a", "replacement": "${first}$first$none"}],
    [{"source_labels": ["tier"], "target_label": "${1}", "replacement": "number is no name"}],
    [{"source_labels": ["team"], "target_label": "${1}", "replacement": ""}],
    [{"source_labels": ["team"], "target_label": "env", "replacement": ""}],
    [{"source_labels": ["none"], "target_label": "env"}],
    [{"source_labels": ["none"], "target_label": "new", "replacement": "constant"}],
    [{"source_labels": ["env"], "regex": None, "target_label": "empty", "replacement": "matched nothing"}],
    [{"source_labels": ["MiXed"], "target_label": "upper", "action": "uppercase"}],
    [{"source_labels": ["MiXed"], "target_label": "lower", "action": "lowercase"}],
    [{"source_labels": ["none"], "target_label": "env", "action": "uppercase"}],
    [{"source_labels": ["env", "__address__"], "modulus": 7, "target_label": "shard", "action": "hashmod"}],
    [{"modulus": 18446744073709551615, "target_label": "shard", "action": "hashmod"}],
    [{"regex": "__meta_(.+)", "action": "labelmap"}],
    [{"regex": "__meta_(.)_(.+)", "replacement": "m_${2}_$1", "action": "labelmap"}],
    [{"regex": "(team|tier)", "replacement": "env", "action": "labelmap"}],
    [{"regex": "team|tier", "action": "labeldrop"}],
    [{"regex": "__.*|job|env", "action": "labelkeep"}],
    [{"source_labels": ["__address__"], "target_label": "__param_target"},
     {"source_labels": ["__param_target"], "target_label": "instance"},
     {"target_label": "__metrics_path__", "replacement": "probe"}],
    [{"target_label": "job", "replacement": "renamed"}],
    [{"target_label": "job", "replacement": ""}],
    [{"target_label": "instance", "replacement": ""}],
    [{"target_label": "__scheme__", "replacement": "ftp"}],
    [{"target_label": "__address__", "replacement": "nowhere.example/x"}],
    [{"target_label": "__address__", "replacement": ""}],
    [{"target_label": "__scrape_interval__", "replacement": "45s"}, {"target_label": "__tmp_x", "replacement": "gone"}],
    [{"target_label": "__scrape_timeout__", "replacement": "45m"}],
    [{"target_label": "__scrape_interval__", "replacement": "never"}],
    [{"source_labels": ["__scrape_interval__", "__scrape_timeout__", "__param_p"], "target_label": "shown"}],
    [{"source_labels": ["env"], "regex": "(?i)PROD|t.st", "target_label": "hit", "replacement": "yes"}],
    [{"source_labels": ["env"], "regex": "[[:alpha:]]{4}", "target_label": "hit", "replacement": "yes"}],
    [{"source_labels": ["__address__"], "regex": "([^:]+)(?::\\d+)?", "target_label": "host", "replacement": "$1"}],
]  # fmt: skip

SERIES_RULES: list[list[dict[str, Any]]] = [
    [{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}],
    [{"source_labels": ["__name__"], "regex": "go_(.*)", "target_label": "__name__", "replacement": "golang_$1"}],
    [{"regex": "path|le", "action": "labeldrop"}],
    [{"regex": "__name__|job|path", "action": "labelkeep"}],
    [{"source_labels": ["job", "path"], "target_label": "place"}],
    [{"regex": "exported_(.*)", "action": "labelmap"}],
    [{"source_labels": ["path"], "modulus": 2, "target_label": "shard", "action": "hashmod"},
     {"source_labels": ["shard"], "regex": "0", "action": "keep"}],
    [{"source_labels": ["path"], "regex": "/api/(.*)", "target_label": "path", "replacement": "$1"}],
    [{"source_labels": ["__name__"], "regex": ".*", "action": "drop"}],
    [{"target_label": "__name__", "replacement": ""}],
    [{"source_labels": ["path"], "target_label": "path", "action": "uppercase"}],
]  # fmt: skip

TEXT = """\
go_goroutines 7
go_gc_seconds{quantile="0.5"} 0.25
http_requests_total{path="/api/a",code="200"} 1
http_requests_total{path="/api/b",code="200"} 2
http_requests_total{path="/login",code="500"} 3
latency_bucket{le="1",path="/x"} 4
latency_bucket{le="+Inf",path="/x"} 5
own{job="theirs",exported_job="older"} 6
"""


async def prometheus(folder: Path, config: Any, ask: Any) -> Any:
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    argv = [require("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    async with running([*argv, f"--web.listen-address=127.0.0.1:{port}"], f"{base}/-/ready"):
        async with asyncio.timeout(40):
            while True:
                answer = await asyncio.to_thread(ask, base)
                if answer is not None:
                    return answer
                await asyncio.sleep(0.1)


def key_of(labels: Mapping[str, str]) -> Key:
    return tuple(sorted((name, value) for name, value in labels.items() if value))


async def test_the_same_targets_are_kept_dropped_and_named(tmp_path: Path) -> None:
    groups = yaml.safe_load(json.dumps(TARGETS).replace("ADDRESS", "127.0.0.1:1"))
    jobs = [
        {"job_name": f"job{number}", "params": {"p": ["q"]}, "static_configs": groups, "relabel_configs": rules}
        for number, rules in enumerate(TARGET_RULES)
    ]
    quiet = [number for number, rules in enumerate(TARGET_RULES) if may_have_no_target(rules)]

    def ask(base: str) -> Any:
        data = json.loads(get(f"{base}/api/v1/targets"))["data"]
        known = {one["scrapePool"] for one in data["activeTargets"]}
        known |= {one["discoveredLabels"]["job"] for one in data["droppedTargets"]}
        return data if len(known) >= len(jobs) - len(quiet) else None

    data = await prometheus(tmp_path, {"global": {"scrape_interval": "1m"}, "scrape_configs": jobs}, ask)
    plugin = ScrapePlugin()
    context = CollectorContext(SystemClock(), 60.0, 10.0, tmp_path, CollectorRegistry(), "host")
    for job, rules in zip(jobs, TARGET_RULES, strict=True):
        [discovery] = plugin.discover([ScrapeConfig.model_validate(job)], context)
        offer = discovery.offer([])
        name = job["job_name"]
        # Their discovered labels are not compared: 2.42 lets rules write into them.
        active = [one for one in data["activeTargets"] if one["scrapePool"] == name]
        theirs = {(key_of(one["labels"]), place(one["scrapeUrl"])) for one in active}
        ours = {(key_of(one.target_labels), place(str(getattr(one, "url", "") or ""))) for one in offer.collectors}
        if any(rule.get("replacement") == "ftp" for rule in rules):
            assert {labels for labels, _ in ours} == {labels for labels, _ in theirs}
        else:
            assert ours == theirs, rules
        gone = [one["discoveredLabels"] for one in data["droppedTargets"]]
        assert {key_of(labels) for labels in offer.dropped} == {key_of(one) for one in gone if one["job"] == name}, (
            rules
        )


def may_have_no_target(rules: list[dict[str, Any]]) -> bool:
    settings = ("__address__", "__scrape_timeout__", "__scrape_interval__", "__scheme__")
    return any(rule.get("target_label") in settings for rule in rules)


def place(text: str) -> tuple[str, Key]:
    url = URL(text)
    return str(url.with_query(None)), tuple(sorted(url.query.items()))


async def test_the_same_series_are_kept_dropped_and_named(tmp_path: Path) -> None:
    async def target(_request: web.Request) -> web.Response:
        return web.Response(text=TEXT, headers={"Content-Type": "text/plain; version=0.0.4"})

    async with serving(target) as port:
        jobs = [
            {
                "job_name": f"job{number}-{honor}",
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "honor_labels": honor,
                "sample_limit": 7,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                "metric_relabel_configs": rules,
            }
            for number, rules in enumerate(SERIES_RULES)
            for honor in (False, True)
        ]
        query = urlencode({"query": '{__name__=~".+"}'})

        def ask(base: str) -> dict[Labels, str] | None:
            answer = json.loads(get(f"{base}/api/v1/query?{query}"))
            found = {labels_of(one["metric"]): one["value"][1] for one in answer["data"]["result"]}
            names = [dict(one)["__name__"] for one in found]
            added = [float(value) for one, value in found.items() if dict(one)["__name__"] == "scrape_series_added"]
            return found if names.count("up") >= len(jobs) and not any(added) else None

        theirs = await prometheus(tmp_path, {"scrape_configs": jobs}, ask)
        ours = await by_us(jobs, tmp_path)
    assert set(ours) == set(theirs)
    up = {dict(one)["job"]: value for one, value in ours.items() if dict(one)["__name__"] == "up"}
    for labels, value in ours.items():
        name, job = dict(labels)["__name__"], dict(labels).get("job", "")
        # When a scrape failed for its content, Prometheus still tells how many samples it had read.
        if name != "scrape_duration_seconds" and (name == "up" or up.get(job, 1.0)):
            assert value == float(theirs[labels]), labels


async def by_us(jobs: list[Any], folder: Path) -> dict[Labels, float]:
    context = CollectorContext(SystemClock(), 1.0, 1.0, folder, CollectorRegistry(), "host")
    frames: dict[str, list[Frame]] = {}
    manager = CollectorManager(
        context.clock,
        Tasks(context.clock),
        context.registry,
        lambda frame: frames.setdefault(frame.source, []).append(frame),
        lambda _source, _ms: None,
    )
    manager.apply(ScrapePlugin().build([ScrapeConfig.model_validate(job) for job in jobs], context))
    await manager.start()
    async with asyncio.timeout(30):
        while len(frames) < len(jobs) or any(len(some) < 2 for some in frames.values()):
            await asyncio.sleep(0.05)
    await manager.stop()
    return {
        labels: value
        for some in frames.values()
        for labels, value in zip(some[-1].layout.series, some[-1].values.tolist(), strict=True)
    }
