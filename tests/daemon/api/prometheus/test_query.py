"""Questions in PromQL, answered as Prometheus does."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.prometheus.number import (
    format_milliseconds,
    format_moment,
    format_number,
    format_numbers,
    format_scientific,
)
from daemon.api.prometheus.result import result_pieces
from metrics.label import labels_of
from metrics.promql.error import QueryError
from metrics.promql.result import Matrix, Result, Scalar, String, Vector
from metrics.storage import MISSING
from tests.daemon.api.conftest import Served


def document(result: Result, at_ms: int, limit: int = 0) -> Any:
    return json.loads(b"".join(result_pieces(result, at_ms, limit=limit)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (0.25, "0.25"), (-1.5, "-1.5"), (1e6, "1000000"),
        (1e15, "1000000000000000"),
        (1e20, "100000000000000000000"), (1e21, "1e+21"), (0.00001, "0.00001"), (0.000001, "0.000001"),
        (1e-7, "1e-07"), (1.5e-10, "1.5e-10"), (123456789.125, "123456789.125"),
        (math.inf, "+Inf"), (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_a_number_is_written_as_prometheus_writes_it(value: float, text: str) -> None:
    assert format_number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_number_reads_back_as_itself(value: float) -> None:
    assert float(format_number(value)) == value


@given(st.lists(st.floats()))
def test_many_numbers_are_written_like_each_of_them(values: list[float]) -> None:
    again = [*values, *values]
    assert format_numbers(again) == [format_number(value) for value in again]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1e+00"), (0.0, "0e+00"), (-0.0, "-0e+00"), (84.2, "8.42e+01"), (100.0, "1e+02"), (1e-9, "1e-09"),
     (-123456.5, "-1.234565e+05"), (1e300, "1e+300"), (math.inf, "+Inf"), (math.nan, "NaN")],
)  # fmt: skip
def test_an_alerts_value_has_an_exponent(value: float, text: str) -> None:
    assert format_scientific(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_an_alerts_value_reads_back_as_itself(value: float) -> None:
    assert float(format_scientific(value)) == value


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0"), (5500, "5.500"), (1_795_382_884_395, "1795382884.395"), (1090, "1.090"), (-5, "-0.005"), (-1000, "-1")],
)
def test_a_time_is_whole_or_has_three_digits(milliseconds: int, text: str) -> None:
    assert format_milliseconds(milliseconds) == text


def test_a_moment_is_written_as_go_writes_it() -> None:
    assert format_moment(1500.25) == "1970-01-01T00:25:00.25Z"
    assert format_moment(1500.0) == "1970-01-01T00:25:00Z"
    assert format_moment(None) == "0001-01-01T00:00:00Z"


def test_a_scalar_and_a_string_carry_their_time() -> None:
    assert document(Scalar(1.5), 1500)["data"] == {"resultType": "scalar", "result": [1.5, "1.5"]}
    assert document(Scalar(1e21), 0)["data"]["result"] == [0, "1" + "0" * 21]
    assert document(String("x"), 1500)["data"] == {"resultType": "string", "result": [1.5, "x"]}


def test_a_vector_keeps_what_is_no_number() -> None:
    vector = Vector([labels_of({"__name__": "a"}), labels_of({"b": "c"})], np.array([math.nan, math.inf]))
    assert document(vector, 2000)["data"] == {
        "resultType": "vector",
        "result": [
            {"metric": {"__name__": "a"}, "value": [2.0, "NaN"]},
            {"metric": {"b": "c"}, "value": [2.0, "+Inf"]},
        ],
    }


def test_a_matrix_leaves_holes_out_and_keeps_nan() -> None:
    values = np.array([[1.0, MISSING], [MISSING, MISSING], [math.nan, MISSING]])
    matrix = Matrix([labels_of({"a": "1"}), labels_of({"a": "2"})], np.array([0, 500, 1000]), values)
    assert document(matrix, 0)["data"]["result"] == [{"metric": {"a": "1"}, "values": [[0.0, "1"], [1.0, "NaN"]]}]


def test_warnings_stand_beside_the_data() -> None:
    noted = document(Scalar(1.0, warnings=("w",), infos=("i",)), 0)
    assert (noted["warnings"], noted["infos"]) == (["w"], ["i"])
    assert "warnings" not in document(Scalar(1.0), 0)


async def test_a_query_is_answered_for_now(served: Served) -> None:
    status, document = await served.get("query", params={"query": "up"})
    assert status == 200
    assert document == {
        "status": "success",
        "data": {"resultType": "scalar", "result": [served.clock.now(), "42"]},
    }


@pytest.mark.parametrize("time", ["1500.25", "1970-01-01T00:25:00.25Z", "1970-01-01T01:25:00.250+01:00"])
async def test_a_time_is_unix_seconds_or_rfc_3339(served: Served, time: str) -> None:
    _, document = await served.get("query", params={"query": "up", "time": time})
    assert document["data"]["result"][0] == 1500.25


@pytest.mark.parametrize("step", ["15", "15s", "15.0", "15000ms"])
async def test_a_range_is_answered_by_steps(served: Served, step: str) -> None:
    parameters = {"query": "up", "start": "1000", "end": "1060", "step": step}
    status, document = await served.get("query_range", params=parameters)
    assert status == 200
    assert document["data"]["resultType"] == "matrix"
    assert [time for time, _ in document["data"]["result"][0]["values"]] == [1000, 1015, 1030, 1045, 1060]


async def test_a_form_and_a_json_body_ask_too(served: Served) -> None:
    async with served.client.post(served.url("query"), data={"query": "up", "time": "5"}) as response:
        assert (await response.json())["data"]["result"] == [5, "42"]
    assert (await served.post("query", {"query": "up", "time": 5}))[1]["data"]["result"] == [5, "42"]


@pytest.mark.parametrize(
    ("path", "parameters", "named"),
    [
        ("query", {}, "query"),
        ("query", {"query": "  "}, "query"),
        ("query", {"query": "up{"}, ""),
        ("query", {"query": "(" * 20000}, ""),
        ("query", {"query": "up", "time": "yesterday"}, "time"),
        ("query", {"query": "up", "time": "1e300"}, "time"),
        ("query", {"query": "up", "time": "NaN"}, "time"),
        ("query", {"query": "up", "time": "2020-01-01T00:00:00"}, "time"),
        ("query_range", {"query": "up"}, "start"),
        ("query_range", {"query": "up", "start": "5", "end": "1", "step": "1"}, "end"),
        ("query_range", {"query": "up", "start": "1", "end": "5"}, "step"),
        ("query_range", {"query": "up", "start": "1", "end": "5", "step": "0"}, "step"),
        ("query_range", {"query": "up", "start": "1", "end": "5", "step": "-1"}, ""),
        ("query_range", {"query": "up", "start": "1", "end": "5", "step": "5 parsecs"}, "parsecs"),
        ("query_range", {"query": "up", "start": "0", "end": "11001", "step": "1"}, "step"),
    ],
)
async def test_a_wrong_question_is_bad_data(served: Served, path: str, parameters: dict[str, str], named: str) -> None:
    async with served.client.post(served.url(path), data=parameters) as response:
        document = await response.json()
        assert response.status == 400
    assert (document["status"], document["errorType"]) == ("error", "bad_data")
    assert named in document["error"]


async def test_a_question_without_an_answer_is_an_execution_error(served: Served) -> None:
    served.view.engine.answer = QueryError("many-to-many matching not allowed; add on() or ignoring()")
    status, document = await served.get("query", params={"query": "up"})
    assert status == 422
    assert document["errorType"] == "execution"
    assert "many-to-many" in document["error"]
