"""The same questions to a real Prometheus and to the daemon, over the same scraped target."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from metrics.exposition import parse
from metrics.label import Labels
from tests.components import require
from tests.daemon.running import RunningDaemon, free_port, running_daemon

EXPOSITION = """\
# HELP shop_requests_total Requests answered.
# TYPE shop_requests_total counter
shop_requests_total{code="200",path="/"} 1027
shop_requests_total{code="500",path="/"} 3
# TYPE shop_temperature gauge
shop_temperature{kind="tiny"} 1e-9
shop_temperature{kind="small"} 0.000001
shop_temperature{kind="negative zero"} -0
shop_temperature{kind="third"} 0.3333333333333333
shop_temperature{kind="large"} 1e20
shop_temperature{kind="huge"} 1e+21
shop_temperature{kind="exact"} 123456789.125
shop_temperature{kind="none"} NaN
shop_temperature{kind="above"} +Inf
shop_temperature{kind="below"} -Inf
shop_temperature{kind="<&> \\"quoted\\" \\\\ é"} 1
# TYPE shop_seconds histogram
shop_seconds_bucket{le="0.1"} 3
shop_seconds_bucket{le="+Inf"} 5
shop_seconds_sum 1.5
shop_seconds_count 5
"""

RULES = """\
groups:
- name: shop
  interval: 1s
  limit: 50
  rules:
  - alert: Always
    expr: 'shop_requests_total >   1'
    labels: {severity: page}
    annotations: {summary: 'x {{ $labels.code }}'}
  - {alert: Waiting, expr: vector(84.25), for: 1h, keep_firing_for: 0s}
  - {alert: Never, expr: absent(up) == 2}
  - {record: 'shop:requests:sum', expr: sum by(job)(shop_requests_total), labels: {team: a}}
  - {record: 'shop:broken', expr: 'shop_requests_total + on(job) shop_requests_total'}
- {name: empty, rules: []}
"""

SCRAPE = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{site: berlin, env: other}}}}
rule_files: ['{rules}']
scrape_configs:
- {{job_name: shop, static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{env: test}}}}]}}
- {{job_name: dead, static_configs: [{{targets: ['127.0.0.1:1']}}]}}
"""


class Target(BaseHTTPRequestHandler):
    """Serves the exposition."""

    def do_GET(self) -> None:
        body = EXPOSITION.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        pass


