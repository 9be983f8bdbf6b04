"""Configurations that people bring from Prometheus, whole files: what is good and bad there is so here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerting.load import load_rules
from core.clock import SystemClock
from daemon.config import load
from daemon.preparation import judge, prepare
from tests.components import require

AS_SHIPPED = """\
# my global config
global:
  scrape_interval: 15s # Set the scrape interval to every 15 seconds. Default is every 1 minute.
  evaluation_interval: 15s # Evaluate rules every 15 seconds. The default is every 1 minute.
  # scrape_timeout is set to the global default (10s).

# Alertmanager configuration
alerting:
  alertmanagers:
    - static_configs:
        - targets:
          # - alertmanager:9093

# Load rules once and periodically evaluate them according to the global 'evaluation_interval'.
rule_files:
  # - "first_rules.yml"
  # - "second_rules.yml"

scrape_configs:
  # The job name is added as a label `job=<job_name>` to any timeseries scraped from this config.
  - job_name: "prometheus"
    # metrics_path defaults to '/metrics'
    # scheme defaults to 'http'.
    static_configs:
      - targets: ["localhost:9090"]
"""

NODE_AND_BLACKBOX = """\
global:
  scrape_interval: 30s
  scrape_timeout: 10s
  evaluation_interval: 1m
  external_labels: {cluster: north, replica: 'a'}
rule_files: ['rules/*.yml']
scrape_configs:
- job_name: node
  static_configs:
  - targets: ['web-1.internal:9100', 'web-2.internal:9100']
    labels: {env: prod}
  - targets: ['db-1.internal:9100']
    labels: {env: prod, role: database, __metrics_path__: /node}
  relabel_configs:
  - source_labels: [__address__]
    regex: '([^.:]+)\\..*'
    target_label: host
  metric_relabel_configs:
  - source_labels: [__name__]
    regex: 'node_(arp|netstat)_.*'
    action: drop
  - regex: 'device_.*'
    action: labeldrop
