"""Rule files: what is read, what is refused and where, and that promtool thinks the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from alerting.alert import Timing
from alerting.default_rules import default_groups, default_rules_text
from alerting.rule import AlertingRule, RecordingRule
from alerting.rule_file import read_rule_file, with_unique_keys
from core.errors import ConfigError
from core.yaml_file import parse_yaml
from tests.components import require

GOOD = {
    "alert": """
groups:
  - name: shop
    interval: 30s
    limit: 10
    rules:
      - record: job:up:count
        expr: count by (job) (up)
        labels: {team: shop}
      - alert: TargetDown
        expr: up{job="shop"} == 0
        for: 5m
        keep_firing_for: 1m
        labels: {severity: page, tier: 1}
        annotations: {summary: "{{ $labels.instance }} is down", value: '{{ printf "%.1f" $value }}'}
""",
    "empty": "groups: []\n",
    "no rules": "groups: [{name: a, rules: []}]\n",
    "scalar": "groups: [{name: a, rules: [{alert: A, expr: 1}]}]\n",
    "same alert twice": "groups: [{name: a, rules: [{alert: A, expr: up}, {alert: A, expr: up == 0}]}]\n",
    "zero for": "groups: [{name: a, rules: [{alert: A, expr: up, for: 0s}]}]\n",
}

RULE = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n    "
RECORD = "groups:\n- name: a\n  rules:\n  - record: a\n    expr: up\n    "

BAD = {
    "alert and record": ("groups: [{name: a, rules: [{alert: A, record: b, expr: up}]}]", "1:28", "exactly one"),
    "neither": ("groups:\n- name: a\n  rules:\n  - expr: up", "4:5", "exactly one"),
    "no expr": ("groups:\n- name: a\n  rules:\n  - alert: A", "4:5", "required"),
    "bad expr": ("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up ==", "5:11", "groups.0.rules.0.expr"),
    "empty expr": ("groups:\n- name: a\n  rules:\n  - alert: A\n    expr: ''", "5:11", "PromQL expression"),
    "bad for": (RULE + "for: 5 minutes", "6:10", "no duration"),
    "negative for": (RULE + "for: -5m", "6:10", "no duration"),
    "unknown key": (RULE + "fro: 5m", "6:5", "did you mean 'for'?"),
    "record with for": (RECORD + "for: 5m", "4:5", "has no 'for'"),
    "record with annotations": (
        RECORD + "annotations: {a: b}", "4:5", "has no 'annotations'"),
    "bad record": ("groups:\n- name: a\n  rules:\n  - record: a-b\n    expr: up", "4:5", "no metric name"),
    "bad label": (RULE + "labels: {a-b: c}", "6:", "no label name"),
    "name label": (
        RULE + "labels: {__name__: c}", "6:", "cannot be set"),
    "group twice": ("groups:\n- {name: a, rules: []}\n- {name: a, rules: []}", "2:1", "used twice"),
    "no group name": ("groups:\n- rules: []", "2:3", "required"),
    "open template": (
        RULE + "annotations: {s: '{{ $value'}", "6:22", "never closed"),
    "duplicate key": ("groups:\n- name: a\n  name: b\n  rules: []", "3:3", "duplicate key"),
    "no yaml": ("groups: [", "", "is no YAML"),
    "wrong type": ("groups: {a: b}", "1:9", "list"),
}  # fmt: skip

ONLY_OURS = {
    "groups: [{name: a, rules: [{alert: A, expr: up, annotations: {s: '{{ humanize 1 2 }}'}}]}]": "takes 1 arguments",
    "groups: [{name: a, rules: [{alert: A, expr: 'up[5m]'}]}]": "instant vector or a scalar",
    "groups: [{name: a, rules: [{alert: A, expr: '\"text\"'}]}]": "instant vector or a scalar",
}


def write(folder: Path, text: str) -> Path:
    file = folder / "rules.yml"
    file.write_text(text)
    return file


def test_a_rule_file_is_read_in_order(tmp_path: Path) -> None:
    (group,) = read_rule_file(write(tmp_path, GOOD["alert"]))
    record, alert = group.rules
    assert (group.name, group.interval_seconds, group.limit) == ("shop", 30.0, 10)
    assert isinstance(record, RecordingRule)
    assert (record.name, record.labels) == ("job:up:count", {"team": "shop"})
    assert isinstance(alert, AlertingRule)
    assert alert.timing == Timing(300, 60)
    assert {name: template.text for name, template in alert.labels.items()} == {"severity": "page", "tier": "1"}
    assert alert.key == 'shop/TargetDown{severity="page",tier="1"}'
    assert alert.place.endswith("rules.yml:10")


def test_rules_of_one_name_get_keys_of_their_own(tmp_path: Path) -> None:
    groups = with_unique_keys(read_rule_file(write(tmp_path, GOOD["same alert twice"])))
    assert [rule.key for rule in groups[0].rules] == ["a/A", "a/A#2"]


@pytest.mark.parametrize("name", GOOD)
def test_good_files_are_read(tmp_path: Path, name: str) -> None:
    read_rule_file(write(tmp_path, GOOD[name]))


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    text, place, words = BAD[name]
    with pytest.raises(ConfigError) as caught:
        read_rule_file(write(tmp_path, text))
    message = str(caught.value)
    assert words in message
    assert f"rules.yml:{place}" in message


@pytest.mark.parametrize(("text", "words"), ONLY_OURS.items())
def test_what_would_only_fail_when_it_is_needed_is_refused_at_once(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_rule_file(write(tmp_path, text))


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up ==}\n  - {alert: B, expr: sum(}\n  - {alert: C}"
    with pytest.raises(ConfigError) as caught:
        read_rule_file(write(tmp_path, text))
    assert [problem.line for problem in caught.value.problems] == [4, 5, 6]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yml: cannot read"):
        read_rule_file(tmp_path / "absent.yml")


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize("name", [*GOOD, *BAD, "built-in rules"])
def test_promtool_thinks_the_same_of_a_rule_file(tmp_path: Path, name: str) -> None:
    promtool = require("promtool")
    if name == "built-in rules":
        text = yaml.safe_dump({"groups": parse_yaml(default_rules_text(), "default_rules.yml").data["groups"]})
    elif name in GOOD:
        text = GOOD[name].replace("        keep_firing_for: 1m\n", "")  # promtool 2.42 is the first to know it
    else:
        text = BAD[name][0]
    result = subprocess.run(
        [promtool, "check", "rules", str(write(tmp_path, text))], capture_output=True, text=True, check=False
    )
    assert (result.returncode == 0) == (name not in BAD), result.stdout + result.stderr


def test_built_in_rules_are_complete() -> None:
    for group in default_groups():
        for rule in group.rules:
            assert isinstance(rule, AlertingRule)
            assert rule.name[0].isupper()
            assert rule.name.isalnum()
            assert {"summary", "description", "aspect"} <= set(rule.annotations)
            assert "severity" in rule.labels
