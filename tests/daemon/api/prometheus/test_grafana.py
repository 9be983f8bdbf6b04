"""The requests that Grafana's Prometheus data source makes.

Which they are, with which parameters and headers, was read in Grafana's own source (grafana/grafana: pkg/promlib and
packages/grafana-prometheus, main of 2025): the backend sends forms by POST, except to the addresses that take GET only.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import yaml

from metrics.frame import Family, Frame, Layout, MetricType
from metrics.label import labels_of
from metrics.promql.engine import Engine
from metrics.promql.parse import parse
from tests.daemon.api.conftest import Serve, Served
from tests.daemon.running import RunningDaemon, running_daemon

ROOT = Path(__file__).parents[4]
DASHBOARDS = sorted((ROOT / "grafana-dashboards").glob("*.json"))

HEADERS = {
    "User-Agent": "Grafana/12.1.0",
    "Accept-Encoding": "gzip",
    "X-Datasource-Uid": "watchkeeper",
    "X-Dashboard-Uid": "watchkeeper-host",
    "X-Panel-Id": "5",
    "X-Grafana-Org-Id": "1",
    "X-Query-Group-Id": "3f0b",
    "X-Grafana-Device-Id": "d1",
    "X-Forwarded-For": "192.0.2.7",
}

SECONDS = 600
STEP = 15


@pytest.fixture
async def asked(serve: Serve) -> AsyncIterator[Served]:
    """A server over a store with ten minutes of a shop."""
    served = await serve()
    view = served.view
    view.engine = Engine(view.store)
    series = [
        labels_of({"__name__": "shop_requests_total", "job": "shop", "instance": "a:1", "code": code})
        for code in ("200", "500")
    ]
    series += [labels_of({"__name__": "up", "job": "shop", "instance": "a:1"})]
    series += [labels_of({"__name__": "shop_wärme", "job": "shop", "odd.label": "x/y"})]
    layout = Layout(tuple(series))
    families = {"shop_requests_total": Family("shop_requests_total", MetricType.COUNTER, "Requests answered.")}
    start = round(served.clock.now()) - SECONDS
    for passed in range(0, SECONDS + 1, STEP):
        values = np.array([10.0 * passed, passed / 15, 1.0, 20.5])
        frame = Frame("scrape/shop/a:1", (start + passed) * 1000, layout, values, families=families)
        view.store.append(frame)
        view.metadata.note(frame)
    yield served


@dataclass(frozen=True)
class Request:
    """A request as Grafana makes it; `{start}` and `{end}` in a parameter stand for the dashboard's time range."""

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    async def send(self, served: Served, **headers: str) -> Any:
        end = served.clock.now()
        times = {"start": f"{end - SECONDS:g}", "end": f"{end:.3f}"}
        filled = {
            name: value.format(**times) if value in ("{start}", "{end}") else value
            for name, value in self.parameters.items()
        }
        options: dict[str, Any] = {"data" if self.method == "POST" else "params": filled}
        address = served.url(f"/api/v1/{self.path}")
        async with served.client.request(self.method, address, headers=HEADERS | headers, **options) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "application/json"
            document = await response.json()
        assert document["status"] == "success"
        return document["data"]


RANGE = {"start": "{start}", "end": "{end}"}
LIMIT = {"limit": "40000"}


async def test_save_and_test_finds_a_prometheus(asked: Served) -> None:
    data = await Request("POST", "query", {"query": "1+1", "time": "4"}).send(asked)
    assert data == {"resultType": "scalar", "result": [4, "2"]}
    build = await Request("GET", "status/buildinfo").send(asked)
    assert "features" not in build  # with features it would be taken for Mimir, whose ruler API we have not
    assert tuple(map(int, build["version"].split("."))) >= (2, 24, 0)  # before, labels took no match[]
    assert asked.view.version in build["revision"]


async def test_a_panel_is_drawn_from_a_range(asked: Served) -> None:
    query = {"query": "sum by (code) (rate(shop_requests_total[1m0s]))", "step": "15", **RANGE}
    data = await Request("POST", "query_range", query).send(asked)
    assert data["resultType"] == "matrix"
    assert [row["metric"] for row in data["result"]] == [{"code": "200"}, {"code": "500"}]
    for row in data["result"]:
        assert all(isinstance(time, int | float) and isinstance(value, str) for time, value in row["values"])
    assert float(data["result"][0]["values"][-1][1]) == pytest.approx(10)


@pytest.mark.parametrize("step", ["15", "0.5", "60.25", "1m", "15s"])
async def test_a_step_is_a_number_or_a_duration(asked: Served, step: str) -> None:
    data = await Request("POST", "query_range", {"query": "up", "step": step, **RANGE}).send(asked)
    assert data["result"]


async def test_a_table_or_an_alert_rule_asks_for_one_moment(asked: Served) -> None:
    query = {"query": 'shop_requests_total{code="500"}', "time": "{end}", "timeout": "60s"}
    data = await Request("POST", "query", query).send(asked, FromAlert="true", **{"X-Rule-Uid": "r1"})
    assert data["resultType"] == "vector"
    assert data["result"][0]["value"][1] == "40"


async def test_annotations_ask_in_steps_of_a_minute(asked: Served) -> None:
    query = {"query": 'ALERTS{alertstate="firing"}', "step": "60", **RANGE}
    assert await Request("POST", "query_range", query).send(asked) == {"resultType": "matrix", "result": []}


async def test_exemplars_are_asked_for_beside_the_panel(asked: Served) -> None:
    query = {"query": "rate(shop_requests_total[1m])", **RANGE}
    assert await Request("POST", "query_exemplars", query).send(asked) == []