@contextmanager
def target() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    file = folder / "prometheus.yml"
    file.write_text(config)
    port = free_port()
    command = [require("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def ask(url: str, method: str, path: str, parameters: list[tuple[str, str]], accept: str = "") -> Reply:
    host = urlsplit(url).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    form = urlencode(parameters)
    try:
        if method == "POST":
            connection.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            connection.request(method, f"{path}?{form}" if form else path, headers={"Accept": accept} if accept else {})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers.get("Content-Type", ""), answer.read().decode())
    finally:
        connection.close()


@dataclass(frozen=True)
class Peers:
    """Both servers, and a moment at which both have scraped the target for a while."""

    daemon: str
    prometheus: str
    now: int

    def ask(self, method: str, path: str, parameters: list[tuple[str, str]], accept: str = "") -> tuple[Reply, Reply]:
        filled = [
            (name, value.replace("NOW-3", str(self.now - 3)).replace("NOW", str(self.now)))
            for name, value in parameters
        ]
        path = path if path.startswith("/") else f"/api/v1/{path}"
        return tuple(ask(url, method, path, filled, accept) for url in (self.daemon, self.prometheus))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("peers")
    rules = folder / "rules.yml"
    rules.write_text(RULES)
    with target() as port:
        config = SCRAPE.format(rules=rules, port=port)
        with prometheus(folder, config) as url, running_daemon(folder, config) as daemon:
            wait_for(daemon, url)
            yield Peers(daemon.url, url, int(time.time()))


def wait_for(daemon: RunningDaemon, url: str) -> None:
    """Wait until both have samples of five seconds and alerts."""
    old = [("query", "shop_requests_total offset 5s and on() ALERTS{alertname='Always'}")]

    def ready() -> bool:
        replies = [ask(one, "GET", "/api/v1/query", old) for one in (daemon.url, url)]
        return all(reply.status == 200 and reply.document["data"]["result"] for reply in replies)

    daemon.wait("both to have scraped for a while", ready)


SAME = [
    *(
        ("query", [("query", query), ("time", "NOW")])
        for query in (
            "shop_requests_total", "shop_temperature", "sum by (job) (shop_requests_total)", "1", "1.5e-9", '"a<b>"',
            "shop_requests_total[2s] offset -1h", "histogram_quantile(0.5, shop_seconds_bucket)", "1/0", "-1/0", "0/0",
            "topk(1, shop_requests_total)", "up{job='shop'}", "up{job='dead'}", "nothing", "vector(1)", "-0",
            "count(scrape_duration_seconds{job='shop'})", "shop:requests:sum", "time()",
            "label_replace(up{job='dead'},'instance','','','')",
            "ALERTS{alertname='Waiting'}", "sort_desc(shop_temperature)", "absent(nothing{a='b'})",
        )
    ),
    ("query_range", [("query", "sum(shop_requests_total)"), ("start", "NOW-3"), ("end", "NOW"), ("step", "1")]),
    ("query_range", [("query", "shop_temperature"), ("start", "NOW-3"), ("end", "NOW"), ("step", "1s")]),
    ("query_range", [("query", "nothing"), ("start", "NOW-3"), ("end", "NOW"), ("step", "500ms")]),
    ("query_range", [("query", "time()"), ("start", "1.5"), ("end", "4.25"), ("step", "0.75")]),
    ("query_range", [("query", "1"), ("start", "0"), ("end", "11000"), ("step", "1")]),
    ("query", [("query", "1"), ("time", "1.23456")]),
    ("query", [("query", "1"), ("time", "-5.5")]),
    ("query", [("query", "1"), ("time", "2015-07-01T20:10:51.781+05:00")]),
    ("query", [("query", "1"), ("time", "2015-07-01T20:10:51.1234567Z")]),
    ("query", [("query", "1"), ("query", "2"), ("time", "7")]),
    ("query_exemplars", [("query", "shop_requests_total"), ("start", "0"), ("end", "1")]),
    ("series", [("match[]", "shop_requests_total")]),
    ("series", [("match[]", '{job="shop",le=~".+"}'), ("match[]", "shop_temperature"), ("start", "NOW-3")]),
    ("series", [("match[]", "nothing")]),
    ("series", [("match[]", "up"), ("start", "10"), ("end", "5")]),
    ("labels", [("match[]", '{job="shop",__name__=~"shop_.*"}')]),
    ("labels", [("match[]", "shop_temperature"), ("match[]", "nothing"), ("end", "NOW")]),
    ("labels", [("start", "10"), ("end", "20")]),
    ("label/code/values", [("match[]", '{job="shop"}')]),
    ("label/nothing/values", []),
    ("label/__name__/values", [("match[]", '{env="test",alertname=""}')]),
    ("label/kind/values", [("match[]", "shop_temperature"), ("start", "NOW-3"), ("end", "NOW")]),
    ("metadata", [("metric", "shop_requests_total")]),
    ("metadata", [("metric", "shop_seconds"), ("limit", "1")]),
    ("metadata", [("metric", "nothing")]),
    ("targets/metadata", [("match_target", '{job="shop"}'), ("metric", "shop_temperature")]),
    ("targets/metadata", [("match_target", '{job="nothing"}')]),
    *(
        ("format_query", [("query", query)])
        for query in ("up{}", "sum(rate(a_b[5m]))by(job)", "a+on(b)group_left(c)d", "-a offset 5m", '{__name__="a b"}')
    ),
    ("targets", [("scrapePool", "nothing")]),
    ("targets", [("state", "dropped")]),
    ("targets", [("state", "nonsense")]),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize(("path", "parameters"), SAME, ids=lambda value: str(value)[:70])
def test_both_answer_the_same(peers: Peers, path: str, parameters: list[tuple[str, str]]) -> None:
    methods = ("GET", "POST") if path.partition("/")[0] in ("query", "query_range", "series", "labels") else ("GET",)
    for method in methods:
        ours, theirs = peers.ask(method, path, parameters)
        assert (ours.status, ours.content_type) == (theirs.status, theirs.content_type) == (200, "application/json")
        assert comparable(ours.document) == comparable(theirs.document)


def comparable(document: Any) -> Any:
    """Take out what may differ: the order of an instant vector, hints that later versions give, ages of samples."""
    data = document["data"]
    if isinstance(data, dict) and data.get("resultType") == "vector":
        data = sorted(data["result"], key=lambda row: json.dumps(row["metric"], sort_keys=True))
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key != "droppedTargetCounts"}
    return data


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize("query", ["1", "1e21", "vector(1e-9)", '"x"', "vector(0.5)"])
@pytest.mark.parametrize("time", ["0", "1.5", "1795382884.09", "-0.25", "1e9"])
def test_numbers_and_times_are_written_alike(peers: Peers, query: str, time: str) -> None:
    ours, theirs = peers.ask("GET", "query", [("query", query), ("time", time)])
    assert ours.body == theirs.body


ALIKE = [
    ("query", [("query", "up")]),
    ("query", [("query", "up[5s]")]),
    ("targets", []),
    ("targets", [("state", "active"), ("scrapePool", "shop")]),
    ("targets/metadata", [("match_target", '{job="shop"}')]),
    ("metadata", []),
    ("metadata", [("limit", "2")]),
    ("rules", []),
    ("rules", [("type", "alert")]),
    ("rules", [("type", "record")]),
    ("alerts", []),
    ("labels", []),
    ("label/job/values", []),
    ("status/config", []),
    ("status/flags", []),
    ("status/buildinfo", []),
    ("status/runtimeinfo", []),
    ("status/tsdb", []),
]

MAPS = {"metric", "labels", "annotations", "discoveredLabels", "target"}
"""Keys whose values are mappings with names of their own."""


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize(("path", "parameters"), ALIKE, ids=lambda value: str(value)[:70])
def test_answers_have_the_keys_and_types_that_prometheus_gives(
    peers: Peers, path: str, parameters: list[tuple[str, str]]
) -> None:
    ours, theirs = peers.ask("GET", path, parameters)
    assert (ours.status, ours.content_type) == (theirs.status, theirs.content_type)
    is_map = path in ("status/flags", "metadata")
    lacks = list(missing(theirs.document, ours.document, "", is_map=is_map))
    assert lacks == []


def missing(theirs: Any, ours: Any, place: str, *, is_map: bool = False) -> Iterator[str]:
    """Yield what Prometheus' document has and ours has not, or has of another type."""
    if kind(theirs) != kind(ours):
        yield f"{place}: {kind(theirs)} there, {kind(ours)} here"
    elif isinstance(theirs, dict):
        if place.rpartition(".")[2] in MAPS or (is_map and place == ".data"):
            if theirs:
                yield from missing(next(iter(theirs.values())), next(iter(ours.values()), None), f"{place}.*")
            return
        for key, value in theirs.items():
            if key not in ours:
                yield f"{place}.{key} is not there"
            else:
                yield from missing(value, ours[key], f"{place}.{key}", is_map=is_map)
    elif isinstance(theirs, list):
        for item in theirs:
            tried = [list(missing(item, one, f"{place}[]")) for one in ours]
            if not tried:
                yield f"{place} is empty"
            elif all(tried):
                yield from min(tried, key=len)


def kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


WRONG = [
    ("query", []),
    ("query", [("query", "up{")]),
    ("query", [("query", "up"), ("time", "x")]),
    ("query", [("query", "up"), ("time", "2020-01-01")]),
    ("query", [("query", "up"), ("time", "2020-13-01T00:00:00Z")]),
    ("query", [("query", "up"), ("timeout", "x")]),
    ("query", [("query", "up"), ("timeout", "0")]),
    ("query", [("query", "up"), ("timeout", "-1")]),
    ("query", [("query", "shop_requests_total * on() shop_requests_total")]),
    ("query", [("query", "label_replace(shop_requests_total,'code','','','')")]),
    ("query_range", [("query", "up")]),
    ("query_range", [("query", "up"), ("start", "1")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "2")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "0"), ("step", "1")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "2"), ("step", "0")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "2"), ("step", "-1")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "2"), ("step", "1e20")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "2"), ("step", "5m3x")]),
    ("query_range", [("query", "up"), ("start", "0"), ("end", "11001"), ("step", "1")]),
    ("query_range", [("query", "up[5m]"), ("start", "0"), ("end", "1"), ("step", "1")]),
    ("query_range", [("query", '"a"'), ("start", "0"), ("end", "1"), ("step", "1")]),
    ("query_range", [("query", "up"), ("start", "0"), ("end", "1"), ("step", "1"), ("timeout", "x")]),
    ("query_exemplars", []),
    ("query_exemplars", [("query", "up"), ("start", "5"), ("end", "1")]),
    ("series", []),
    ("series", [("match[]", "up{")]),
    ("series", [("match[]", "{}")]),
    ("series", [("match[]", '{job=~".*"}')]),
    ("series", [("match[]", "rate(up[5m])")]),
    ("series", [("match[]", "up[5m]")]),
    ("series", [("match[]", "up"), ("start", "x")]),
    ("series", [("match[]", "up"), ("end", "x")]),
    ("labels", [("match[]", "{}")]),
    ("labels", [("start", "x")]),
    ("label/job/values", [("match[]", "{")]),
    ("label/job/values", [("end", "x")]),
    ("metadata", [("limit", "x")]),
    ("targets/metadata", [("limit", "x")]),
    ("targets/metadata", [("match_target", "x{")]),
    ("rules", [("type", "nonsense")]),
    ("format_query", []),
    ("format_query", [("query", "sum(")]),
]


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize(("path", "parameters"), WRONG, ids=lambda value: str(value)[:70])
def test_mistakes_have_the_same_status_and_type(peers: Peers, path: str, parameters: list[tuple[str, str]]) -> None:
    ours, theirs = peers.ask("GET", path, parameters)
    assert theirs.status >= 400
    assert (ours.status, ours.content_type) == (theirs.status, theirs.content_type)
    assert ours.document.keys() == theirs.document.keys()
    assert ours.document["errorType"] == theirs.document["errorType"]


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "query"), ("POST", "label/job/values"), ("POST", "targets"), ("POST", "rules"), ("DELETE", "labels"),
     ("GET", "nothing"), ("GET", "status/nothing"), ("GET", "label/job"), ("POST", "status/buildinfo")],
)  # fmt: skip
def test_wrong_addresses_and_methods_have_the_same_status(peers: Peers, method: str, path: str) -> None:
    ours, theirs = peers.ask(method, path, [])
    assert ours.status == theirs.status


