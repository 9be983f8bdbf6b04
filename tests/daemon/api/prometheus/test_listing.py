"""Series, labels, targets, metadata, rules, alerts, status and federation over a fake daemon."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import AlertState, Severity
from alerting.rule_status import GroupStatus, RuleStatus
from collectors.discovery.discovery import Offer
from daemon.api.prometheus.series import unescape_name
from daemon.api.prometheus.syntax_tree import node_document
from metrics.exposition import parse as parse_exposition
from metrics.frame import STALE, Family, Frame, Layout, MetricType
from metrics.label import labels_of
from metrics.promql.parse import parse
from tests.daemon.api.conftest import Served
from tests.daemon.api.fake_view import NOW, FakeView, make_alert, make_target


def store(
    view: FakeView, at: float, *series: dict[str, str], values: list[float] | None = None, source: str = "s"
) -> None:
    layout = Layout(tuple(labels_of(one) for one in series))
    numbers = np.array(values if values is not None else [1.0] * len(series), dtype=np.float64)
    view.store.append(Frame(source, round(at * 1000), layout, numbers))


async def data(served: Served, path: str) -> Any:
    status, document = await served.get(f"/api/v1/{path}")
    assert (status, document["status"]) == (200, "success")
    return document["data"]


# Series.


async def test_series_come_sorted_each_once_and_only_with_samples_in_the_range(served: Served) -> None:
    store(served.view, 100, {"__name__": "b", "x": "1"}, {"__name__": "a"})
    store(served.view, 200, {"__name__": "a"})
    both = [{"__name__": "a"}, {"__name__": "b", "x": "1"}]
    assert await data(served, 'series?match[]=a&match[]={__name__=~"a|b"}') == both
    assert await data(served, "series?match[]=b&start=50&end=150") == both[1:]
    assert await data(served, "series?match[]=b&start=250") == []
    assert await data(served, "labels?match[]=a") == ["__name__"]
    assert await data(served, "labels") == ["__name__", "x"]
    assert await data(served, "label/x/values") == ["1"]
    assert await data(served, "label/x/values?end=50") == []


async def test_a_limit_of_series_is_told(served: Served) -> None:
    store(served.view, 100, {"__name__": "a"}, {"__name__": "b"})
    _, document = await served.get("/api/v1/label/__name__/values?limit=1")
    assert (document["data"], document["warnings"]) == (["a"], ["results truncated due to limit"])


@pytest.mark.parametrize(
    ("segment", "name"),
    [("job", "job"), ("U__a_2e_b", "a.b"), ("U__a__b", "a_b"), ("U___1F600_", "😀"), ("U__a_zz_", "U__a_zz_"),
     ("U__a_110000_", "U__a_110000_"), ("U___d800_", "U___d800_"), ("U__", ""), ("U__a_", "U__a_")],
)  # fmt: skip
def test_a_name_in_a_path_may_be_written_by_numbers(segment: str, name: str) -> None:
    assert unescape_name(segment) == name


@given(st.text(min_size=1, max_size=20))
def test_every_name_can_be_written_by_numbers(name: str) -> None:
    written = "U__" + "".join(
        "__" if letter == "_" else letter if letter.isascii() and letter.isalnum() else f"_{ord(letter):x}_"
        for letter in name
    )
    has_surrogate = any(0xD800 <= ord(letter) <= 0xDFFF for letter in name)
    assert unescape_name(written) == (written if has_surrogate else name)


# Targets and metadata.


async def test_targets_are_told_as_prometheus_tells_them(served: Served) -> None:
    served.view.collectors.shown = [
        make_target("scrape/shop/127.0.0.1:9000", job="shop", instance="127.0.0.1:9000", health="down",
                    labels={"job": "shop", "instance": "127.0.0.1:9000", "env": "test"}, last_error="refused",
                    last_collected=None, timeout_seconds=10.0, url="http://127.0.0.1:9000/metrics"),
        make_target("system"),
    ]  # fmt: skip
    found = await data(served, "targets?scrapePool=shop")
    assert found["droppedTargets"] == []
    (target,) = found["activeTargets"]
    assert target["discoveredLabels"] == {
        "__address__": "127.0.0.1:9000", "__metrics_path__": "/metrics", "__scheme__": "http",
        "__scrape_interval__": "15s", "__scrape_timeout__": "10s", "job": "shop", "env": "test",
    }  # fmt: skip
    assert target["labels"] == {"job": "shop", "instance": "127.0.0.1:9000", "env": "test"}
    assert target["globalUrl"] == "http://watch-1:9000/metrics"
    assert (target["health"], target["lastError"], target["lastScrape"]) == ("down", "refused", "0001-01-01T00:00:00Z")
    assert len((await data(served, "targets"))["activeTargets"]) == 2
    assert (await data(served, "targets?state=dropped"))["activeTargets"] == []


async def test_dropped_targets_are_told_and_ways_of_finding_them_are_no_targets(served: Served) -> None:
    served.view.collectors.shown = [make_target("discovery/shop/file", plugin="discovery", job="shop")]
    served.view.collectors.offered = {"shop": Offer((), ({"__address__": "a:1"},), 3), "all": Offer(())}
    found = await data(served, "targets")
    assert found["activeTargets"] == []
    assert found["droppedTargets"] == [{"discoveredLabels": {"__address__": "a:1"}, "scrapePool": "shop"}]
    assert found["droppedTargetCounts"] == {"all": 0, "shop": 3}
    assert (await data(served, "targets?state=active"))["droppedTargets"] == []
    assert (await data(served, "targets?state=dropped&scrapePool=all"))["droppedTargets"] == []


async def test_what_a_collector_discovered_is_shown_as_it_is(served: Served) -> None:
    served.view.collectors.shown = [make_target("system", discovered={"__meta_x": "1"})]
    (target,) = (await data(served, "targets"))["activeTargets"]
    assert target["discoveredLabels"] == {"__meta_x": "1"}


def tell(view: FakeView, source: str, *families: Family) -> None:
    told = {family.name: family for family in families}
    view.metadata.note(Frame(source, 0, Layout(()), np.empty(0), families=told))


async def test_metadata_is_told_by_metric_and_by_target(served: Served) -> None:
    served.view.collectors.shown = [make_target("one", labels={"job": "one", "instance": "i"}), make_target("two")]
    counter = Family("a_total", MetricType.COUNTER, "As.", "")
    tell(served.view, "one", counter, Family("b", MetricType.GAUGE))
    tell(served.view, "two", counter, Family("b", MetricType.UNTYPED, "Bs."))
    assert (await data(served, "metadata"))["a_total"] == [{"type": "counter", "help": "As.", "unit": ""}]
    assert len((await data(served, "metadata?metric=b"))["b"]) == 2
    assert len((await data(served, "metadata?metric=b&limit_per_metric=1"))["b"]) == 1
    assert len(await data(served, "metadata?limit=1")) == 1
    assert await data(served, "metadata?metric=c") == {}
    assert len(await data(served, "targets/metadata")) == 4
    (one,) = await data(served, 'targets/metadata?match_target={job="one"}&metric=a_total')
    assert one == {"target": {"job": "one", "instance": "i"}, "type": "counter", "help": "As.", "unit": ""}


# Rules.


def make_rule(name: str, kind: str = "alerting", **changes: Any) -> RuleStatus:
    values: dict[str, Any] = {
        "group": "g", "name": name, "kind": kind, "expr": "up  == 0", "for_seconds": 60.0,
        "keep_firing_for_seconds": 0.0, "labels": {"severity": "page"}, "annotations": {},
        "severity": Severity.CRITICAL, "place": "rules.yml:3", "health": "ok", "last_error": "",
        "last_evaluation": NOW, "evaluation_seconds": 0.001, "alerts": 0,
    }  # fmt: skip
    return RuleStatus(**(values | changes))


@pytest.fixture
def ruled(served: Served) -> Served:
    alerts = (make_alert("Down", state=AlertState.PENDING), make_alert("Down", value=1e-9))
    first = GroupStatus("g", "rules.yml", 15.0, 5, (
        (make_rule("Down"), "up == 0", alerts),
        (make_rule("Quiet", health="error", last_error="too large", labels={}), "x > 1", ()),
        (make_rule("a:b", "recording"), "sum(a)", ()),
    ))  # fmt: skip
    served.view.alerting.grouped = [first, GroupStatus("empty", "other.yml", 60.0, 0, ())]
    return served


async def test_rules_come_by_group_with_their_alerts(ruled: Served) -> None:
    first, second = (await data(ruled, "rules"))["groups"]
    assert (first["name"], first["file"], first["interval"], first["limit"]) == ("g", "rules.yml", 15, 5)
    assert (second["rules"], second["lastEvaluation"]) == ([], "0001-01-01T00:00:00Z")
    down, quiet, recorded = first["rules"]
    assert (down["query"], down["state"], down["duration"], down["type"]) == ("up == 0", "firing", 60, "alerting")
    assert [alert["value"] for alert in down["alerts"]] == ["8.42e+01", "1e-09"]
    assert (quiet["state"], quiet["health"], quiet["lastError"]) == ("inactive", "err", "too large")
    assert recorded["type"] == "recording"
    assert not {"state", "alerts", "annotations", "duration", "lastError"} & recorded.keys()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("type=alert", ["Down", "Quiet"]),
        ("type=record", ["a:b"]),
        ("rule_name[]=Down&rule_name[]=a:b", ["Down", "a:b"]),
        ("rule_group[]=empty", []),
        ("file[]=rules.yml&type=alert", ["Down", "Quiet"]),
        ('match[]={severity="page"}&type=alert', ["Down"]),
    ],
)
async def test_rules_are_chosen(ruled: Served, query: str, names: list[str]) -> None:
    groups = (await data(ruled, f"rules?{query}"))["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"]] == names


async def test_alerts_of_rules_can_be_left_out(ruled: Served) -> None:
    groups = (await data(ruled, "rules?exclude_alerts=true"))["groups"]
    assert groups[0]["rules"][0]["alerts"] == []
    assert groups[0]["rules"][0]["state"] == "firing"
    assert (await ruled.get("/api/v1/rules?exclude_alerts=perhaps"))[0] == 400


async def test_alerts_are_told_as_prometheus_tells_them(served: Served) -> None:
    served.view.alerting.shown = [make_alert("Down"), make_alert("Over", state=AlertState.RESOLVED)]
    (alert,) = (await data(served, "alerts"))["alerts"]
    assert alert == {
        "labels": {"alertname": "Down", "instance": "watch-1"}, "annotations": {"summary": "Down happens"},
        "state": "firing", "activeAt": "2023-11-14T22:08:20Z", "value": "8.42e+01",
    }  # fmt: skip


# Status.


async def test_the_config_is_shown_without_secrets(served: Served) -> None:
    config = {"scrape_configs": [{"basic_auth": {"username": "a", "password": "hunter2"}}]}
    served.view.config = replace(served.view.config, data=config)
    found = await data(served, "status/config")
    assert "hunter2" not in found["yaml"]
    assert yaml.safe_load(found["yaml"])["scrape_configs"][0]["basic_auth"]["username"] == "a"


async def test_a_daemon_without_a_config_file_shows_none(served: Served) -> None:
    assert await data(served, "status/config") == {"yaml": ""}


async def test_flags_build_and_runtime_are_told(served: Served) -> None:
    served.view.config = replace(served.view.config, flags={"storage.tsdb.retention.time": "6h"}, error="bad file")
    flags = await data(served, "status/flags")
    assert flags["storage.tsdb.retention.time"] == "6h"
    assert all(isinstance(value, str) for value in flags.values())
    runtime = await data(served, "status/runtimeinfo")
    assert runtime["reloadConfigSuccess"] is False
    assert runtime["storageRetention"] == "6h"
    assert (await data(served, "status/buildinfo"))["revision"] == "watchkeeper-0.1.0"


async def test_the_size_of_the_store_is_told_with_the_largest_first(served: Served) -> None:
    store(served.view, 100, {"__name__": "a", "x": "1"}, {"__name__": "a", "x": "2"}, {"__name__": "b"})
    found = await data(served, "status/tsdb?limit=1")
    assert found["headStats"] == {
        "numSeries": 3, "numLabelPairs": 4, "chunkCount": 1, "minTime": 100_000, "maxTime": 100_000,
    }  # fmt: skip
    assert found["seriesCountByMetricName"] == [{"name": "a", "value": 2}]
    assert found["seriesCountByLabelValuePair"] == [{"name": "__name__=a", "value": 2}]
    assert found["labelValueCountByLabelName"][0]["value"] == 2


# Federation.


async def federate(served: Served, query: str, accept: str = "") -> tuple[str, str]:
    headers = {"Accept": accept}
    async with served.client.get(served.url(f"/federate?{query}"), headers=headers) as response:
        assert response.status == 200
        return response.headers["Content-Type"], await response.text()


async def test_federation_gives_the_newest_samples_by_name(served: Served) -> None:
    now = served.clock.now()
    store(served.view, now - 30, {"__name__": "b"}, {"__name__": "a", "instance": "i"}, values=[1.0, 2.0])
    store(served.view, now - 15, {"__name__": "b"}, {"__name__": "a", "instance": "i"}, values=[1.5, np.nan])
    kind, text = await federate(served, 'match[]={__name__=~".%2B"}&match[]=a')
    assert kind.startswith("text/plain; version=0.0.4")
    stamp = round((now - 15) * 1000)
    assert text.splitlines() == [
        "# TYPE a untyped", f'a{{instance="i"}} NaN {stamp}', "# TYPE b untyped", f'b{{instance=""}} 1.5 {stamp}',
    ]  # fmt: skip


async def test_federation_adds_external_labels_where_a_series_has_none_of_the_name(served: Served) -> None:
    served.view.config = replace(served.view.config, external_labels={"site": "berlin", "instance": "x", "none": ""})
    store(served.view, served.clock.now(), {"__name__": "a"}, {"__name__": "a", "instance": "i", "site": "rome"})
    _, text = await federate(served, "match[]=a")
    assert [line.partition(" ")[0] for line in text.splitlines()[1:]] == [
        'a{instance="x",site="berlin"}', 'a{instance="i",site="rome"}',
    ]  # fmt: skip


async def test_federation_speaks_openmetrics_too(served: Served) -> None:
    store(served.view, served.clock.now(), {"__name__": "a_total", "instance": "i"})
    kind, text = await federate(served, "match[]=a_total", "application/openmetrics-text;version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")
    assert len(parse_exposition(text.encode(), kind).layout) == 1


async def test_federation_leaves_out_what_has_ended_or_is_old(served: Served) -> None:
    now = served.clock.now()
    store(served.view, now - 400, {"__name__": "old"}, source="old")
    store(served.view, now - 20, {"__name__": "ended"}, source="ended")
    store(served.view, now - 20, {"__name__": "marked"}, source="marked")
    store(served.view, now - 10, {"__name__": "marked"}, values=[STALE], source="marked")
    served.view.store.end_source("ended", round(now * 1000) - 5000)
    assert (await federate(served, 'match[]={__name__!=""}'))[1] == ""
    assert (await federate(served, ""))[1] == ""


# Syntax trees.


@pytest.mark.parametrize(
    "text",
    ["1", "'a'", "up", 'a{b=~"c"} offset 5m', "rate(a[5m])", "max_over_time(a[1h:5m] @ end())", "-(a)", "a @ 5",
     "sum by (x) (a)", "topk(3, a)", "a + on (b) group_left (c) d", "a > bool 1", "quantile without (x) (0.5, a)"],
)  # fmt: skip
def test_every_kind_of_node_has_a_document(text: str) -> None:
    document = node_document(parse(text).root)
    assert json.loads(json.dumps(document)) == document
    assert document["type"]


def test_a_binary_expression_tells_how_its_sides_find_each_other() -> None:
    document = node_document(parse("a + on (b) group_left (c) d").root)
    assert document["matching"] == {"card": "many-to-one", "labels": ["b"], "on": True, "include": ["c"]}
    assert (document["lhs"]["name"], document["rhs"]["name"]) == ("a", "d")
