from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from collectors.collector import CollectorPlugin, Readings
from collectors.context import CollectorContext
from collectors.http_probe import HttpProbePlugin
from collectors.http_probe.probe import HttpProbe
from metrics.label import METRIC_NAME
from tests.collectors.conftest import Configure
from tests.collectors.peer import free_port
from tests.collectors.section import validated
from tests.collectors.server import endless, raw_serving, saying, serving, silent

Probe = Callable[..., HttpProbe]


@pytest.fixture
def make(context: CollectorContext) -> Probe:
    def made(url: str, **options: Any) -> HttpProbe:
        plugin: CollectorPlugin = HttpProbePlugin()
        config = validated(plugin, [{"name": "front", "url": url, **options}])
        [probe] = plugin.build(config, context)
        assert isinstance(probe, HttpProbe)
        return probe

    return made


def values_of(readings: Readings) -> dict[str, float]:
    """Return values by name, or by name and phase."""
    found = {}
    for labels, value in zip(readings.layout.series, readings.values.tolist(), strict=True):
        pairs = dict(labels)
        assert pairs["probe"] == "front"
        found[pairs[METRIC_NAME] + (f"/{pairs['phase']}" if "phase" in pairs else "")] = value
    return found


async def ask(probe: HttpProbe) -> tuple[dict[str, float], str]:
    try:
        readings = await probe.collect()
    finally:
        await probe.close()
    return values_of(readings), readings.problem


async def test_a_good_answer_is_told_in_full(make: Probe) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert (request.method, request.headers["X-Test"], await request.text()) == ("POST", "1", "ping")
        await asyncio.sleep(0.05)
        return web.Response(text="hello")

    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}/"
        values, problem = await ask(make(url, method="POST", body="ping", headers={"X-Test": "1"}))
    assert problem == ""
    assert values["probe_success"] == 1
    assert values["probe_http_status_code"] == 200
    assert values["probe_http_content_length"] == 5
    assert values["probe_http_uncompressed_body_length"] == 5
    assert values["probe_http_version"] == 1.1
    assert values["probe_http_ssl"] == 0
    assert values["probe_ip_protocol"] == 4
    assert values["probe_http_duration_seconds/processing"] >= 0.045
    assert values["probe_http_duration_seconds/connect"] > 0
    assert values["probe_http_duration_seconds/resolve"] == 0
    assert values["probe_http_duration_seconds/tls"] == 0
    assert values["probe_duration_seconds"] >= values["probe_http_duration_seconds/processing"]
    assert "probe_ssl_earliest_cert_expiry" not in values


async def test_time_to_resolve_a_name_is_told_apart(make: Probe) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    async with serving(handler) as port:
        values, problem = await ask(make(f"http://localhost:{port}/"))
    assert problem == ""
    assert values["probe_http_duration_seconds/resolve"] > 0
    assert values["probe_dns_lookup_time_seconds"] == values["probe_http_duration_seconds/resolve"]


async def test_time_of_the_transfer_is_told_apart(make: Probe) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a")
        await asyncio.sleep(0.05)
        await response.write(b"b")
        return response

    async with serving(handler) as port:
        values, _ = await ask(make(f"http://127.0.0.1:{port}/"))
    assert values["probe_http_duration_seconds/transfer"] >= 0.045
    assert values["probe_http_duration_seconds/processing"] <= values["probe_duration_seconds"] - 0.045
    assert values["probe_http_content_length"] == -1


@pytest.mark.parametrize(
    ("options", "status", "success", "regex_failed", "problem"),
    [
        ({}, 200, 1, 0, ""),
        ({}, 204, 1, 0, ""),
        ({}, 503, 0, 0, "HTTP 503"),
        ({"expect": {"status": [503]}}, 503, 1, 0, ""),
        ({"expect": {"status": [204]}}, 200, 0, 0, "HTTP 200"),
        ({"expect": {"body": "gre+n"}}, 200, 1, 0, ""),
        ({"expect": {"body": "blue"}}, 200, 0, 1, "the body lacks what is expected"),
        ({"expect": {"body_not": "green"}}, 200, 0, 1, "the body has what is not expected"),
        ({"expect": {"tls": True}}, 200, 0, 0, "the last address is not https"),
    ],
)
async def test_answers_are_judged_by_what_is_expected(
    make: Probe, options: dict[str, Any], status: int, success: float, regex_failed: float, problem: str
) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="all green" if status != 204 else None)

    async with serving(handler) as port:
        values, said = await ask(make(f"http://127.0.0.1:{port}/", **options))
    assert (values["probe_success"], values["probe_failed_due_to_regex"], said) == (success, regex_failed, problem)
    assert values["probe_http_status_code"] == status