def samples(text: str) -> dict[Labels, str]:
    parsed = parse(text.encode(), "text/plain")
    # 0.0 is added because Prometheus writes -0 as 0 there.
    return {labels: str(value + 0.0) for labels, value in zip(parsed.layout.series, parsed.values, strict=True)}


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize(
    "selectors",
    [['{job="shop",__name__=~"shop_.*"}'], ["up", "nothing"], ["shop_temperature", "shop_temperature"], [],
     ['{__name__=~"shop:.*"}'], ["scrape_samples_scraped"]],
)  # fmt: skip
def test_federation_gives_the_same_samples_in_the_same_order(peers: Peers, selectors: list[str]) -> None:
    ours, theirs = peers.ask("GET", "/federate", [("match[]", selector) for selector in selectors])
    assert ours.status == theirs.status == 200
    found, wanted = samples(ours.body), samples(theirs.body)
    own = {labels for labels in found if dict(labels)["job"] in ("system", "watchkeeper")}
    assert {labels: value for labels, value in found.items() if labels not in own} == wanted
    assert headings(ours.body) == headings(theirs.body)
    assert all(abs(time - peers.now * 1000) < 60_000 for time in stamps(ours.body))


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("# TYPE")]


def stamps(text: str) -> list[int]:
    return [int(line.rpartition(" ")[2]) for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.slow
@pytest.mark.component("prometheus")
def test_a_wrong_selector_of_federation_is_told_as_text(peers: Peers) -> None:
    ours, theirs = peers.ask("GET", "/federate", [("match[]", "up{")])
    assert (ours.status, ours.content_type) == (theirs.status, theirs.content_type)
