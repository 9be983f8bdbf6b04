from __future__ import annotations

import math

import pytest

from alerting.unit_test.notation import NotationError, parse_metric, parse_values
from metrics.frame import is_stale
from metrics.label import labels_of
from metrics.storage import is_missing


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("1 2 -3.5", [1, 2, -3.5]),
        ("1x3", [1, 1, 1, 1]),
        ("0+10x3", [0, 10, 20, 30]),
        ("3-1x2", [3, 2, 1]),
        ("-2+.5x2", [-2, -1.5, -1]),
        ("1e3 0x2 +Inf", [1000, 0, 0, 0, math.inf]),
        ("1+1x0", [1]),
    ],
)
def test_values_are_written_out(text: str, values: list[float]) -> None:
    assert parse_values(text).tolist() == values


def test_gaps_ends_and_no_numbers_are_told_apart() -> None:
    values = parse_values("_ _x2 stale NaN")
    assert is_missing(values).tolist() == [True, True, True, False, False]
    assert is_stale(values).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("text", ["one", "1+1", "_+1x2", "stale-1x2", "1x-2", "{{schema:0}}", "1x9999999", "1,2"])
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse_values(text)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("up", {"__name__": "up"}),
        ("up{a=\"b\", c='d',}", {"__name__": "up", "a": "b", "c": "d"}),
        ('{a="x\\ny\\\\\\"", b=`\\n`}', {"a": 'x\ny\\"', "b": "\\n"}),
        ('job:up:sum{"a.b"="}"} ', {"__name__": "job:up:sum", "a.b": "}"}),
        ("{}", {}),
        ("", {}),
    ],
)
def test_series_are_read(text: str, labels: dict[str, str]) -> None:
    assert parse_metric(text) == labels_of(labels)


@pytest.mark.parametrize("text", ["up{a=b}", 'up{a="b"', 'up{a="b" c="d"}', "1up", 'up{a!="b"}', 'up {a="b"} x'])
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse_metric(text)
