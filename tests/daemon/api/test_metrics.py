"""/metrics: what the daemon measures, and how it is itself."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from collectors.collector import Readings
from metrics.frame import Family, Layout, MetricType
from metrics.label import labels_of
from tests.components import require
from tests.daemon.api.conftest import Served

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def _measure(served: Served) -> None:
    layout = Layout((labels_of({"__name__": "node_load1"}),))
    families = {"node_load1": Family("node_load1", MetricType.GAUGE, "1 minute load average.")}
    served.view.collectors.readings = [("system", Readings(layout, np.array([0.5]), families))]


async def test_measurements_and_own_metrics_are_shown(served: Served) -> None:
    _measure(served)
    await served.get("overview")
    async with served.client.get(served.url("/metrics")) as response:
        assert response.content_type == "text/plain"
        families = {family.name: family for family in text_string_to_metric_families(await response.text())}
    assert families["node_load1"].samples[0].value == 0.5
    assert "watchkeeper_http_requests" in families


async def test_openmetrics_comes_where_it_is_asked_for(served: Served) -> None:
    _measure(served)
    async with served.client.get(served.url("/metrics"), headers={"Accept": OPENMETRICS}) as response:
        assert response.content_type == "application/openmetrics-text"
        assert any(family.name == "node_load1" for family in parse_openmetrics(await response.text()))  # type: ignore[no-untyped-call]


async def test_a_scraper_that_takes_gzip_gets_it(served: Served) -> None:
    await served.get("/metrics-are-only-long-enough-after-some-requests")
    async with served.client.get(served.url("/metrics"), headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert "watchkeeper_http_requests_total" in await response.text()


@pytest.mark.component("promtool")
async def test_promtool_finds_nothing_wrong(served: Served) -> None:
    promtool = require("promtool")
    await served.get("overview")
    async with served.client.get(served.url("/metrics")) as response:
        body = await response.read()
    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
