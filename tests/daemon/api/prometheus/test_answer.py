"""Answers: in one piece or in parts, compressed, and failures in Prometheus' form."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import zlib
from typing import Any

import numpy as np
import pytest

from core.errors import StoreUnavailableError, UserError
from daemon.api.connections import Limits
from daemon.api.prometheus.answer import PART_BYTES, Parts
from daemon.api.prometheus.work import Worker
from metrics.label import labels_of
from metrics.promql.error import QueryError, QueryTimeoutError
from metrics.promql.result import Matrix, Vector
from tests.daemon.api.conftest import Serve, Served
from tests.fakes.clock import FakeClock

MANY = Matrix(
    [labels_of({"__name__": "x", "number": str(number)}) for number in range(200)],
    np.arange(1000) * 1000,
    np.random.default_rng(7).random((1000, 200)),
)
"""About 7 MB of JSON: more than sockets take without a reader."""

SOME = Matrix(MANY.series, MANY.timestamps_ms[:300], MANY.values[:300])
"""About 2 MB of JSON."""


async def raw(served: Served, coding: str) -> tuple[Any, bytes]:
    served.view.engine.answer = SOME
    address = served.url("/api/v1/query_range?query=x&start=0&end=999&step=1")
    async with served.client.get(address, headers={"Accept-Encoding": coding}) as response:
        return response, await response.read()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity", "br", "gzip;q=0, deflate", "*"])
async def test_a_large_answer_comes_in_parts_and_is_whole(served: Served, coding: str) -> None:
    response, body = await raw(served, coding)
    assert response.status == 200
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    wanted = {"br": None, "identity": None, "gzip;q=0, deflate": "deflate", "*": "gzip"}.get(coding, coding)
    assert response.headers.get("Content-Encoding") == wanted
    rows = json.loads(body)["data"]["result"]
    assert len(rows) == 200
    by_number = {int(row["metric"]["number"]): row["values"] for row in rows}
    assert float(by_number[17][299][1]) == MANY.values[299, 17]


async def test_a_client_that_takes_nothing_is_cut_off(serve: Serve) -> None:
    served = await serve(limits=Limits(write_seconds=0.05))
    served.view.engine.answer = MANY
    host, port = served.server.address.host, served.server.address.port
    reader, writer = await asyncio.open_connection(host, port, limit=2**12)
    request = f"GET /api/v1/query_range?query=x&start=0&end=999&step=1 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
    writer.write(request.encode())
    requests = served.view.registry
    async with asyncio.timeout(10):
        while not requests.get_sample_value(
            "watchkeeper_http_requests_total", {"handler": "/api/v1/query_range", "code": "200"}
        ):
            await asyncio.sleep(0.005)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await reader.readexactly(5_000_000)
    writer.close()


def test_parts_are_compressed_as_one_body() -> None:
    pieces = [f"{number:09d}".encode() for number in range(100_000)]
    for coding, open_ in (("gzip", gzip.decompress), ("deflate", zlib.decompress), ("", bytes)):
        parts, found = Parts(iter(pieces), coding), []
        is_last = False
        while not is_last:
            part, is_last = parts.next_part()
            found.append(part)
        assert len(found) > len(b"".join(pieces)) // (2 * PART_BYTES)
        assert open_(b"".join(found)) == b"".join(pieces)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (QueryError("many-to-many"), 422, "execution"),
        (QueryTimeoutError("too long"), 503, "timeout"),
        (UserError("wrong"), 422, "execution"),
        (StoreUnavailableError("the disk is full"), 503, "unavailable"),
        (RuntimeError("a bug"), 500, "internal"),
    ],
)
async def test_a_failure_has_status_and_type(served: Served, error: Exception, status: int, kind: str) -> None:
    served.view.engine.answer = error
    found, document = await served.get("/api/v1/query?query=up")
    assert (found, document["errorType"]) == (status, kind)
    assert document["status"] == "error"
    assert "data" not in document


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/api/v1/query", 405, "bad_data"),
        ("POST", "/api/v1/rules", 405, "bad_data"),
        ("OPTIONS", "/api/v1/query", 405, "bad_data"),
    ],
)
async def test_wrong_addresses_and_methods_are_told_in_the_same_form(
    served: Served, method: str, path: str, status: int, kind: str
) -> None:
    async with served.client.request(method, served.url(path), headers={"Origin": served.server.url[:-1]}) as response:
        assert response.status == status
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        document = await response.json()
    assert (document["status"], document["errorType"]) == ("error", kind)


async def test_another_site_may_not_ask_even_what_changes_nothing(served: Served) -> None:
    headers = {"Origin": "http://evil.example"}
    async with served.client.post(served.url("/api/v1/query"), data={"query": "up"}, headers=headers) as response:
        assert response.status == 403
        assert (await response.json())["status"] == "error"


async def test_a_body_that_is_too_large_is_refused_in_the_same_form(serve: Serve) -> None:
    served = await serve(limits=Limits(body_bytes=100))
    async with served.client.post(served.url("/api/v1/query"), data={"query": "x" * 200}) as response:
        assert response.status == 413
        assert (await response.json())["errorType"] == "bad_data"


async def test_a_limit_cuts_and_says_so(served: Served) -> None:
    series = [labels_of({"__name__": f"m{number}"}) for number in range(3)]
    served.view.engine.answer = Vector(series, np.arange(3.0), infos=("i",))
    _, document = await served.get("/api/v1/query?query=x&limit=2")
    assert [row["metric"]["__name__"] for row in document["data"]["result"]] == ["m0", "m1"]
    assert document["warnings"] == ["results truncated due to limit"]
    assert document["infos"] == ["i"]
    _, document = await served.get("/api/v1/query?query=x&limit=3")
    assert len(document["data"]["result"]) == 3
    assert "warnings" not in document


async def test_timeout_and_lookback_reach_the_engine(served: Served) -> None:
    await served.get("/api/v1/query?query=x&lookback_delta=1m&timeout=5s")
    options = served.view.engine.options
    assert options["lookback_ms"] == 60_000
    assert not options["is_over"]()
    await served.clock.advance(5.0)
    assert options["is_over"]()
    await served.get("/api/v1/query?query=x")
    assert served.view.engine.options["lookback_ms"] is None


async def test_a_question_waits_no_longer_than_it_may() -> None:
    clock = FakeClock()
    worker = Worker(clock)
    with pytest.raises(QueryTimeoutError, match="before it was begun"):
        await worker.run(lambda: 1, worker.deadline(0.0))
    assert await worker.run(lambda: 1, worker.deadline()) == 1


async def test_work_that_takes_too_long_is_left_behind_and_keeps_its_place() -> None:
    worker, let_go = Worker(FakeClock()), threading.Event()
    short = worker.deadline(0.05)
    with pytest.raises(QueryTimeoutError, match="took longer"):
        await worker.run(let_go.wait, short)
    with pytest.raises(QueryTimeoutError, match="took longer"):
        await worker.run(let_go.wait, short)
    with pytest.raises(QueryTimeoutError, match="waited for others"):
        await worker.run(lambda: 1, short)
    let_go.set()
    assert await worker.run(lambda: 1, worker.deadline()) == 1
