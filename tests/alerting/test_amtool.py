"""The real amtool routes the same alerts to the same receivers, and takes and refuses the same configs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting.config import AlertingConfig
from alerting.matcher import format_matchers
from alerting.route import Route, build
from alerting.routing_config import RouteSection
from core.config import validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml
from tests.components import require

pytestmark = [pytest.mark.slow, pytest.mark.component("amtool")]

PACKAGED = Path("/etc/prometheus/alertmanager.yml")

RECEIVERS = ["a", "b", "c", "d"]
NAMES = st.sampled_from(["team", "severity", "x_1"])
VALUES = st.sampled_from(["shop", "critical", "a.b", "A", "ü", 'q"uote', "back\\slash", "two words", "x,y", "1"])
PATTERNS = st.sampled_from(
    ["sh.*", "critical|A", "^a.b$", "", ".+", "(?i)a", "[x-z],.", "ü?", r"a\.b", r"\d+", "two .*"]
)
QUOTED = st.builds(lambda text: json.dumps(text, ensure_ascii=False), st.one_of(VALUES, PATTERNS))
MATCHERS = st.one_of(
    st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", "!=", "=~", "!~", " = ", "=~ "]), QUOTED),
    st.builds("{}={}".format, NAMES, st.sampled_from(["shop", "critical", "1", ""])),
    st.builds("{{{}={},{}!={}}}".format, NAMES, QUOTED, NAMES, QUOTED),
)


def _is_usable(matcher: str) -> bool:
    """Leave out what amtool 0.25 panics on (no value at all) and plain values that are no regular expression."""
    return not re.search(r"[=~]\s*(?:[,}]|$)|~\s*\"(?:q|back)", matcher)


ROUTES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "receiver": st.sampled_from(RECEIVERS),
            "matchers": st.lists(MATCHERS.filter(_is_usable), min_size=1, max_size=2),
            "match": st.dictionaries(NAMES, VALUES, min_size=1, max_size=2),
            "match_re": st.dictionaries(NAMES, PATTERNS, min_size=1, max_size=2),
            "continue": st.booleans(),
            "group_by": st.sampled_from([["team"], ["..."], ["x_1", "severity"]]),
        },
    ),
    lambda inner: st.builds(
        lambda route, routes: {**route, "routes": routes}, inner, st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)
LABELS = st.dictionaries(NAMES, VALUES, max_size=3)


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require("amtool"), *arguments], capture_output=True, text=True, timeout=20, check=False)


def receivers_of(file: Path, labels: dict[str, str]) -> str:
    pairs = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items()]
    done = amtool("config", "routes", "test", f"--config.file={file}", *pairs)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def ours(root: Route, labels: dict[str, str]) -> str:
    return ",".join(route.receiver for route in root.match(labels))


@given(routes=st.lists(ROUTES, max_size=4), alerts=st.lists(LABELS, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tree_routes_as_amtool_says(
    routes: list[dict[str, Any]], alerts: list[dict[str, str]], tmp_path: Path
) -> None:
    route = {"receiver": "a", "routes": routes}
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump({"route": route, "receivers": [{"name": name} for name in RECEIVERS]}))
    root = build(validate(parse_yaml(file.read_text(), str(file)), RouteSection, path=("route",)))
    for labels in alerts:
        assert ours(root, labels) == receivers_of(file, labels), labels
    assert _shown_by_amtool(file) == [_slug(node) for node in root.walk()]


def _shown_by_amtool(file: Path) -> list[str]:
    """Return the routes of `amtool config routes show`, without what is drawn before them and without `grouping`."""
    done = amtool("config", "routes", "show", f"--config.file={file}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[2:]
    shown = [re.sub(r"^[│├└─\s\u00a0]*", "", line) for line in lines if line.strip()]
    return [re.sub(r"  grouping: \[.*\]$", "", line) for line in shown]


def _slug(route: Route) -> str:
    name = format_matchers(route.matchers) if route.matchers else "default-route"
    return f"{name}{'  continue: true' if route.is_continuing else ''}  receiver: {route.receiver}"


GOOD = {
    "smallest": "route: {receiver: a}\nreceivers: [{name: a}]\n",
    "every key of a route": """
        route:
          receiver: a
          group_by: [...]
          group_wait: 0s
          group_interval: 1d
          repeat_interval: 1h30m
          continue: false
          routes:
            - receiver: a
              match: {team: shop, port: 80, up: true, none: }
              match_re: {service: ^(foo1|foo2|baz)$}
              matchers: ['a="b"', c!=d, '{e=~"f,g", h!~i}', 'j = "k"']
              group_by: [alertname, team]
              group_wait: 10ms
              continue: true
              mute_time_intervals: [weekend, old]
              active_time_intervals: [office]
              routes: [{}]
        receivers: [{name: a}]
        time_intervals:
          - name: weekend
            time_intervals:
              - weekdays: [saturday, Sunday]
          - name: office
            time_intervals:
              - times: [{start_time: 09:00, end_time: '17:00'}, {start_time: '00:00', end_time: '24:00'}]
                weekdays: ['monday:friday']
                days_of_month: ['1:5', '-3:-1', 31, '10:-1']
                months: ['january:march', may, '7', 8, 'November:december']
                years: ['2030:2032', 2040]
                location: Europe/Berlin
              - location: Local
              - location: UTC
          - {name: empty}
        mute_time_intervals:
          - name: old
            time_intervals: [{years: ['2030']}]
    """,
    "every key of an inhibition": """
        route: {receiver: a}
        receivers: [{name: a}]
        inhibit_rules:
          - source_match: {severity: critical}
            target_match: {severity: warning}
            equal: [alertname, cluster]
          - source_match_re: {severity: crit.*}
            target_match_re: {severity: warn.*}
          - source_matchers: [severity="critical", team=~"a|b"]
            target_matchers: ['{severity!="critical"}']
            equal: []
          - {}
    """,
    "empty keys": """
        global:
        templates:
        inhibit_rules:
        time_intervals:
        route:
          receiver: a
          group_by:
          routes:
        receivers: [{name: a}]
    """,
    "anchors": """
        route:
          receiver: a
          routes:
            - &one {receiver: a, matchers: [x=y], continue: true}
            - {<<: *one, group_by: [x], continue: false}
        receivers: [{name: a}]
    """,
    "templates and receivers of webhooks": """
        templates: ['templates/*.tmpl', /etc/nothing/*.tmpl]
        route: {receiver: 'team a'}
        receivers:
          - name: team a
            webhook_configs:
              - url: http://127.0.0.1:9/x
                send_resolved: false
                max_alerts: 3
          - name: unused
    """,
}

BAD = {
    "no receiver of that name": "route: {receiver: b}\nreceivers: [{name: a}]",
    "no such receiver below": "route: {receiver: a, routes: [{routes: [{receiver: b}]}]}\nreceivers: [{name: a}]",
    "no receiver at the root": "route: {group_by: [a]}\nreceivers: [{name: a}]",
    "receiver twice": "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
    "receiver without a name": "route: {receiver: a}\nreceivers: [{name: a}, {}]",
    "matchers at the root": "route: {receiver: a, matchers: [x=y]}\nreceivers: [{name: a}]",
    "match at the root": "route: {receiver: a, match: {x: y}}\nreceivers: [{name: a}]",
    "continue at the root": "route: {receiver: a, continue: true}\nreceivers: [{name: a}]",
    "mute at the root": "route: {receiver: a, mute_time_intervals: [w]}\nreceivers: [{name: a}]\n"
    "time_intervals: [{name: w}]",
    "active at the root": "route: {receiver: a, active_time_intervals: [w]}\nreceivers: [{name: a}]\n"
    "time_intervals: [{name: w}]",
    "unknown key": "route: {receiver: a, group_wat: 5s}\nreceivers: [{name: a}]",
    "unknown interval": "route: {receiver: a, routes: [{mute_time_intervals: [w]}]}\nreceivers: [{name: a}]",
    "interval twice": "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: w}, {name: w}]",
    "interval twice under both keys": "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: w}]\n"
    "mute_time_intervals: [{name: w}]",
    "interval without a name": "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{}]",
    "all labels and one": "route: {receiver: a, group_by: [..., b]}\nreceivers: [{name: a}]",
    "label twice": "route: {receiver: a, group_by: [b, b]}\nreceivers: [{name: a}]",
    "group_interval of zero": "route: {receiver: a, group_interval: 0s}\nreceivers: [{name: a}]",
    "repeat_interval of zero": "route: {receiver: a, repeat_interval: 0s}\nreceivers: [{name: a}]",
    "duration without a unit": "route: {receiver: a, group_wait: 5}\nreceivers: [{name: a}]",
    "negative duration": "route: {receiver: a, group_wait: -5s}\nreceivers: [{name: a}]",
    "wrong matcher": "route: {receiver: a, routes: [{matchers: [x]}]}\nreceivers: [{name: a}]",
    "wrong pattern": "route: {receiver: a, routes: [{matchers: ['x=~\"[\"']}]}\nreceivers: [{name: a}]",
    "wrong pattern of match_re": "route: {receiver: a, routes: [{match_re: {x: '('}}]}\nreceivers: [{name: a}]",
    "no pattern of match_re": "route: {receiver: a, routes: [{match_re: {x: }}]}\nreceivers: [{name: a}]",
    "no pattern of source_match_re": "route: {receiver: a}\nreceivers: [{name: a}]\n"
    "inhibit_rules: [{source_match_re: {x: }}]",
    "wrong name of match": "route: {receiver: a, routes: [{match: {a-b: c}}]}\nreceivers: [{name: a}]",
    "wrong name of source_match": "route: {receiver: a}\nreceivers: [{name: a}]\n"
    "inhibit_rules: [{source_match: {a-b: c}}]",
    "matchers as text": "route: {receiver: a, routes: [{matchers: 'x=y'}]}\nreceivers: [{name: a}]",
    **{
        f"time part {part}": "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals:\n"
        f"  - {{name: w, time_intervals: [{{{part}}}]}}"
        for part in (
            "weekdays: [someday]",
            "weekdays: ['friday:monday']",
            "days_of_month: [0]",
            "days_of_month: [32]",
            "days_of_month: ['-1:5']",
            "days_of_month: ['9:3']",
            "months: [mai]",
            "months: ['may:april']",
            "years: ['2031:2030']",
            "years: [soon]",
            "times: [{start_time: '17:00', end_time: '09:00'}]",
            "times: [{start_time: '9:00', end_time: '17:00'}]",
            "times: [{start_time: '09:00'}]",
            "times: [{start_time: '09:00', end_time: '24:30'}]",
            "location: Mars/Phobos",
            "hours: [1]",
        )
    },
}


@pytest.mark.parametrize("name", GOOD)
def test_a_config_that_amtool_takes_is_taken_and_routes_the_same(name: str, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(GOOD[name])
    assert amtool("check-config", str(file)).returncode == 0
    root = _root(file)
    for labels in ({}, {"team": "shop", "port": "80", "up": "true", "service": "baz", "a": "b", "e": "f,g", "j": "k"}):
        assert ours(root, labels) == receivers_of(file, labels)
    assert _shown_by_amtool(file) == [_slug(node) for node in root.walk()]


@pytest.mark.parametrize("name", BAD)
def test_a_config_that_amtool_refuses_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(BAD[name])
    assert amtool("check-config", str(file)).returncode == 1
    with pytest.raises(ConfigError) as caught:
        _config(file)
    assert all(problem.line > 0 and problem.message for problem in caught.value.problems)


def test_the_packages_own_config_routes_the_same() -> None:
    section = validate(parse_yaml(PACKAGED.read_bytes(), str(PACKAGED)), RouteSection, path=("route",))
    root = build(section)
    for labels in (
        {},
        {"service": "foo1"},
        {"service": "foo1", "severity": "critical"},
        {"service": "files", "severity": "critical"},
        {"service": "database", "owner": "team-X"},
        {"service": "database", "owner": "team-Z"},
        {"service": "foo12"},
    ):
        assert ours(root, labels) == receivers_of(PACKAGED, labels)


def _config(file: Path) -> AlertingConfig:
    document = parse_yaml(file.read_text(), str(file))
    document.data.pop("global", None)
    document.data = {key: value for key, value in document.data.items() if value is not None}
    return validate(document, AlertingConfig)


def _root(file: Path) -> Route:
    route = _config(file).route
    assert route is not None
    return build(route)
