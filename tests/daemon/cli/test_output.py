"""How answers look on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from daemon.cli import wording
from daemon.cli.output import Cell, Output, plain_table


def decorated(monkeypatch: pytest.MonkeyPatch, *, no_color: bool = False) -> tuple[Output, io.StringIO]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)
    stream = io.StringIO()
    return Output(stream, decorated=True), stream


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    output, stream = decorated(monkeypatch)
    output.line("health: ", Cell("unhealthy", "bad"))
    assert "\x1b[1;31munhealthy" in stream.getvalue()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    output, stream = decorated(monkeypatch, no_color=True)
    output.line("health: ", Cell("unhealthy", "bad"))
    output.table(("state", "name"), [(Cell("up", "good"), "shop")])
    assert "\x1b[3" not in stream.getvalue()
    assert "31m" not in stream.getvalue()


def test_a_terminal_table_has_every_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    output, stream = decorated(monkeypatch, no_color=True)
    output.table(("state", "name"), [(Cell("up", "good"), "[bold]shop[/] :smile:")], indent=2)
    assert "[bold]shop[/] :smile:" in stream.getvalue()


def test_a_plain_table_is_aligned() -> None:
    assert plain_table(("a", "bcd"), [("wide", "x"), ("", "yy")], indent=1) == " A     BCD\n wide  x\n       yy\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "-"), (-3.0, "0ms"), (0.0123, "12ms"), (4.0, "4s"), (4.26, "4.3s"), (192.7, "3m12s"), (7530.0, "2h5m"),
     (360_000.0, "4d4h")],
)  # fmt: skip
def test_lengths_of_time_are_as_exact_as_people_want(seconds: float | None, shown: str) -> None:
    assert wording.length(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "1"), (0.123456789, "0.123457"), (123456789.0, "123456789"), (float("nan"), "NaN"), (float("-inf"), "-Inf")],
)
def test_values_are_short_and_exact_where_whole(value: float, shown: str) -> None:
    assert wording.number(value) == shown


@pytest.mark.parametrize(
    ("count", "noun", "shown"), [(1, "policy", "1 policy"), (2, "policy", "2 policies"), (0, "rule", "0 rules")]
)
def test_nouns_follow_their_number(count: int, noun: str, shown: str) -> None:
    assert wording.plural(count, noun) == shown
