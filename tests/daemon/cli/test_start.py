"""`run` without the parser: the same daemon, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.start import Start, plain_start
from tests.daemon.cli.conftest import Cli


@pytest.mark.parametrize(
    ("arguments", "environment", "config"),
    [
        (["run"], {}, None),
        (["run"], {"WATCHKEEPER_CONFIG": ""}, None),
        (["run"], {"WATCHKEEPER_CONFIG": "/etc/w.yml"}, Path("/etc/w.yml")),
        (["run", "--config", "w.yml"], {"WATCHKEEPER_CONFIG": "/etc/w.yml"}, Path("w.yml")),
        (["run", "-c", "w.yml"], {}, Path("w.yml")),
    ],
)
def test_plain_forms_are_understood(arguments: list[str], environment: dict[str, str], config: Path | None) -> None:
    assert plain_start(arguments, environment) == Start(config)


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["status"], ["run", "--help"], ["run", "-c"], ["run", "--config"], ["run", "--config", ""],
        ["run", "--config", "--help"], ["run", "w.yml"], ["--version", "run"], ["run", "-c", "w.yml", "-c", "v.yml"],
    ],
)  # fmt: skip
def test_everything_else_is_left_to_the_parser(arguments: list[str]) -> None:
    assert plain_start(arguments, {}) is None


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "-c", "w.yml"], ["run", "--config", "w.yml"], ["run", "--config=w.yml"], ["run", "-cw.yml"]],
)
@pytest.mark.parametrize("variable", [None, "", "/etc/w.yml"])
def test_the_parser_starts_the_same_daemon(
    run: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str | None
) -> None:
    started: list[Path | None] = []

    def note(self: Start) -> int:
        started.append(self.config)
        return 0

    monkeypatch.setattr(Start, "run", note)
    if variable is not None:
        monkeypatch.setenv("WATCHKEEPER_CONFIG", variable)
    assert run(*arguments).code == 0
    monkeypatch.setattr("daemon.cli.main.plain_start", lambda _arguments: None)
    assert run(*arguments).code == 0
    assert started[0] == started[1]