- job_name: blackbox
  metrics_path: /probe
  params: {module: [http_2xx]}
  scrape_interval: 1m
  static_configs:
  - targets: [https://shop.example.org/, https://shop.example.org/cart]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target}
  - {source_labels: [__param_target], target_label: instance}
  - {target_label: __address__, replacement: '127.0.0.1:9115'}
"""

DISCOVERED = """\
scrape_configs:
- job_name: files
  honor_labels: true
  honor_timestamps: false
  file_sd_configs:
  - files: [targets.yml, 'more/*.json']
    refresh_interval: 30s
  relabel_configs:
  - {source_labels: [__meta_filepath], regex: '.*/([^/]+)\\.yml', target_label: group}
  - {source_labels: [__address__], modulus: 2, target_label: __tmp_shard, action: hashmod}
  - {source_labels: [__tmp_shard], regex: '0|1', action: keep}
- job_name: inventory
  scheme: https
  authorization: {credentials_file: token}
  http_sd_configs:
  - url: http://127.0.0.1:8080/targets
    basic_auth: {username: u, password_file: token}
    refresh_interval: 2m
- job_name: names
  sample_limit: 5000
  label_limit: 30
  target_limit: 100
  body_size_limit: 10MB
  tls_config: {insecure_skip_verify: true}
  dns_sd_configs:
  - names: [_metrics._tcp.shop.internal]
  - {names: [db.internal], type: A, port: 9187, refresh_interval: 1m}
"""

EVERYTHING_ELSE = """\
global: {query_log_file: /tmp/query.log}
alerting:
  alert_relabel_configs: [{regex: replica, action: labeldrop}]
  alertmanagers: [{scheme: http, static_configs: [{targets: ['127.0.0.1:9093']}]}]
remote_read: [{url: 'http://127.0.0.1:9201/read'}]
storage: {tsdb: {out_of_order_time_window: 30m}}
tracing: {endpoint: '127.0.0.1:4317', insecure: true}
scrape_configs:
- job_name: x
  enable_http2: false
  static_configs: [{targets: [localhost]}]
"""

GOOD = {
    "as shipped": AS_SHIPPED,
    "node and blackbox": NODE_AND_BLACKBOX,
    "discovered": DISCOVERED,
    "everything else": EVERYTHING_ELSE,
    "empty": "",
}

# What follows `scrape_configs: [{job_name: x, `, and what we say to it.
BAD_JOBS = {
    "relabel_configs: [{action: hashmod, target_label: a}]": "needs a modulus",
    "relabel_configs: [{source_labels: [a]}]": "needs a target_label",
    "relabel_configs: [{target_label: 'a-b'}]": "is no label name",
    "relabel_configs: [{action: fold}]": "is no action",
    "relabel_configs: [{target_label: a, regex: '('}]": "is no regular expression",
    "metric_relabel_configs: [{action: labeldrop, source_labels: [a], regex: b}]": "takes only regex",
    "metric_relabel_configs: [{action: keepequal, target_label: a, regex: x}]": "takes only source_labels",
    "static_configs: [{targets: ['http://x/metrics']}]": "is no target",
    "static_configs: [{targets: [x], labels: {'a-b': c}}]": "is no label name",
    "file_sd_configs: [{files: [targets.txt]}]": "is no file of targets",
    "file_sd_configs: [{}]": "is required",
    "http_sd_configs: [{url: 'inventory'}]": "is no address",
    "dns_sd_configs: [{names: [x], type: A}]": "set port",
    "dns_sd_configs: [{names: [x], type: TXT}]": "should be",
    "dns_sd_configs: [{names: []}]": "at least 1",
    "scrape_interval: 5s, scrape_timeout: 10s": "is longer than",
    "static_config: []": "unknown key",
    "basic_auth: {username: a, password: b, password_file: c}": "keep one",
    "scrape_interval: soon": "is no duration",
    "scheme: gopher, static_configs: [{targets: [x:1], labels: {__scrape_interval__: soon}}]": "should be",
}
BAD_FILES = {
    "global: {external_labels: {'a-b': c}}": "is no label name",
    "global: {scrape_interval: 5s, scrape_timeout: 10s}": "is longer than",
    "globals: {}": "did you mean 'global'",
    "scrape_configs: [{job_name: a}, {job_name: a}]": "two jobs are called 'a'",
    "scrape_configs: [{static_configs: []}]": "is required",
    "scrape_configs: [{job_name: x, file_sd_configs: [{files: [bad.yml]}]}]": "must be a list of groups",
    "rule_files: [bad.yml]": "is never closed",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret")
    (tmp_path / "targets.yml").write_text("- targets: ['a:1']\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.json").write_text('[{"targets": ["b:2"], "labels": {"a": "b"}}]')
    (tmp_path / "bad.yml").write_text("groups: [{name: a, rules: [{alert: B, expr: 'nope('}]}]\n")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    file = folder / "prometheus.yml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", GOOD)
def test_a_file_from_prometheus_works_as_it_is(folder: Path, name: str) -> None:
    assert judge(written(folder, GOOD[name])).problems == ()


BAD = {**{f"scrape_configs: [{{job_name: x, {text}}}]": told for text, told in BAD_JOBS.items()}, **BAD_FILES}


@pytest.mark.parametrize("text", BAD)
def test_a_file_that_prometheus_refuses_is_refused_with_the_place(folder: Path, text: str) -> None:
    problems = judge(written(folder, text)).problems
    assert any(BAD[text] in problem.message for problem in problems), problems
    assert all(problem.line for problem in problems)


def test_what_has_no_effect_is_named_with_its_line(folder: Path) -> None:
    notes = judge(written(folder, EVERYTHING_ELSE)).notes
    assert [(note.line, note.path, note.message.partition(":")[0]) for note in notes] == [
        (1, "global.query_log_file", "is not used"),
        (2, "alerting", "is not supported"),
        (5, "remote_read", "is not used"),
        (6, "storage", "is not used"),
        (7, "tracing", "is not used"),
    ]
    assert "'receivers'" in notes[1].message


def test_a_file_of_targets_that_is_not_there_yet_is_named(folder: Path) -> None:
    verdict = judge(written(folder, "scrape_configs: [{job_name: x, file_sd_configs: [{files: [later.yml]}]}]"))
    assert verdict.problems == ()
    assert [note.message for note in verdict.notes] == [f"{folder}/later.yml: there is no such file"]


def test_what_would_be_lost_is_refused_with_its_line(folder: Path) -> None:
    text = "global: {sample_limit: 5}\nscrape_config_files: [x.yml]\nscrape_configs:\n- {job_name: x, oauth2: {}}\n"
    problems = judge(written(folder, text)).problems
    assert [(problem.line, problem.path) for problem in problems] == [
        (1, "global.sample_limit"),
        (2, "scrape_config_files"),
        (4, "scrape_configs.0.oauth2"),
    ]
    assert problems[0].message.endswith("set it in each job of scrape_configs")


def test_targets_are_asked_as_the_rules_say(folder: Path) -> None:
    loaded = load(written(folder, NODE_AND_BLACKBOX))
    prepared = prepare(loaded, clock=SystemClock(), registry=CollectorRegistry(), hostname="host")
    offers = {discovery.job: discovery.offer([]).collectors for discovery in prepared.discoveries}
    assert {collector.target_labels["instance"] for collector in offers["blackbox"]} == {
        "https://shop.example.org/",
        "https://shop.example.org/cart",
    }
    assert {collector.target_labels["host"] for collector in offers["node"]} == {"web-1", "web-2", "db-1"}
    assert {collector.interval_seconds for collector in offers["blackbox"]} == {60.0}


def test_the_evaluation_interval_is_that_of_groups_without_their_own(folder: Path) -> None:
    text = """\
global: {evaluation_interval: 42s, rule_query_offset: 5s}
groups:
- {name: own, interval: 7s, query_offset: 0s, rules: [{alert: A, expr: up == 0}]}
- {name: none, rules: [{alert: B, expr: up == 0}]}
thresholds: [{name: T, expr: x, warning: {above: 1}}]
rule_files: [r.yml]
"""
    (folder / "r.yml").write_text("groups: [{name: file, rules: [{alert: C, expr: up == 0}]}]")
    loaded = load(written(folder, text))
    groups = load_rules(loaded.root, loaded.base, loaded.document, loaded.group_defaults)
    found = {group.name: (group.interval_seconds, group.offset_seconds) for group in groups}
    assert found.pop("own") == (7.0, 0.0)
    assert {"none", "thresholds", "file"} < set(found)
    assert set(found.values()) == {(42.0, 5.0)}


def test_external_labels_are_expanded_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "north")
    text = "global: {external_labels: {a: '$REGION-${REGION}', b: 'x$$y', c: '${NO_SUCH_VARIABLE}', d: 1}}"
    labels = load(written(folder, text)).root.global_.external_labels
    assert labels == {"a": "north-north", "b": "x$y", "c": "", "d": "1"}


@pytest.mark.slow
@pytest.mark.component("prometheus")
def test_promtool_agrees_on_every_file(folder: Path) -> None:
    promtool = require("promtool")
    for text, is_good in [*((text, True) for text in GOOD.values()), *((text, False) for text in BAD)]:
        file = written(folder, text)
        theirs = subprocess.run([promtool, "check", "config", str(file)], capture_output=True, check=False, text=True)
        assert (theirs.returncode == 0) is is_good, text + theirs.stdout + theirs.stderr
        assert (judge(file).problems == ()) is is_good, text
