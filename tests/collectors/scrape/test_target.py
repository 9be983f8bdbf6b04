from __future__ import annotations

from typing import Any

import pytest

from collectors.discovery.group import TargetGroup, group_of
from collectors.scrape.target import Found, Job, find_targets, has_port, sources_of
from metrics.relabel import Rule


def found(*rules: Rule, labels: dict[str, str] | None = None, address: str = "host:80", **job: Any) -> Found:
    settings = {"interval_seconds": 15.0, "timeout_seconds": 10.0, **job}
    return find_targets(Job("shop", rules=rules, **settings), [group_of([address], labels or {})])


def set_label(name: str, value: str, *sources: str, regex: str = "(.*)") -> Rule:
    return Rule("replace", sources, target_label=name, replacement=value, regex=regex)


def test_rules_see_the_settings_of_the_job_as_labels() -> None:
    [target] = found(labels={"a": "b"}, parameters={"module": ["x", "y"]}).targets
    assert target.discovered == {
        "__address__": "host:80",
        "__metrics_path__": "/metrics",
        "__param_module": "x",
        "__scheme__": "http",
        "__scrape_interval__": "15s",
        "__scrape_timeout__": "10s",
        "a": "b",
        "job": "shop",
    }
    assert target.labels == {"a": "b", "job": "shop", "instance": "host:80"}
    assert str(target.url) == "http://host/metrics?module=x&module=y"


def test_rules_decide_where_and_when_a_target_is_asked() -> None:
    [target] = found(
        set_label("__param_target", "$1", "__address__"),
        set_label("instance", "$1", "__param_target"),
        set_label("__address__", "127.0.0.1:9115"),
        set_label("__metrics_path__", "/probe"),
        set_label("__scheme__", "https"),
        set_label("__scrape_interval__", "1m"),
        set_label("__scrape_timeout__", "30s"),
        set_label("__tmp", "x"),
        address="https://shop.example/",
    ).targets
    assert str(target.url) == "https://127.0.0.1:9115/probe?target=https://shop.example/"
    assert target.labels == {"job": "shop", "instance": "https://shop.example/"}
    assert (target.interval_seconds, target.timeout_seconds) == (60.0, 30.0)


@pytest.mark.parametrize(
    ("rules", "address", "fault"),
    [
        ([set_label("__address__", "")], "x", "no address: __address__ is empty"),
        ([], "http://x/metrics", "is not a valid hostname"),
        ([set_label("__scheme__", "ftp")], "x", "invalid scheme 'ftp'"),
        ([set_label("__scrape_interval__", "0s")], "x", "scrape interval cannot be 0"),
        ([set_label("__scrape_interval__", "soon")], "x", "error parsing scrape interval"),
        ([set_label("__scrape_timeout__", "")], "x", "error parsing scrape timeout"),
        ([set_label("__scrape_timeout__", "1h")], "x", "scrape timeout cannot be greater than scrape interval"),
    ],
)
def test_what_cannot_be_a_target_is_named(rules: list[Rule], address: str, fault: str) -> None:
    result = found(*rules, address=address)
    assert result.targets == []
    assert fault in result.faults[0]


@pytest.mark.parametrize(
    ("rule", "address"),
    [(set_label("__scheme__", "ftp"), "x:1"), (set_label("x", "y"), "a:b:c"), (Rule("keep"), "x:y")],
)
def test_a_target_that_can_never_be_reached_is_there_and_says_why(rule: Rule, address: str) -> None:
    [target] = found(rule, address=address).targets
    assert target.url is None
    assert "no address to ask" in target.fault


def test_dropped_targets_are_remembered_as_they_were_found() -> None:
    result = found(Rule("drop", ("a",), regex="b"), labels={"a": "b"})
    assert result.targets == []
    assert [labels["__address__"] for labels in result.dropped] == ["host:80"]


def test_equal_targets_are_one_and_others_of_the_same_instance_get_names_of_their_own() -> None:
    groups = [group_of(["a:1", "a:1"], {}), group_of(["a:1"], {}), group_of(["a:1"], {"x": "y"}), group_of(["b:1"], {})]
    targets = find_targets(Job("shop", 15, 10), groups).targets
    names = [name for name, _ in sources_of("shop", targets)]
    assert len(targets) == len(set(names)) == 3
    assert names[2] == "scrape/shop/b:1"
    assert [name for name, _ in sources_of("shop", reversed(targets))] != names
    assert {name for name, _ in sources_of("shop", reversed(targets))} == set(names)


def test_labels_of_a_target_win_over_those_of_its_group() -> None:
    group = TargetGroup(({"__address__": "a:1", "x": "own"},), {"x": "group", "y": "group"})
    [target] = find_targets(Job("shop", 15, 10), [group]).targets
    assert target.labels == {"job": "shop", "instance": "a:1", "x": "own", "y": "group"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [("a:1", True), ("a", False), ("[::1]:1", True), ("[::1]", False), ("::1", False), ("a:", True), ("a:b:c", False)],
)
def test_an_address_has_a_port_where_it_ends_in_one(address: str, expected: bool) -> None:
    assert has_port(address) is expected
