"""The command `test rules`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.cli.conftest import Cli

TEST = """\
rule_files: [r.yml]
tests:
- input_series: [{series: 'up{job="a"}', values: '0x5'}]
  alert_rule_test: [{alertname: Down, eval_time: 1m, exp_alerts: [{exp_labels: {job: JOB}}]}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "r.yml").write_text("groups: [{name: g, rules: [{alert: Down, expr: up == 0}]}]")
    (tmp_path / "good.yml").write_text(TEST.replace("JOB", "a"))
    (tmp_path / "bad.yml").write_text(TEST.replace("JOB", "b"))
    return tmp_path


def test_rules_that_pass_are_told_so(run: Cli, folder: Path) -> None:
    ran = run("test", "rules", str(folder / "good.yml"))
    assert (ran.code, ran.out) == (0, f"Unit Testing:  {folder}/good.yml\n  SUCCESS\n\n")


def test_all_files_are_tried_and_differences_are_shown(run: Cli, folder: Path) -> None:
    ran = run("test", "rules", str(folder / "bad.yml"), str(folder / "good.yml"), str(folder / "gone.yml"))
    assert ran.code == 1
    assert ran.out.count("SUCCESS") == 1
    assert 'Labels:{alertname="Down",job="b"}' in ran.err
    assert f"{folder}/gone.yml: cannot read: No such file or directory" in ran.err
