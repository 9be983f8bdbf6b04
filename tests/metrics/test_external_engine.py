"""Expressions evaluated by another server."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

from metrics.external_engine import PAUSE_SECONDS, Answers, ExternalEngine, ExternalQueryError
from metrics.label import labels_of
from metrics.promql.error import QueryError
from metrics.promql.parse import parse
from metrics.promql.result import Matrix, Scalar, String, Vector
from metrics.storage import is_missing

UP = parse("up")


@dataclass
class Server:
    """Answers every question alike, and notes it."""

    answer: tuple[int, bytes] = (200, b"{}")
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    url: str = ""
    close_after: bool = False

    def give(self, kind: str, result: Any, **more: Any) -> None:
        document = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
        self.answer = (200, json.dumps(document).encode())

    def refuse(self, status: int, kind: str, error: str) -> None:
        self.answer = (status, json.dumps({"status": "error", "errorType": kind, "error": error}).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            fields = {name: values[0] for name, values in parse_qs(body).items()}
            state.asked.append((self.path, fields, self.headers.get("Authorization", "")))
            status, content = state.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = state.close_after

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}/prefix/"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


Make = Callable[..., ExternalEngine]


@pytest.fixture
def make(server: Server) -> Iterator[Make]:
    """Make engines whose connections end with the test."""
    made: list[ExternalEngine] = []

    def engine(url: str = server.url, **options: Any) -> ExternalEngine:
        made.append(ExternalEngine(url, **{"timeout_seconds": 5.0, **options}))
        return made[-1]

    yield engine
    for one in made:
        one.close()


def test_questions_are_those_of_prometheus(server: Server, make: Make) -> None:
    engine = make(headers=lambda: {"Authorization": "Bearer x"})
    server.give("vector", [])
    engine.instant(UP, 1_700_000_000_123)
    server.give("matrix", [])
    engine.range(UP, 1000, 2500, 500)
    steps = {"start": "1.000", "end": "2.500", "step": "0.500"}
    assert server.asked == [
        ("/prefix/api/v1/query", {"query": "up", "time": "1700000000.123", "timeout": "5s"}, "Bearer x"),
        ("/prefix/api/v1/query_range", {"query": "up", **steps, "timeout": "5s"}, "Bearer x"),
    ]


def test_answers_of_every_type_are_read(server: Server, make: Make) -> None:
    engine = make()
    server.give("scalar", [1, "1.5"], warnings=["w"], infos=["i"])
    scalar = engine.instant(UP, 0)
    assert isinstance(scalar, Scalar)
    assert (scalar.value, scalar.warnings, scalar.infos) == (1.5, ("w",), ("i",))
    server.give("string", [1, "x"])
    assert isinstance(engine.instant(UP, 0), String)
    rows = [{"metric": {"b": "1", "a": "2"}, "value": [1, "NaN"]}, {"metric": {}, "value": [1, "-Inf"]}]
    server.give("vector", [*rows, {"metric": {"h": "native"}, "histogram": [1, {}]}])
    vector = engine.instant(UP, 0)
    assert isinstance(vector, Vector)
    assert list(vector.series) == [labels_of({"a": "2", "b": "1"}), ()]
    assert math.isnan(vector.values[0])
    assert vector.values[1] == -math.inf
    matrix_rows = [{"metric": {"a": "1"}, "values": [[1, "1"], [2, "2"]]}, {"metric": {}, "values": [[1.5, "3"]]}]
    server.give("matrix", matrix_rows)
    matrix = engine.range(UP, 0, 1, 1)
    assert isinstance(matrix, Matrix)
    assert matrix.timestamps_ms.tolist() == [1000, 1500, 2000]
    assert is_missing(matrix.values).tolist() == [[False, True], [True, False], [False, True]]
    assert np.nansum(matrix.values) == 6


@pytest.mark.parametrize(
    ("status", "kind", "error", "message"),
    [
        (400, "bad_data", "unknown function", QueryError),
        (422, "execution", "many-to-many", QueryError),
        (503, "timeout", "query timed out", ExternalQueryError),
        (500, "internal", "disk", ExternalQueryError),
    ],
)
def test_errors_of_the_server_are_told(
    server: Server, make: Make, status: int, kind: str, error: str, message: type[Exception]
) -> None:
    server.refuse(status, kind, error)
    with pytest.raises(message, match=error):
        make().instant(UP, 0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>\nno such page", "status 404 and no JSON: '<html> no such page'; see query.url"),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"x"]}]}}', "cannot be read"),
        (b'{"status":"success","data":{"resultType":"odd","result":[]}}', "unknown type 'odd'"),
    ],
)
def test_answers_of_something_else_are_told(server: Server, make: Make, body: bytes, message: str) -> None:
    server.answer = (404, body)
    with pytest.raises(ExternalQueryError, match=message):
        make().instant(UP, 0)


def test_a_server_that_does_not_answer_is_not_asked_by_every_rule(server: Server, make: Make) -> None:
    now = [0.0]
    engine = make("http://127.0.0.1:1", monotonic=lambda: now[0])
    with pytest.raises(
        ExternalQueryError, match=r"http://127\.0\.0\.1:1 cannot be asked: connection refused; see query"
    ):
        engine.instant(UP, 0)
    engine._parts = make()._parts
    with pytest.raises(ExternalQueryError, match="connection refused"):
        engine.instant(UP, 0)
    assert server.asked == []
    now[0] = PAUSE_SECONDS
    server.give("vector", [])
    engine.instant(UP, 0)


def test_a_connection_that_the_server_ended_is_made_anew(server: Server, make: Make) -> None:
    engine = make()
    server.close_after = True
    server.give("vector", [])
    for _ in range(3):
        engine.instant(UP, 0)
    assert len(server.asked) == 3


def test_answers_give_what_was_asked_before(server: Server, make: Make) -> None:
    answers = Answers(make(), 5000)
    server.give("scalar", [5, "1"])
    answers.ask([UP])
    server.refuse(422, "execution", "ambiguous")
    other = parse("down")
    answers.ask([other])
    assert isinstance(answers.instant(UP, 5000), Scalar)
    with pytest.raises(QueryError, match="ambiguous"):
        answers.instant(other, 5000)
