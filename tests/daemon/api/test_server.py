"""The server as its clients see it, over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
from contextlib import suppress
from io import BytesIO

import pytest
from aiohttp import ClientSession, encode_basic_auth

from core.errors import (
    ConfigError,
    ConflictError,
    NotFoundError,
    PermanentError,
    Problem,
    StoreUnavailableError,
    UserError,
)
from core.logbook import Fault
from daemon.api.connections import Limits
from daemon.api.server import WebServer
from tests.daemon.api.conftest import Serve, Served, Settings
from tests.daemon.api.fake_view import FakeView, make_alert, make_incident, make_operation, make_service, make_target
from tests.fakes.clock import FakeClock, settle


async def test_the_overview_tells_everything(served: Served) -> None:
    view = served.view
    view.collectors.shown = [make_target("system")]
    view.alerting.shown = [make_alert("HighCpu")]
    view.alerting.opened = [make_incident(1)]
    view.actions.status = [make_service()]
    view.actions.done = [make_operation()]
    await view.logbook.append("daemon.started", "daemon", {})
    status, overview = await served.get("overview")
    assert status == 200
    assert overview["version"] == "0.1.0"
    assert overview["hostname"] == "watch-1"
    assert overview["health"]["status"] == "healthy"
    assert overview["config"]["error"] is None
    assert [target["source"] for target in overview["targets"]] == ["system"]
    assert [alert["name"] for alert in overview["alerts"]] == ["HighCpu"]
    assert [incident["id"] for incident in overview["incidents"]] == [1]
    assert [service["current"] for service in overview["services"]] == [7]
    assert [operation["steps"][0]["name"] for operation in overview["operations"]] == ["unpack artifact"]
    assert [entry["kind"] for entry in overview["logbook"]] == ["daemon.started"]


async def test_the_overview_stays_while_the_database_cannot_be_read(served: Served) -> None:
    await served.view.logbook.append("daemon.started", "daemon", {})
    await served.get("overview")
    served.view.logbook.broken = True
    status, overview = await served.get("overview")
    assert status == 200
    assert [entry["kind"] for entry in overview["logbook"]] == ["daemon.started"]


@pytest.mark.parametrize(
    ("path", "key"),
    [("alerts", "alerts"), ("incidents", "incidents"), ("targets", "targets"), ("services", "services"),
     ("operations", "operations"), ("logbook", "entries"), ("health", "status"), ("rules", "rules")],
)  # fmt: skip
async def test_every_list_has_an_address(served: Served, path: str, key: str) -> None:
    status, document = await served.get(path)
    assert status == 200
    assert key in document


async def test_an_incident_comes_with_its_timeline(served: Served) -> None:
    served.view.alerting.opened = [make_incident(7)]
    await served.view.logbook.append("incident.opened", "incident/7", {"title": "x"})
    await served.view.logbook.append("incident.opened", "incident/8", {"title": "y"})
    _, incident = await served.get("incidents/7")
    assert incident["title"].startswith("HighErrorRate")
    assert [entry["subject"] for entry in incident["timeline"]] == ["incident/7"]


@pytest.mark.parametrize("path", ["incidents/9", "incidents/x", "incidents/" + "9" * 30, "operations/none", "nothing"])
async def test_what_does_not_exist_is_404_in_json(served: Served, path: str) -> None:
    status, document = await served.get(path)
    assert status == 404
    assert document["error"]["message"]


async def test_a_wrong_method_is_405_and_names_the_right_ones(served: Served) -> None:
    async with served.client.delete(served.url("overview")) as response:
        assert response.status == 405
        assert "GET" in response.headers["Allow"]
        assert (await response.json())["error"]["remedy"]


async def test_the_logbook_is_read_by_kind_subject_and_number(served: Served) -> None:
    for kind in ("alert.firing", "alert.resolved", "daemon.started"):
        await served.view.logbook.append(kind, "x/1", {})
    _, both = await served.get("logbook?kind=alert.")
    assert [entry["number"] for entry in both["entries"]] == [1, 2]
    _, later = await served.get("logbook?after=1&limit=1")
    assert [entry["number"] for entry in later["entries"]] == [2]
    _, last = await served.get("logbook?newest=1&limit=1")
    assert [entry["number"] for entry in last["entries"]] == [3]


@pytest.mark.parametrize("query", ["after=-1", "limit=x", "limit=100001", "after=1.5", "limit=²", "after=" + "9" * 40])
async def test_a_wrong_number_is_refused_with_its_name(served: Served, query: str) -> None:
    status, document = await served.get(f"logbook?{query}")
    assert status == 400
    assert query.partition("=")[0] in document["error"]["message"]


async def test_the_chain_is_verified(served: Served) -> None:
    await served.view.logbook.append("daemon.started", "daemon", {})
    served.view.logbook.faults = [Fault(1, "changed")]
    assert await served.get("logbook/verify") == (200, {"entries": 1, "faults": [{"number": 1, "reason": "changed"}]})


async def test_health_is_always_200_and_readiness_is_not(served: Served) -> None:
    served.view.ready = False
    assert (await served.get("/-/healthy"))[0] == 200
    assert await served.get("/-/ready") == (503, {"ready": False})
    served.view.ready = True
    assert await served.get("/-/ready") == (200, {"ready": True})


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload_reloads(served: Served, method: str) -> None:
    async with served.client.request(method, served.url("/-/reload")) as response:
        assert response.status == 200
    assert served.view.reloads == ["local"]


async def test_a_refused_reload_tells_every_mistake(served: Served) -> None:
    served.view.reload_failure = ConfigError(
        [Problem("a.yml", 3, 1, "x", "unknown key"), Problem("a.yml", 4, 1, "y", "z")]
    )
    status, document = await served.post("/-/reload")
    assert status == 400
    assert document["error"]["message"] == "a.yml:3:1: x: unknown key\na.yml:4:1: y: z"
    assert "keeps running" in document["error"]["remedy"]


async def test_an_operation_is_asked_for(served: Served) -> None:
    body = {
        "kind": "rollback",
        "service": "shop",
        "environment": "production",
        "parameters": {"revision": 6},
        "reason": "bad",
    }
    status, operation = await served.post("operations", body)
    assert status == 202
    assert served.view.actions.asked == [("rollback", "shop", "production", {"revision": 6}, "local", "bad")]
    assert (await served.get(f"operations/{operation['id']}"))[1]["state"] == "pending"
    assert (await served.post(f"operations/{operation['id']}/cancel"))[1]["state"] == "cancelled"
    assert (await served.post(f"operations/{operation['id']}/cancel"))[0] == 409


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "kind"),
        ({"kind": 3}, "kind"),
        ({"kind": "deploy", "parameters": [1]}, "parameters"),
        ({"kind": "deploy", "service": None}, "service"),
        ({"kind": "deploy", "servise": "shop"}, "servise"),
        ([], "list"),
        ("x", "str"),
    ],
)
async def test_a_wrong_operation_is_refused_by_name(served: Served, body: object, named: str) -> None:
    status, document = await served.post("operations", body)
    assert status == 400
    assert named in document["error"]["message"]
    assert served.view.actions.asked == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 20000, b'{"kind": NaN}', b'{"a":' * 60 + b"1" + b"}" * 60])
async def test_what_is_no_json_object_is_refused(served: Served, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with served.client.post(served.url("operations"), data=body, headers=headers) as response:
        assert response.status in (400, 415)
        assert (await response.json())["error"]["remedy"]


@pytest.mark.parametrize(
    ("failure", "status", "message", "remedy"),
    [
        (NotFoundError("there is no service 'x'; known are: shop"), 404, "there is no service 'x'", "known are: shop"),
        (ConflictError("shop is busy; wait"), 409, "shop is busy", "wait"),
        (UserError("'to' is wrong; give another"), 400, "'to' is wrong", "give another"),
        (StoreUnavailableError("the disk is full"), 503, "the disk is full", ""),
        (PermanentError("it broke"), 500, "it broke", ""),
    ],
)
async def test_a_failure_says_whose_turn_it_is(
    served: Served, failure: Exception, status: int, message: str, remedy: str
) -> None:
    served.view.actions.refusal = failure
    got, document = await served.post("operations", {"kind": "deploy"})
    assert got == status
    assert document == {"error": {"message": message, "remedy": remedy}}


@pytest.mark.parametrize("kind", ["command", "webhook"])
async def test_who_reaches_loopback_cannot_run_what_he_brings_along(served: Served, kind: str) -> None:
    status, document = await served.post("operations", {"kind": kind, "parameters": {"argv": ["id"]}})
    assert status == 403
    assert document["error"]["remedy"] == "set web.token_file"
    assert served.view.actions.asked == []


async def test_an_unexpected_error_is_logged_and_not_shown(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.view.actions.refusal = RuntimeError("secret detail")
    with caplog.at_level(logging.ERROR):
        status, document = await served.post("operations", {"kind": "deploy"})
    assert status == 500
    assert "secret" not in json.dumps(document)
    assert "secret detail" in caplog.text


async def test_numbers_that_json_does_not_know_are_told_as_text(served: Served) -> None:
    served.view.alerting.shown = [make_alert("A", value=float("nan")), make_alert("B", value=float("inf"))]
    _, document = await served.get("alerts")
    assert [alert["value"] for alert in document["alerts"]] == ["NaN", "+Inf"]


async def test_text_that_is_no_unicode_does_not_break_an_answer(served: Served) -> None:
    served.view.collectors.shown = [make_target("system", last_error="\udcff")]
    assert (await served.get("targets"))[0] == 200


async def test_a_large_answer_is_compressed_where_the_client_takes_it(served: Served) -> None:
    served.view.collectors.shown = [make_target(f"scrape/{number}") for number in range(50)]
    async with ClientSession(auto_decompress=False) as client:
        async with client.get(served.url("targets"), headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert len(json.loads(gzip.decompress(await response.read()))["targets"]) == 50
        for accept in ("identity", "gzip;q=0"):
            async with client.get(served.url("targets"), headers={"Accept-Encoding": accept}) as response:
                assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("path", ["/", "/console/main.js", "overview", "nothing", "/-/healthy"])
async def test_every_answer_carries_the_security_headers(served: Served, path: str) -> None:
    async with served.client.get(served.url(path)) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_the_console_and_its_files_are_served(served: Served) -> None:
    async with served.client.get(served.url("/")) as response:
        assert response.content_type == "text/html"
        page = await response.text()
    for name in ("page.css", "theme.css", "main.js", "icon.svg"):
        assert f"/console/{name}" in page
        async with served.client.get(served.url(f"/console/{name}")) as response:
            assert response.status == 200
            tag = response.headers["ETag"]
        async with served.client.get(served.url(f"/console/{name}"), headers={"If-None-Match": tag}) as response:
            assert response.status == 304


@pytest.mark.parametrize("name", ["absent.js", "..%2f..%2fapp.py", "%2e%2e%2fapi%2fserver.py", "%00"])
async def test_nothing_but_the_consoles_files_is_served(served: Served, name: str) -> None:
    assert (await served.get(f"/console/{name}"))[0] == 404


async def test_a_foreign_host_is_refused(served: Served) -> None:
    status, document = await served.get("overview", headers={"Host": "evil.example"})
    assert status == 403
    assert "evil.example" in document["error"]["message"]


async def test_a_foreign_origin_may_not_act(served: Served) -> None:
    assert (await served.post("operations", {"kind": "deploy"}, headers={"Origin": "http://evil.example"}))[0] == 403
    assert (await served.post("/-/reload", headers={"Origin": "http://evil.example"}))[0] == 403
    assert served.view.actions.asked == []
    assert served.view.reloads == []


async def test_a_form_may_not_act(served: Served) -> None:
    async with served.client.post(served.url("operations"), data={"kind": "deploy"}) as response:
        assert response.status == 415


async def test_with_a_token_browser_and_prometheus_sign_in_each_in_its_way(serve: Serve) -> None:
    served = await serve("hunter2")
    assert (await served.get("overview"))[0] == 401
    assert (await served.get("/-/healthy"))[0] == 200
    assert (await served.get("overview", headers={"Authorization": "Bearer hunter2"}))[0] == 200
    assert (await served.get("overview", headers={"Authorization": encode_basic_auth("alice", "hunter2")}))[0] == 200
    kinds = [(entry.kind, entry.actor) for entry in served.view.logbook.entries]
    assert kinds == [("sign_in.succeeded", "token")]


async def test_who_signed_in_acts_under_that_name(serve: Serve) -> None:
    served = await serve("hunter2")
    await served.post(
        "operations", {"kind": "deploy"}, headers={"Authorization": encode_basic_auth("alice", "hunter2")}
    )
    assert served.view.actions.asked[0][4] == "token:alice"


async def test_a_failed_sign_in_is_written_down_without_the_token(serve: Serve) -> None:
    served = await serve("hunter2")
    statuses = [(await served.get("overview", headers={"Authorization": "Bearer wrong-one"}))[0] for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert [entry.kind for entry in served.view.logbook.entries] == ["sign_in.failed"] * 5
    assert "wrong-one" not in repr(served.view.logbook.entries)
    assert served.view.registry.get_sample_value("watchkeeper_sign_in_failures_total") == 5


async def test_a_broken_logbook_keeps_nobody_from_looking(serve: Serve) -> None:
    served = await serve("hunter2")
    served.view.logbook.broken = True
    assert (await served.get("overview", headers={"Authorization": "Bearer hunter2"}))[0] == 200


async def test_requests_are_counted_by_handler(served: Served) -> None:
    await served.get("overview")
    await served.get("incidents/9")
    await served.get("nowhere/at/all")
    value = served.view.registry.get_sample_value
    root = "/api/watchkeeper/v1"
    assert value("watchkeeper_http_requests_total", {"handler": f"{root}/overview", "code": "200"}) == 1
    assert value("watchkeeper_http_requests_total", {"handler": f"{root}/incidents/{{id}}", "code": "404"}) == 1
    assert value("watchkeeper_http_requests_total", {"handler": "unknown", "code": "404"}) == 1
    assert value("watchkeeper_http_request_duration_seconds_count", {"handler": f"{root}/overview"}) == 1


async def test_a_port_in_use_is_told_with_a_remedy() -> None:
    view = FakeView(FakeClock())
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = WebServer(view, Settings(f"127.0.0.1:{port}"))
        with pytest.raises(UserError, match=rf"web\.listen: cannot listen on 127\.0\.0\.1:{port}.*change web\.listen"):
            await server.start()
        await server.stop()
    assert view.tasks.names == []


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "example.org:80", ":0"])
def test_another_address_needs_a_token(listen: str) -> None:
    with pytest.raises(UserError, match=r"set web\.token_file"):
        WebServer(FakeView(FakeClock()), Settings(listen))


async def test_a_missing_token_file_keeps_the_server_from_starting() -> None:
    server = WebServer(FakeView(FakeClock()), Settings(token_file="/nowhere/token"))
    with pytest.raises(UserError, match=r"web\.token_file: /nowhere/token"):
        await server.start()
    await server.stop()


async def test_stop_comes_before_start_and_twice() -> None:
    server = WebServer(FakeView(FakeClock()), Settings())
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()


async def _open(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", served.server.address.port)


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            while await reader.read(4096):
                pass
    return True


async def _arrive(served: Served, count: int) -> None:
    """Wait, in real time since sockets are real, until the server has accepted `count` connections."""
    async with asyncio.timeout(5):
        while served.view.registry.get_sample_value("watchkeeper_http_connections") != count:
            await asyncio.sleep(0.005)


async def test_fifty_slow_clients_are_let_go_and_nobody_else_waits(served: Served) -> None:
    slow = [await _open(served) for _ in range(50)]
    for _, writer in slow:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    await _arrive(served, 50)
    for _ in range(9):
        await served.clock.advance(1.0)
        for _, writer in slow:
            writer.write(b"a")
        await settle()
    assert (await served.get("/-/healthy"))[0] == 200
    await served.clock.advance(1.0)
    assert all([await _is_closed(reader) for reader, _ in slow])
    for _, writer in slow:
        writer.close()


async def test_a_silent_client_is_let_go(served: Served) -> None:
    reader, writer = await _open(served)
    await _arrive(served, 1)
    await served.clock.advance(10.0)
    assert await _is_closed(reader)
    writer.close()


async def test_a_kept_alive_connection_may_rest_for_75_seconds(served: Served) -> None:
    assert (await served.get("/-/healthy"))[0] == 200
    await served.clock.advance(74.0)
    assert served.view.registry.get_sample_value("watchkeeper_http_connections") == 1
    await served.clock.advance(2.0)
    assert served.view.registry.get_sample_value("watchkeeper_http_connections") == 0


async def test_when_all_places_are_taken_the_longest_waiting_makes_room(serve: Serve) -> None:
    served = await serve(limits=Limits(connections=3))
    slow = []
    for number in range(3):
        slow.append(await _open(served))
        await _arrive(served, number + 1)
        await served.clock.advance(1.0)
    assert (await served.get("/-/healthy"))[0] == 200
    assert await _is_closed(slow[0][0])
    for _, writer in slow:
        writer.close()


async def test_a_slow_body_is_given_up(serve: Serve) -> None:
    served = await serve(limits=Limits(body_seconds=0.05))
    reader, writer = await _open(served)
    writer.write(
        b"POST /api/watchkeeper/v1/operations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 100\r\n\r\n{"kind": '
    )
    assert await _is_closed(reader)
    writer.close()
    assert served.view.actions.asked == []


async def test_a_large_body_is_refused(served: Served) -> None:
    body = BytesIO(b'{"kind": "' + b"x" * 1024 * 1024 + b'"}')
    headers = {"Content-Type": "application/json"}
    async with served.client.post(served.url("operations"), data=body, headers=headers) as response:
        assert response.status == 413
        assert (await response.json())["error"]["remedy"] == "send a smaller body"


async def test_a_compression_bomb_is_refused(served: Served) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with served.client.post(served.url("operations"), data=bomb, headers=headers) as response:
        assert response.status == 413


async def test_what_is_no_http_is_refused_without_a_traceback(served: Served) -> None:
    reader, writer = await _open(served)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.")
    assert b" 400 " in answer
    assert b"Traceback" not in answer
    writer.close()
