"""Rule tests: ours, and the verdicts of promtool on the same files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from alerting.unit_test.run import run_file
from core.errors import ConfigError
from tests.components import require

RULES = """\
groups:
- name: recorded
  rules:
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
  - record: job:requests:doubled
    expr: job:requests:rate5m * 2
- name: alerts
  interval: 1h
  rules:
  - alert: TargetDown
    expr: up == 0
    for: 5m
    keep_firing_for: 3m
    labels: {severity: page, env: '{{ $labels.job }}'}
    annotations: {summary: '{{ $labels.instance }} is down ({{ $value }})'}
  - alert: Busy
    expr: job:requests:rate5m > 10
    labels: {severity: warning}
  - alert: Nothing
    expr: absent(nothing)
"""

SERIES = """\
  input_series:
  - {series: 'up{job="shop", instance="a"}', values: '1 1 0x12 1x20'}
  - {series: 'up{job="shop", instance="b"}', values: '1x10 _x3 stale 0x30'}
  - {series: 'requests_total{job="shop"}', values: '0+900x40'}
"""

DOWN = """\
    - exp_labels: {job: shop, instance: a, severity: page, env: shop}
      exp_annotations: {summary: 'a is down (0)'}
"""


def file_of(body: str, head: str = "evaluation_interval: 1m", interval: str = "1m") -> str:
    return f"{head}\nrule_files: [rules.yml]\ntests:\n- interval: {interval}\n  name: a test\n{SERIES}{body}"


def alert(time: str, expected: str = "", name: str = "TargetDown") -> str:
    listed = f"    exp_alerts:\n{expected}" if expected else ""
    return f"  - eval_time: {time}\n    alertname: {name}\n{listed}"


def value(expr: str, time: str, *samples: str) -> str:
    listed = "".join(f"    - {sample}\n" for sample in samples)
    return f"  - expr: '{expr}'\n    eval_time: {time}\n    exp_samples:\n{listed}"


ALERTS = "  alert_rule_test:\n"
VALUES = "  promql_expr_test:\n"
BUSY = "    - exp_labels: {job: shop, severity: warning}\n"

GOOD = {
    "pending is not firing": file_of(ALERTS + alert("6m")),
    "firing after for": file_of(ALERTS + alert("7m", DOWN)),
    "between two evaluations": file_of(ALERTS + alert("7m30s", DOWN)),
    "kept firing after its end": file_of(ALERTS + alert("17m", DOWN)),
    "ended": file_of(ALERTS + alert("18m")),
    "several times, not in order": file_of(ALERTS + alert("18m") + alert("2m") + alert("8m", DOWN)),
    "alerts of recorded series": file_of(ALERTS + alert("10m", BUSY, "Busy")),
    "absence": file_of(ALERTS + alert("0m", "    - {}\n", "Nothing")),
    "recorded values": file_of(VALUES + value(
        "job:requests:doubled", "10m", "{labels: 'job:requests:doubled{job=\"shop\"}', value: 30.000000000000004}")),
    "a scalar": file_of(VALUES + value("1 + 1", "10m", "{labels: '{}', value: 2}")),
    "infinity": file_of(VALUES + value("1 / 0", "0m", "{value: .inf}")),
    "the series of alerts": file_of(VALUES + value("count by (alertstate) (ALERTS)", "3m",
                                                    "{labels: '{alertstate=\"pending\"}', value: 1}",
                                                    "{labels: '{alertstate=\"firing\"}', value: 1}")),
    "since when": file_of(VALUES + value("ALERTS_FOR_STATE{alertname=\"TargetDown\"} - 120", "8m",
                                          "{labels: '{alertname=\"TargetDown\", env=\"shop\", instance=\"a\", "
                                          "job=\"shop\", severity=\"page\"}', value: 0}")),
    "a gap and an end": file_of(VALUES + value('up{instance="b"}', "13m",
                                                "{labels: 'up{instance=\"b\", job=\"shop\"}', value: 1}")
                                 + value('up{instance="b"}', "14m")),
    "values come no later than the last evaluation": file_of(
        VALUES + value("count_over_time(up{instance=\"a\"}[1h])", "7m",
                       "{labels: '{instance=\"a\", job=\"shop\"}', value: 6}"), "evaluation_interval: 5m"),
    "nothing to test": file_of(""),
    "groups in order": file_of(ALERTS + alert("10m", BUSY, "Busy"),
                                "evaluation_interval: 1m\ngroup_eval_order: [recorded, alerts]"),
    "defaults": file_of(ALERTS + alert("7m", DOWN), ""),
    "a pattern": file_of(ALERTS + alert("7m", DOWN)).replace("rules.yml", "rul*.yml"),
    "no rules": file_of(VALUES + value("count(up)", "1m", "{value: 2}")).replace("[rules.yml]", "[no.yml]"),
}  # fmt: skip
BAD = {
    "should fire": file_of(ALERTS + alert("6m", DOWN)),
    "should not fire": file_of(ALERTS + alert("8m")),
    "other labels": file_of(ALERTS + alert("8m", DOWN.replace("page", "warning"))),
    "other annotations": file_of(ALERTS + alert("8m", DOWN.replace("(0)", "(1)"))),
    "another value": file_of(VALUES + value("job:requests:doubled", "10m",
                                             "{labels: 'job:requests:doubled{job=\"shop\"}', value: 31}")),
    "text for a number": file_of(VALUES + value("1 / 0", "0m", "{value: '+Inf'}")),
    "another name": file_of(VALUES + value("count(up)", "1m", "{labels: 'up', value: 2}")),
    "one too many": file_of(VALUES + value("up == 9", "1m", "{labels: 'up', value: 2}")),
    "no number": file_of(VALUES + value("vector(NaN)", "1m", "{labels: '{}', value: .nan}")),
    "a broken expression": file_of(VALUES + value("sum(", "1m")),
    "a range vector": file_of(VALUES + value("up[5m]", "1m")),
    "broken values": file_of("").replace("0+900x40", "0+900"),
    "a broken series": file_of("").replace("requests_total{", "requests_total{{"),
    "an unknown key": file_of("  alert_rule_tests: []\n"),
    "no alertname": file_of("  alert_rule_test: [{eval_time: 1m}]\n"),
    "broken labels": file_of(VALUES + value("up", "1m", "{labels: 'up{', value: 2}")),
    "a group named twice": file_of("", "group_eval_order: [a, a]"),
    "broken rules": file_of("").replace("rules.yml", "broken.yml"),
    "ambiguous rules": file_of(VALUES + value("up", "1m")).replace("rules.yml", "twice.yml"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "broken.yml").write_text("groups: [{name: a, rules: [{alert: B, expr: 'sum('}]}]")
    twice = "groups: [{name: a, rules: [{alert: B, expr: 'up', labels: {instance: same}}]}]"
    (tmp_path / "twice.yml").write_text(twice)
    return tmp_path


def passes(folder: Path, text: str) -> bool:
    file = folder / "test.yml"
    file.write_text(text)
    try:
        return not run_file(file).failures
    except ConfigError:
        return False


@pytest.mark.parametrize("name", GOOD)
def test_rules_that_do_what_is_expected_pass(folder: Path, name: str) -> None:
    file = folder / "test.yml"
    file.write_text(GOOD[name])
    assert run_file(file).failures == ()


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_as_expected_fails(folder: Path, name: str) -> None:
    assert not passes(folder, BAD[name])


def test_differences_are_shown_with_what_was_expected_and_what_came(folder: Path) -> None:
    file = folder / "test.yml"
    file.write_text(BAD["other labels"])
    [failure] = run_file(file).failures
    assert failure.startswith("    name: a test,\n    alertname: TargetDown, time: 8m, \n        exp:[")
    assert 'severity="warning"' in failure
    assert 'severity="page"' in failure


def test_a_pattern_without_files_is_warned_of(folder: Path) -> None:
    file = folder / "test.yml"
    file.write_text(GOOD["no rules"])
    assert run_file(file).warnings == ("no file matches 'no.yml'",)


def test_mistakes_of_the_file_have_their_place(folder: Path) -> None:
    file = folder / "test.yml"
    file.write_text(BAD["broken values"])
    with pytest.raises(ConfigError, match=r"test\.yml:9:52: .*'0\+900' is no value"):
        run_file(file)


@pytest.mark.slow
@pytest.mark.component("prometheus")
@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_promtool_gives_the_same_verdict(folder: Path, name: str) -> None:
    file = folder / "test.yml"
    file.write_text({**GOOD, **BAD}[name])
    theirs = subprocess.run(
        [require("promtool"), "test", "rules", str(file)], capture_output=True, check=False, text=True
    )
    assert (theirs.returncode == 0) is (name in GOOD), theirs.stdout + theirs.stderr
