"""Commands about the program itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.version import __version__
from daemon.cli.summary import summarise
from tests.daemon.cli.conftest import Cli

GOOD = """
scrape_configs:
  - job_name: node
    static_configs: [{targets: ["127.0.0.1:9100", "127.0.0.1:9101"]}, {targets: ["127.0.0.1:9102"]}]
rule_files: [rules/*.yml]
groups:
  - name: here
    rules: [{alert: Down, expr: up == 0}]
sql:
  - name: shop
    url: sqlite:///shop.db
    queries: [{metric: orders_open, query: SELECT 1 AS value}, {metric: orders_sent, query: SELECT 2 AS value}]
"""
RULES = "groups: [{name: there, rules: [{alert: A, expr: up == 0}, {record: 'b:c', expr: sum(up)}]}]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yml").write_text(RULES)
    file = tmp_path / "watchkeeper.yml"
    file.write_text(GOOD)
    return file


def test_a_good_configuration_is_counted(run: Cli, config: Path) -> None:
    ran = run("check", str(config))
    assert (ran.code, ran.out) == (0, f"{config}: ok: 3 scrape targets, 2 SQL queries, 3 rules\n"), ran.err


def test_rules_are_counted_by_absolute_path_too(config: Path) -> None:
    config.write_text(f"rule_files: ['{config.parent}/rules/a.yml']\n")
    assert summarise(config) == "2 rules"


def test_every_mistake_is_one_line_with_its_place(run: Cli, config: Path) -> None:
    config.write_text("servces: {}\nglobal: {scrape_interval: 5}\n")
    ran = run("check", str(config))
    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"{config}:1:1: servces: unknown key; did you mean 'services'?",
        f"{config}:2:27: global.scrape_interval: 5 has no unit; write a duration such as 30s, 5m or 1h30m",
    ]


def test_mistakes_as_a_document(run: Cli, config: Path) -> None:
    config.write_text("servces: {}\n")
    ran = run("check", str(config), "--json")
    assert ran.code == 1
    assert json.loads(ran.out) == {
        "file": str(config),
        "problems": [
            {"file": str(config), "line": 1, "column": 1, "path": "servces",
             "message": "unknown key; did you mean 'services'?"}
        ],
        "notes": [],
    }  # fmt: skip


def test_a_daemon_does_not_start_on_a_bad_file(run: Cli, tmp_path: Path) -> None:
    ran = run("run", "--config", str(tmp_path / "missing.yml"))
    assert ran.code == 1
    assert ran.err.startswith(f"watchkeeper: {tmp_path}/missing.yml: cannot read: No such file or directory; ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("version",), ("--version",)])
def test_the_version_is_that_of_the_package(run: Cli, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (0, f"watchkeeper {__version__}\n")
    assert json.loads(run("version", "--json").out) == {"version": __version__}


def test_the_doctor_looks_at_everything(run: Cli, config: Path, free_port: int, tmp_path: Path) -> None:
    config.write_text(f"web: {{listen: '127.0.0.1:{free_port}'}}\nstate: {{directory: '{tmp_path}/state'}}\n")
    ran = run("doctor", "--config", str(config))
    assert ran.code == 0, ran.out
    for part in (f"{config} is valid", f"{tmp_path}/state can be made", f"127.0.0.1:{free_port} is free"):
        assert part in ran.out
    findings = json.loads(run("doctor", "--config", str(config), "--json").out)["findings"]
    assert {finding["check"] for finding in findings} == {
        "python", "packages", "config", "state", "address", "clock", "files", "program",
    }  # fmt: skip


def test_the_doctor_names_a_bad_configuration(run: Cli, config: Path) -> None:
    config.write_text("a: 1\nb: 2\n")
    ran = run("doctor", "--config", str(config))
    assert ran.code == 1
    assert f"fail  config    {config}:1:1: a: unknown key" in ran.out
    assert f"and 1 more; see 'watchkeeper check {config}'" in ran.out
