"""Every example is valid, and says what it is meant to say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from daemon.cli.summary import summarise
from daemon.preparation import check
from tests.components import require

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["watchkeeper.yml", "shop.yml"])
def test_an_example_configuration_has_no_mistake(name: str) -> None:
    assert check(EXAMPLES / name) == []


def test_every_configuration_is_tested_here() -> None:
    assert {file.name for file in EXAMPLES.glob("*.yml")} == {"watchkeeper.yml", "shop.yml", "rules.yml"}


def test_what_the_first_configuration_offers_to_uncomment_is_valid(tmp_path: Path) -> None:
    offered = re.sub(r"(?m)^#(?! \S|$)", "", (EXAMPLES / "watchkeeper.yml").read_text(encoding="utf-8"))
    file = tmp_path / "watchkeeper.yml"
    file.write_text(offered, encoding="utf-8")
    (tmp_path / "rules.yml").write_bytes((EXAMPLES / "rules.yml").read_bytes())
    assert check(file) == []
    assert summarise(file) == "1 scrape target, 1 probe, 3 rules, 1 threshold, 1 receiver"


def test_the_shop_is_one_service_with_one_policy() -> None:
    assert summarise(EXAMPLES / "shop.yml") == "1 probe, 1 threshold, 1 service, 1 policy"


def test_the_first_configuration_needs_nothing_beside_it() -> None:
    assert summarise(EXAMPLES / "watchkeeper.yml") == "this machine and the default rules"


@pytest.mark.slow
@pytest.mark.component("promtool")
def test_prometheus_reads_the_rule_file_too() -> None:
    ran = subprocess.run(
        [require("promtool"), "check", "rules", str(EXAMPLES / "rules.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 rules found" in ran.stdout
