"""Parameters of requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from core.errors import UserError
from daemon.api.prometheus.number import format_moment
from daemon.api.prometheus.parameter import MAX_TIME_MS, Parameters
from metrics.storage import Matcher, MatchOp


def given_(*pairs: tuple[str, str]) -> Parameters:
    return Parameters(MultiDict(pairs))


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0), ("1500.25", 1_500_250), ("-5", -5000), ("1.23456", 1235), ("1e3", 1_000_000), (".5", 500),
        ("1970-01-01T00:25:00Z", 1_500_000), ("1970-01-01T00:25:00.25Z", 1_500_250),
        ("1970-01-01T01:25:00+01:00", 1_500_000), ("1970-01-01T00:25:00.123456789Z", 1_500_123),
        ("-292273086-05-16T16:47:06Z", -MAX_TIME_MS), ("292277025-08-18T07:12:54.999999999Z", MAX_TIME_MS),
    ],
)  # fmt: skip
def test_a_time_is_unix_seconds_or_rfc_3339(text: str, milliseconds: int) -> None:
    assert given_(("time", text)).time_ms("time") == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", "x", "NaN", "Inf", "1e300", "0x10", "1_000", "²", "2020-01-01", "2020-01-01T00:00:00", "2020-13-01T00:00:00Z",
     "2020-01-01T25:00:00Z", "20200101T000000Z", "2020-W01-1T00:00:00Z", "now", "9" * 400],
)  # fmt: skip
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match='"start"'):
        given_(("start", text)).time_ms("start")


@given(st.integers(0, 250_000_000_000_000))
def test_a_time_reads_back_as_it_was_written(milliseconds: int) -> None:
    assert given_(("t", format_moment(milliseconds / 1000))).time_ms("t") == milliseconds
    assert given_(("t", f"{milliseconds / 1000:.3f}")).time_ms("t") == milliseconds


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_a_mistake(text: str) -> None:
    parameters = given_(("x", text), ("match[]", text))
    for read in (parameters.time_ms, parameters.seconds, parameters.limit, parameters.flag, parameters.selectors):
        try:
            read("match[]" if read == parameters.selectors else "x")
        except UserError as error:
            assert "invalid parameter" in str(error)


@pytest.mark.parametrize(("text", "seconds"), [("15", 15), ("0.5", 0.5), ("1h30m", 5400), ("250ms", 0.25), ("0", 0)])
def test_a_duration_is_seconds_or_a_duration(text: str, seconds: float) -> None:
    assert given_(("timeout", text)).seconds("timeout") == seconds


@pytest.mark.parametrize("text", ["0", "-1", "0.0001", "5m3x", "", "1e30"])
def test_a_step_is_a_millisecond_or_more(text: str) -> None:
    with pytest.raises(UserError, match='"step"'):
        given_(("step", text)).step_ms()


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "²", "1e3"])
def test_a_limit_is_a_whole_number(text: str) -> None:
    with pytest.raises(UserError, match='"limit"'):
        given_(("limit", text)).limit()


def test_the_first_value_counts_and_all_can_be_had() -> None:
    parameters = given_(("a", "1"), ("a", "2"))
    assert parameters.text("a") == "1"
    assert parameters.all("a") == ["1", "2"]
    assert parameters.text("b") == ""


def test_selectors_become_matchers() -> None:
    parameters = given_(("match[]", 'up{job=~"a|b"}'), ("match[]", '{__name__!=""}'))
    first, second = parameters.selectors()
    assert Matcher("__name__", MatchOp.EQUAL, "up") in first
    assert second == (Matcher("__name__", MatchOp.NOT_EQUAL, ""),)


@pytest.mark.parametrize("text", ["{}", '{job=""}', "up[5m]", "rate(up[5m])", "up offset 5m", "up @ 5", "up{", "", "1"])
def test_what_is_no_selector_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match=r"match\[\]"):
        given_(("match[]", text)).selectors()
