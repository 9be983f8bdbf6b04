"""The command `routes`: the tree, and where an alert would go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.cli.failure import OK, PROBLEMS, USAGE
from daemon.cli.main import execute

CONFIG = """
route:
  receiver: all
  routes:
    - {receiver: shop, matchers: [team=shop], continue: true, mute_time_intervals: [weekend]}
    - {receiver: page, matchers: [severity=critical], group_by: [job]}
receivers: [{name: all}, {name: shop}, {name: page}]
time_intervals: [{name: weekend, time_intervals: [{weekdays: [saturday, sunday]}]}]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "alertmanager.yml"
    path.write_text(CONFIG)
    return str(path)


def test_the_tree_is_shown(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["routes", "show", "--config", file]) == OK
    assert '├── {team="shop"}  continue: true  receiver: shop' in capsys.readouterr().out
    assert execute(["routes", "show", "--config.file", file, "--json"]) == OK
    assert [route["receiver"] for route in json.loads(capsys.readouterr().out)] == ["all", "shop", "page"]


def test_an_alerts_receivers_are_named_with_the_reason(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["routes", "test", "-c", file, "team=shop", 'severity="critical"', "job=a"]
    assert execute([*arguments, "--at", "2030-01-05T12:00:00Z"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shop,page"
    assert '    {team="shop"}  matches: team is "shop"' in lines
    assert "  mute at that time: weekend" in lines
    assert '  group {}/{severity="critical"}:{job="a"}; wait 30s, interval 5m, repeat 4h' in lines
    assert execute([*arguments, "--at", "2030-01-04T12:00:00"]) == OK
    assert "  not mute at that time" in capsys.readouterr().out.splitlines()


def test_the_whole_tree_says_why_each_route_takes_the_alert_or_not(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["routes", "test", "-c", file, "severity=critical", "--tree"]) == OK
    assert '├── shop  no: team is absent, not team="shop"' in capsys.readouterr().out


def test_expected_receivers_are_verified_by_the_exit_code(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["routes", "test", "-c", file, "team=shop", "severity=critical"]
    assert execute([*arguments, "--verify.receivers=shop,page"]) == OK
    capsys.readouterr()
    assert execute([*arguments, "--verify.receivers", "page,shop", "--json"]) == PROBLEMS
    told = capsys.readouterr()
    assert json.loads(told.out)["receivers"] == ["shop", "page"]
    assert told.err.startswith("watchkeeper: the alert goes to shop,page, not to page,shop")


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["team"], "is no matcher", USAGE),
        (["team!=shop"], "write labels as name=value", USAGE),
        (["a=b,c=d"], "write one", USAGE),
        (["--at", "noon"], "is no time", USAGE),
    ],
)
def test_a_mistake_is_one_line(
    file: str, arguments: list[str], words: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["routes", "test", "-c", file, *arguments]) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_config_is_needed_and_one_that_tells_nobody_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHKEEPER_CONFIG", raising=False)
    assert execute(["routes", "show"]) == USAGE
    assert "name it with --config FILE" in capsys.readouterr().err
    empty = tmp_path / "watchkeeper.yml"
    empty.write_text("")
    assert execute(["routes", "show", "-c", str(empty)]) == OK
    assert "nobody is told" in capsys.readouterr().out
    assert execute(["routes", "test", "-c", str(empty), "a=b"]) == PROBLEMS
    assert "add one under 'receivers'" in capsys.readouterr().err
