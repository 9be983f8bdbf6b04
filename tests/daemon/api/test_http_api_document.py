"""docs/http-api.md lists every address, with its methods, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from daemon.api.connections import Limits
from daemon.api.overview import OverviewBuilder
from daemon.api.prometheus.query import MAX_POINTS
from daemon.api.prometheus.work import AT_ONCE, LONGEST_SECONDS
from daemon.api.routes import MAX_ENTRIES, MAX_OPERATIONS, Routes
from daemon.api.stream import Stream
from security.gate import OPEN_PATHS, QUERY_PATHS, SIGNED_PATHS
from tests.daemon.api.fake_view import FakeView
from tests.fakes.clock import FakeClock

DOCUMENT = Path(__file__).parents[3] / "docs" / "http-api.md"

_ROW = re.compile(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|", re.MULTILINE)


async def served_routes() -> set[tuple[str, str]]:
    view = FakeView(FakeClock())
    overview = OverviewBuilder(view)
    stream = Stream(overview, clock=view.clock, tasks=view.tasks, limits=Limits())
    table = Routes(view, overview, stream, Limits()).table()
    return {(route.method, route.path) for route in table if isinstance(route, web.RouteDef)}


async def test_every_address_is_in_the_document() -> None:
    written = {
        (method.strip(), path) for path, methods in _ROW.findall(DOCUMENT.read_text()) for method in methods.split(",")
    }
    assert written == await served_routes()


async def test_an_address_that_is_read_by_post_is_known_to_the_gate() -> None:
    routes = await served_routes()
    read_by_post = {path for method, path in routes if method == "POST" and ("GET", path) in routes}
    own = "/api/watchkeeper/v1"
    incidents = {f"{own}/incidents", f"{own}/incidents/{{id}}/review", f"{SIGNED_PATHS}{{token}}"}
    changing = {f"{own}/operations", *incidents, "/api/v2/alerts", "/api/v2/silences"}
    gone = {"/api/v1/alerts", "/api/v1/silences"}
    assert read_by_post - changing - gone == QUERY_PATHS
    assert {path for _, path in routes} >= OPEN_PATHS


def test_the_limits_in_the_document_are_those_that_hold() -> None:
    text = " ".join(DOCUMENT.read_text().split())
    assert f"{AT_ONCE} questions are worked on" in text
    assert f"may take {LONGEST_SECONDS / 60:g} minutes" in text
    assert f"{MAX_POINTS:,} steps" in text
    assert f"no part of a long answer for {Limits().write_seconds:g} seconds" in text
    assert f"the body is larger than {Limits().body_bytes // 2**20} MiB" in text
    assert f"{Limits().streams} viewers" in text
    assert f"at most {MAX_ENTRIES:,}" in text
    assert f"at most {MAX_OPERATIONS:,}" in text
