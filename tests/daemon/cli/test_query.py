"""Asking the store on the command line, and drawing what it answers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.chart import chart, resample, sparkline
from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.documents import NOW, matrix, vector
from tests.daemon.cli.fake_daemon import FakeDaemon


def test_a_vector_is_a_table(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("query", vector(({"__name__": "up", "job": "shop"}, "1"), ({"__name__": "up", "job": 'a"b'}, "NaN")))
    out = cli("query", "up", "--time", str(NOW)).out
    assert 'up{job="shop"}  1' in out
    assert 'up{job="a\\"b"}  NaN' in out
    assert fake.requests[0].parameters == {"query": "up", "time": str(NOW)}


@pytest.mark.parametrize(
    ("kind", "result", "shown"),
    [("scalar", [NOW, "1.5"], "1.5\n"), ("string", [NOW, "hello"], "hello\n"), ("vector", [], "No series.\n")],
)
def test_what_is_no_table_is_a_line(cli: Cli, fake: FakeDaemon, kind: str, result: list[object], shown: str) -> None:
    fake.on("query", {"status": "success", "data": {"resultType": kind, "result": result}})
    assert cli("query", "x").out == shown


def test_a_mistake_in_the_expression_is_one_line(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("query", {"status": "error", "errorType": "bad_data", "error": "1:5: unexpected )"}, status=400)
    ran = cli("query", "sum()")
    assert (ran.code, ran.err) == (2, "watchkeeper: 1:5: unexpected )\n")


def test_a_range_of_one_series_is_a_chart(cli: Cli, fake: FakeDaemon) -> None:
    points = [(NOW + 15 * index, str(index % 5)) for index in range(20)]
    fake.on("query_range", matrix(({"job": "shop"}, points)))
    out = cli("query", "x", "--range", "5m", "--step", "15s", "--time", str(NOW + 285)).out
    assert fake.requests[0].parameters == {
        "query": "x", "start": str(NOW - 15), "end": str(NOW + 285), "step": "15.0"
    }  # fmt: skip
    lines = out.splitlines()
    assert lines[0] == '{job="shop"}'
    assert lines[1].startswith("4 ┤    █")
    assert lines[8].startswith("0 ┤▁")
    assert "last 4" in lines[9]


def test_a_range_of_many_series_has_a_line_for_each(cli: Cli, fake: FakeDaemon) -> None:
    rising = [(NOW + index, str(index)) for index in range(8)]
    fake.on("query_range", matrix(({"a": "1"}, rising), ({"a": "2"}, [(NOW, "3"), (NOW + 2, "3"), (NOW + 3, "1")])))
    lines = cli("query", "x", "--range", "1m").out.splitlines()
    assert lines[1].split() == ["▁▂▃▄▅▆▇█", "0", "7", "7", '{a="1"}']
    assert lines[2].split() == ["█", "█▁", "1", "3", "1", '{a="2"}']


def test_a_flat_line_is_drawn_flat() -> None:
    assert sparkline([0.0, 0.0], 10) == "▁▁"
    assert sparkline([5.0, 5.0], 10) == "██"


def test_a_peak_survives_the_narrowing() -> None:
    values = [0.0] * 1000
    values[501] = 9.0
    assert "█" in sparkline(values, 20)


@given(st.lists(st.floats(), max_size=200), st.integers(1, 80), st.integers(1, 12))
def test_any_values_can_be_drawn(values: list[float], width: int, height: int) -> None:
    lines = chart(values, width=width, height=height)
    assert len(lines) == height
    assert len({line.index("┤") for line in lines}) == 1
    assert all(len(line.partition("┤")[2]) <= width for line in lines)
    assert len(sparkline(values, width)) == min(width, len(values))


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=200), st.integers(1, 80))
def test_resampling_keeps_the_greatest(values: list[float], width: int) -> None:
    assert max(resample(values, width)) == max(values)
    assert not any(math.isnan(value) for value in resample(values, width))