async def test_the_metric_browser_lists_metrics_labels_and_values(asked: Served) -> None:
    match = {"match[]": '{job="shop"}'}
    names = await Request("GET", "label/__name__/values", {**LIMIT, **RANGE}).send(asked)
    assert names == ["shop_requests_total", "shop_wärme", "up"]
    assert await Request("POST", "labels", {**LIMIT, **RANGE}).send(asked) == [
        "__name__", "code", "instance", "job", "odd.label",
    ]  # fmt: skip
    assert await Request("POST", "labels", {**LIMIT, **RANGE, "match[]": "up"}).send(asked) == [
        "__name__", "instance", "job",
    ]  # fmt: skip
    assert await Request("GET", "label/code/values", {**LIMIT, **RANGE, **match}).send(asked) == ["200", "500"]
    assert await Request("GET", "label/U__odd_2e_label/values", {**LIMIT, **RANGE, **match}).send(asked) == ["x/y"]


async def test_series_are_listed_for_older_setups(asked: Served) -> None:
    found = await Request("POST", "series", {**RANGE, **LIMIT, "match[]": '{__name__!=""}'}).send(asked)
    assert len(found) == 4
    assert all(isinstance(one, dict) and one["__name__"] for one in found)


async def test_the_editor_shows_type_and_help(asked: Served) -> None:
    data = await Request("GET", "metadata", LIMIT).send(asked)
    assert data == {"shop_requests_total": [{"type": "counter", "help": "Requests answered.", "unit": ""}]}


async def test_variables_are_filled_by_label_values_and_results(asked: Served) -> None:
    parameters = {**RANGE, "match[]": "up"}
    assert await Request("GET", "label/instance/values", parameters).send(asked) == ["a:1"]
    data = await Request("GET", "query", {"query": "count(up)", "time": "{end}"}).send(asked)
    assert data["result"][0]["value"][1] == "1"


async def test_recording_rules_and_alerts_are_shown(asked: Served) -> None:
    assert await Request("GET", "rules").send(asked) == {"groups": []}
    assert await Request("GET", "rules", {"type": "alert", "exclude_alerts": "false"}).send(asked) == {"groups": []}
    assert await Request("GET", "alerts").send(asked) == {"alerts": []}


async def test_a_mistake_in_the_editor_is_told_in_words(asked: Served) -> None:
    async with asked.client.post(
        asked.url("/api/v1/query_range"), data={"query": "sum(", "start": "1", "end": "2", "step": "1"}, headers=HEADERS
    ) as response:
        assert response.status == 400
        document = await response.json()
    assert document["status"] == "error"
    assert isinstance(document["error"], str)
    assert isinstance(document["errorType"], str)


async def test_grafana_signs_in_with_the_token_as_password(serve: Serve) -> None:
    served = await serve(token="hunter2")
    address = served.url("/api/v1/query")
    async with served.client.post(address, data={"query": "1+1", "time": "4"}, headers=HEADERS) as response:
        assert response.status == 401
        assert isinstance((await response.json())["error"], str)
    headers = {**HEADERS, "Authorization": "Basic Z3JhZmFuYTpodW50ZXIy"}
    async with served.client.post(address, data={"query": "1+1", "time": "4"}, headers=headers) as response:
        assert response.status == 200


# The dashboards and the page about it all.


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in dashboard["annotations"]["list"])


def interpolated(expression: str, instance: str) -> str:
    """Return an expression as Grafana sends it."""
    return expression.replace("$__rate_interval", "1m0s").replace("$instance", instance)


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.name)
def test_every_expression_of_a_dashboard_is_valid(file: Path) -> None:
    found = list(expressions(json.loads(file.read_text())))
    assert found
    for expression in found:
        parse(interpolated(expression, "watch-1"))


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.name)
def test_a_dashboard_can_be_imported_anywhere(file: Path) -> None:
    dashboard = json.loads(file.read_text())
    assert "__inputs" not in dashboard
    assert dashboard["uid"].startswith("watchkeeper-")
    assert dashboard["templating"]["list"][0]["name"] == "datasource"
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    sources = [panel["datasource"] for panel in dashboard["panels"]]
    sources += [target["datasource"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_what_the_documents_provision_is_valid() -> None:
    text = (ROOT / "docs" / "grafana.md").read_text()
    source, dashboards = (
        yaml.safe_load(block) for block in re.findall(r"```yaml provisioning\n(.*?)```", text, re.DOTALL)
    )
    (described,) = source["datasources"]
    assert (described["uid"], described["type"], described["access"]) == ("watchkeeper", "prometheus", "proxy")
    assert described["jsonData"]["httpMethod"] == "POST"
    assert dashboards["providers"][0]["options"]["path"].endswith("share/watchkeeper/grafana-dashboards")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    with running_daemon(tmp_path_factory.mktemp("grafana"), "global: {scrape_interval: 1s}\n") as daemon:
        query = "/api/v1/query?query=" + quote("rate(watchkeeper_store_samples_appended_total[5s])")
        daemon.wait("two samples of everything", lambda: daemon.get(query)["data"]["result"])
        yield daemon


@pytest.mark.slow
@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.name)
def test_every_panel_has_an_answer_from_the_daemon(file: Path, daemon: RunningDaemon) -> None:
    instance = daemon.get("/api/v1/label/instance/values?match[]=node_boot_time_seconds")["data"][0]
    empty = []  # a machine may have no alert, no network and no disk of its own
    for expression in expressions(json.loads(file.read_text())):
        query = quote(interpolated(expression, instance))
        document = daemon.get(f"/api/v1/query?query={query}")
        assert document["status"] == "success"
        if not document["data"]["result"] and "ALERTS" not in expression and "device" not in expression:
            empty.append(expression)
    assert empty == []
