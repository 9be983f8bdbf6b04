"""Side by side with a real Prometheus: the same job, read from the same file, gives the same series."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from aiohttp import web
from prometheus_client import CollectorRegistry

from collectors.collector import CollectorPlugin
from collectors.context import CollectorContext
from collectors.manager import CollectorManager
from collectors.scrape import ScrapePlugin
from core.clock import SystemClock
from core.tasks import Tasks
from metrics.frame import Frame
from metrics.label import Labels, labels_of
from tests.collectors.peer import free_port, get, running
from tests.collectors.section import validated
from tests.collectors.server import serving
from tests.components import require

pytestmark = [pytest.mark.slow, pytest.mark.component("prometheus")]

TEXT = """\
# TYPE a counter
a_total{job="theirs",instance="elsewhere"} 1
b{exported_job="older",job="theirs"} 2
c{empty="",Zone="z"} 3
d{quantile="0.5"} NaN
e{text="quote \\" slash \\\\ line \\n umlaut ä"} 5e3
f +Inf
"""
JOBS = """
- {job_name: plain, static_configs: [{targets: [ADDRESS], labels: {service: shop}}]}
- {job_name: honored, honor_labels: true, static_configs: [{targets: [ADDRESS]}]}
- {job_name: relabelled, static_configs: [{targets: [ADDRESS], labels: {instance: front, a: b}}]}
- {job_name: broken, metrics_path: /broken, static_configs: [{targets: [ADDRESS]}]}
- {job_name: limited, sample_limit: 2, static_configs: [{targets: [ADDRESS]}]}
- {job_name: query, metrics_path: /echo, params: {m: [x, y]}, static_configs: [{targets: [ADDRESS]}]}
"""

Values = dict[Labels, str]


async def target(request: web.Request) -> web.Response:
    if request.path == "/broken":
        return web.Response(text="a 1\nnot a metric line\n")
    if request.path == "/echo":
        return web.Response(text=f'query{{text="{request.query_string}"}} 1\n')
    return web.Response(text=TEXT, headers={"Content-Type": "text/plain; version=0.0.4"})


async def by_prometheus(jobs: list[Any], folder: Path) -> Values:
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": jobs}))
    port = free_port()
    argv = [require("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    query = urlencode({"query": '{job!=""}'})
    async with running([*argv, f"--web.listen-address=127.0.0.1:{port}"], f"http://127.0.0.1:{port}/-/ready"):
        async with asyncio.timeout(30):
            while True:
                answer = json.loads(await asyncio.to_thread(get, f"http://127.0.0.1:{port}/api/v1/query?{query}"))
                found = {labels_of(one["metric"]): one["value"][1] for one in answer["data"]["result"]}
                # Two scrapes, because the first tells that series were added.
                ups = [one for one in found if dict(one)["__name__"] == "up"]
                added = [float(v) for one, v in found.items() if dict(one)["__name__"] == "scrape_series_added"]
                if len(ups) == len(jobs) and not any(added):
                    return found
                await asyncio.sleep(0.1)


async def by_us(jobs: list[Any], folder: Path) -> Values:
    plugin: CollectorPlugin = ScrapePlugin()
    context = CollectorContext(SystemClock(), 1.0, 1.0, folder, CollectorRegistry(), "host")
    frames: dict[str, list[Frame]] = {}
    tasks = Tasks(context.clock)

    def on_frame(frame: Frame) -> None:
        frames.setdefault(frame.source, []).append(frame)

    manager = CollectorManager(context.clock, tasks, context.registry, on_frame, lambda _source, _ms: None)
    manager.apply(plugin.build(validated(plugin, jobs), context))
    await manager.start()
    async with asyncio.timeout(30):
        while len(frames) < len(jobs) or any(len(some) < 2 for some in frames.values()):
            await asyncio.sleep(0.05)
    await manager.stop()
    return {
        labels: str(value)
        for some in frames.values()
        for labels, value in zip(some[-1].layout.series, some[-1].values.tolist(), strict=True)
    }


async def test_series_labels_and_values_are_those_of_prometheus(tmp_path: Path) -> None:
    async with serving(target) as port:
        jobs = [
            {"scrape_interval": "1s", **job} for job in yaml.safe_load(JOBS.replace("ADDRESS", f"'127.0.0.1:{port}'"))
        ]
        theirs, ours = await asyncio.gather(by_prometheus(jobs, tmp_path), by_us(jobs, tmp_path))
    assert set(ours) == set(theirs)
    # When a scrape failed for its content, Prometheus still tells how many samples it had read.
    differs = ("scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling")
    for labels, value in ours.items():
        name, job = dict(labels)["__name__"], dict(labels)["job"]
        if name != "scrape_duration_seconds" and not (job in ("broken", "limited") and name in differs):
            assert float(value) == pytest.approx(float(theirs[labels]), nan_ok=True), labels