async def test_redirects_are_counted_and_their_times_summed_up(make: Probe) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(0.03)
        if request.path == "/end":
            return web.Response()
        return web.Response(status=302, headers={"Location": "/end"})

    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}/"
        followed, _ = await ask(make(url))
        kept, problem = await ask(make(url, follow_redirects=False))
        one_allowed, _ = await ask(make(url, max_redirects=1))
    assert (followed["probe_http_redirects"], followed["probe_http_status_code"]) == (1, 200)
    assert followed["probe_http_duration_seconds/processing"] >= 0.055
    assert (kept["probe_http_redirects"], kept["probe_http_status_code"], problem) == (0, 302, "HTTP 302")
    assert one_allowed["probe_success"] == 1


async def test_too_many_redirects_fail(make: Probe) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/again"})

    async with serving(handler) as port:
        values, problem = await ask(make(f"http://127.0.0.1:{port}/", max_redirects=2))
    assert (values["probe_success"], problem) == (0, "more than 2 redirects")


async def test_a_dead_address_is_a_reading_not_an_error(make: Probe) -> None:
    values, problem = await ask(make(f"http://127.0.0.1:{free_port()}/"))
    assert (values["probe_success"], values["probe_http_status_code"], problem) == (0, 0, "connection refused")


@pytest.mark.parametrize("speak", [silent, endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.01)], ids=["silence", "trickle"])
async def test_a_slow_address_fails_at_the_timeout_of_the_probe(make: Probe, speak: Any) -> None:
    async with raw_serving(speak) as server:
        probe = make(f"http://127.0.0.1:{server.port}/", timeout="100ms")
        values, problem = await ask(probe)
        await asyncio.wait_for(server.disconnected.wait(), 5)
    assert (values["probe_success"], problem) == (0, "timeout: not done within 0.1 s")
    assert 0.09 < values["probe_duration_seconds"] < 5
    assert probe.timeout_seconds > 0.1


async def test_an_endless_body_takes_no_memory(make: Probe) -> None:
    async with raw_serving(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)) as server:
        values, _ = await ask(make(f"http://127.0.0.1:{server.port}/", timeout="150ms"))
    assert values["probe_success"] == 0


async def test_what_is_no_http_fails_with_its_reason(make: Probe) -> None:
    async with raw_serving(saying(b"SSH-2.0-OpenSSH\r\n")) as server:
        _, problem = await ask(make(f"http://127.0.0.1:{server.port}/"))
    assert problem.startswith("no valid HTTP answer")


async def test_each_probe_makes_a_new_connection_and_keeps_its_layout(make: Probe) -> None:
    ok = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with raw_serving(ok) as server:
        probe = make(f"http://127.0.0.1:{server.port}/")
        first, second = await probe.collect(), await probe.collect()
        await probe.close()
        assert server.connections == 2
    assert second.layout is first.layout


async def test_target_carries_name_address_and_labels(make: Probe) -> None:
    probe = make("http://127.0.0.1:1/", labels={"service": "shop", "environment": "production"})
    assert probe.source == "http_probe/front"
    assert probe.target_labels == {
        "job": "http_probe",
        "instance": "http://127.0.0.1:1/",
        "probe": "front",
        "service": "shop",
        "environment": "production",
    }
    labels = dict((await probe.collect()).layout.series[0])
    await probe.close()
    assert labels == {METRIC_NAME: "probe_success", "probe": "front", "service": "shop", "environment": "production"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{name: x, url: ftp://x/}]", "'ftp://x/' is no address; write http://host:port/path or https://host/path"),
        ("[{name: x, url: 'http://u:p@x/'}]", "has a user name or password in it; put them under basic_auth"),
        ("[{name: x, url: 'http://x:99999/'}]", "is no address"),
        ("[{name: x, url: http://x/, expect: {body: '('}}]", "is no regular expression"),
        ("[{name: x, url: http://x/, expect: {status: [20]}}]", "20 is no HTTP status; give numbers from 100 to 599"),
        ("[{name: x, url: http://x/, headers: {'a b': c}}]", "'a b' is no valid header"),
        ('[{name: x, url: http://x/, headers: {a: "b\\r\\nc"}}]', "'a' is no valid header"),
        ("[{name: x, url: http://x/, interval: 1s, timeout: 2s}]", "timeout 2 s is longer than interval 1 s"),
        ("[{name: x, url: http://x/}, {name: x, url: http://y/}]", "two probes are called 'x'"),
        ("[{name: x, url: http://x/, body: a, body_file: b}]", "has both body and body_file; keep one"),
    ],
)
def test_mistakes_in_the_config_are_refused(configure: Configure, text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        configure(HttpProbePlugin(), text)
    assert message in str(caught.value)
