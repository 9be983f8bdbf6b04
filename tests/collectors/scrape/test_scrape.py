from __future__ import annotations

import asyncio
import contextlib
import gzip
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import web

from collectors.collector import CollectError, Collector, Readings
from collectors.context import CollectorContext
from collectors.scrape import ScrapePlugin
from collectors.scrape.collector import ScrapeCollector
from metrics.exposition import Limits, Parsed, parse
from metrics.label import format_labels
from tests.collectors.conftest import Configure
from tests.collectors.peer import free_port
from tests.collectors.section import validated
from tests.collectors.server import endless, raw_serving, saying, serving, silent

TEXT = b'# TYPE orders_total counter\norders_total{kind="a"} 3\norders_total{kind="b"} 4\n'

Make = Callable[..., Collector]


@pytest.fixture
def make(context: CollectorContext, configure: Configure) -> Make:
    def made(port: int, **options: Any) -> Collector:
        plugin = ScrapePlugin()
        job = {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}], **options}
        [collector] = plugin.build(validated(plugin, [job]), context)
        return collector

    return made


def series_of(readings: Readings) -> dict[str, float]:
    return dict(zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True))


def answering(body: bytes, status: int = 200, **headers: str) -> Callable[[web.Request], Any]:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


async def collect_once(collector: Collector) -> Readings:
    try:
        return await collector.collect()
    finally:
        await collector.close()


async def failure_of(collector: Collector) -> CollectError:
    with pytest.raises(CollectError) as caught:
        await collect_once(collector)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_series_of_a_target_are_read_and_keep_their_layout(make: Make) -> None:
    async with serving(answering(TEXT, Content_Type="text/plain; version=0.0.4")) as port:
        collector = make(port)
        first = await collector.collect()
        second = await collector.collect()
        await collector.close()
    assert series_of(first) == {'orders_total{kind="a"}': 3.0, 'orders_total{kind="b"}': 4.0}
    assert second.layout is first.layout
    assert not collector.exported
    assert collector.source == f"scrape/shop/127.0.0.1:{port}"
    assert collector.target_labels == {"job": "shop", "instance": f"127.0.0.1:{port}"}


async def test_what_was_read_after_the_timeout_makes_the_next_reading_quick(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, previous = threading.Event(), threading.Event(), []

    def slow(body: bytes, content_type: str, before: Parsed | None, limits: Limits) -> Parsed:
        previous.append(before)
        begun.set()
        assert go_on.wait(20)
        return parse(body, content_type, before, limits)

    monkeypatch.setattr("collectors.scrape.collector.parse", slow)
    large = b"".join(b"orders_total %d\n" % index if index == 0 else b"#\n" for index in range(100_000))
    async with serving(answering(large, Content_Type="text/plain; version=0.0.4")) as port:
        collector = make(port)
        first = asyncio.create_task(collector.collect())
        await asyncio.to_thread(begun.wait, 20)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        with pytest.raises(CollectError, match="the answer before is still being read"):
            await collector.collect()
        go_on.set()
        second = None
        while second is None:  # the thread that reads has nobody to tell that it is done
            with contextlib.suppress(CollectError):
                second = await collector.collect()
            await asyncio.sleep(0.001)
        await collector.close()
    assert previous[0] is None
    assert previous[1] is not None
    assert second.layout is previous[1].layout


async def test_an_answer_that_no_thread_had_time_for_does_not_keep_the_next_one_out(make: Make) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    busy, go_on, begun = threading.Event(), threading.Event(), asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        begun.set()
        return web.Response(body=b"#\n" * 100_000 + TEXT)

    async with serving(handler) as port:
        collector = make(port)

        def keep_busy() -> None:
            busy.set()
            assert go_on.wait(20)

        other = asyncio.create_task(asyncio.to_thread(keep_busy))
        first = asyncio.create_task(collector.collect())
        await begun.wait()
        assert isinstance(collector, ScrapeCollector)
        while not collector._is_reading:
            await asyncio.sleep(0.001)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        go_on.set()
        await other
        second = await collector.collect()
        await collector.close()
    assert busy.is_set()
    assert series_of(second) == {'orders_total{kind="a"}': 3.0, 'orders_total{kind="b"}': 4.0}


async def test_request_is_as_prometheus_makes_it(make: Make) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(body=TEXT)

    async with serving(handler) as port:
        await collect_once(
            make(port, metrics_path="/probe", params={"module": ["a", "b"], "q": ["x y&z"]}, scrape_timeout="3s")
        )
    [request] = seen
    assert request.path == "/probe"
    assert list(request.query.items()) == [("module", "a"), ("module", "b"), ("q", "x y&z")]
    assert request.headers["Accept"].startswith("application/openmetrics-text;version=1.0.0")
    assert request.headers["Accept-Encoding"] == "gzip"
    assert request.headers["X-Prometheus-Scrape-Timeout-Seconds"] == "3"
    assert request.headers["User-Agent"].startswith("watchkeeper/")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"basic_auth": {"username": "u", "password": "p:w"}}, "Basic dTpwOnc="),
        ({"basic_auth": {"username": "u", "password_file": "secret"}}, "Basic dTpwOnc="),
        ({"authorization": {"credentials": "token"}}, "Bearer token"),
        ({"authorization": {"type": "Token", "credentials_file": "secret"}}, "Token p:w"),
        ({"bearer_token_file": "secret"}, "Bearer p:w"),
        ({"bearer_token": "t"}, "Bearer t"),
    ],
)
async def test_credentials_are_sent(
    make: Make, context: CollectorContext, options: dict[str, Any], expected: str
) -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=TEXT)

    (context.base / "secret").write_text("p:w\n")
    async with serving(handler) as port:
        await collect_once(make(port, **options))
    assert seen == [expected]


async def test_a_secret_that_changes_on_disk_is_used_at_the_next_scrape(make: Make, context: CollectorContext) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(body=TEXT)

    (context.base / "secret").write_text("old")
    async with serving(handler) as port:
        collector = make(port, bearer_token_file="secret")
        await collector.collect()
        (context.base / "secret").write_text("new")
        await collector.collect()
        (context.base / "secret").write_text("two\nlines")
        with pytest.raises(CollectError, match="holds more than one line"):
            await collector.collect()
        (context.base / "secret").unlink()
        with pytest.raises(CollectError, match="cannot read"):
            await collector.collect()
        await collector.close()
    assert seen == ["Bearer old", "Bearer new"]


async def test_credentials_do_not_follow_a_redirect_to_another_host(make: Make) -> None:
    seen: list[str | None] = []

    async def other(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=TEXT)

    async with serving(other) as other_port:

        async def redirecting(_request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"http://localhost:{other_port}/"})

        async with serving(redirecting) as port:
            await collect_once(make(port, bearer_token="t"))
            error = await failure_of(make(port, follow_redirects=False))
    assert seen == [None]
    assert (str(error), error.reason) == ("HTTP 302 Found", "status")


@pytest.mark.parametrize("members", [1, 3])
async def test_gzip_is_read_even_in_several_members(make: Make, members: int) -> None:
    lines = TEXT.splitlines(keepends=True)
    parts = [TEXT] if members == 1 else lines
    body = b"".join(gzip.compress(part) for part in parts)
    async with serving(answering(body, Content_Encoding="gzip")) as port:
        assert len(series_of(await collect_once(make(port)))) == 2


async def test_openmetrics_is_read_where_the_target_speaks_it(make: Make) -> None:
    body = b"# TYPE orders counter\norders_total 3 1700000000.5\n# EOF\n"
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    async with serving(answering(body, Content_Type=kind)) as port:
        with_times = await collect_once(make(port))
        without = await collect_once(make(port, honor_timestamps=False))
    assert with_times.timestamps_ms is not None
    assert with_times.timestamps_ms.tolist() == [1_700_000_000_500]
    assert without.timestamps_ms is None


async def test_a_large_answer_is_read_in_a_thread_with_the_same_result(make: Make) -> None:
    body = b"".join(b'x{number="%d"} %d\n' % (number, number) for number in range(20_000))
    async with serving(answering(body)) as port:
        collector = make(port)
        first = await collector.collect()
        second = await collector.collect()
        await collector.close()
    assert first.values.tolist() == list(range(20_000))
    assert second.layout is first.layout


@pytest.mark.parametrize(
    ("handler", "options", "message", "reason"),
    [
        (answering(b"", 500), {}, "HTTP 500 Internal Server Error", "status"),
        (answering(b"", 404), {}, "HTTP 404 Not Found", "status"),
        (answering(b"up 1\n\nx{ 2\n"), {}, "line 3: ", "parse"),
        (answering(b"x \xff\n"), {}, "line 1: ", "parse"),
        (answering(b"<html>login</html>"), {}, "line 1: ", "parse"),
        (answering(TEXT), {"sample_limit": 1}, "there are 2 samples, more than the limit of 1", "parse"),
        (answering(TEXT), {"body_size_limit": "10B"}, "body is larger than 10 bytes", "limit"),
        (answering(b"no gzip", Content_Encoding="gzip"), {}, "broken gzip: ", "parse"),
        (answering(gzip.compress(TEXT)[:-9], Content_Encoding="gzip"), {}, "broken gzip: it ends too early", "parse"),
        (answering(TEXT, Content_Encoding="br"), {}, "content encoding 'br' was not asked for", "parse"),
        (answering(TEXT, Content_Type="application/vnd.google.protobuf"), {}, "content type ", "parse"),
    ],
)
async def test_a_bad_answer_is_refused_with_its_reason(
    make: Make, handler: Callable[[web.Request], Any], options: dict[str, Any], message: str, reason: str
) -> None:
    async with serving(handler) as port:
        error = await failure_of(make(port, **options))
    assert str(error).startswith(message)
    assert error.reason == reason


async def test_a_gzip_bomb_is_refused_before_it_is_inflated(make: Make) -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(50)) + packer.flush()
    assert len(bomb) < 60_000
    longest = 0.0
    async with serving(answering(bomb, Content_Encoding="gzip")) as port:
        task = asyncio.ensure_future(failure_of(make(port, body_size_limit="16MB")))
        loop = asyncio.get_running_loop()
        while not task.done():
            before = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - before)
        error = await task
    assert error.reason == "limit"
    assert longest < 0.5  # one piece takes a millisecond; the machine may be busy


async def test_an_answer_that_never_ends_is_cut_off_at_the_limit(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    async with raw_serving(endless(head, b"x" * 65536)) as server:
        error = await failure_of(make(server.port, body_size_limit="1MB"))
        await asyncio.wait_for(server.disconnected.wait(), 5)
    assert error.reason == "limit"


async def test_a_declared_length_beyond_the_limit_is_refused_unread(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    async with raw_serving(saying(head)) as server:
        assert (await failure_of(make(server.port))).reason == "limit"


@pytest.mark.parametrize(
    "speak",
    [silent, endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.01), endless(b"HTTP/1.1 200 OK\r\n", b"A", 0.01)],
    ids=["silence", "body byte by byte", "headers byte by byte"],
)
async def test_a_slow_target_can_be_cancelled_and_is_disconnected(make: Make, speak: Any) -> None:
    async with raw_serving(speak) as server:
        collector = make(server.port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(collector.collect(), 0.1)
        await collector.close()
        await asyncio.wait_for(server.disconnected.wait(), 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "connection closed before an answer came"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no valid HTTP answer: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx 1\n", "connection closed in the middle of the answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "no valid HTTP answer: "),
    ],
)
async def test_what_is_no_http_is_refused_with_its_reason(make: Make, content: bytes, message: str) -> None:
    async with raw_serving(saying(content)) as server:
        assert str(await failure_of(make(server.port))).startswith(message)


async def test_refused_connections_and_unknown_hosts_are_told_apart(
    make: Make, context: CollectorContext, configure: Configure
) -> None:
    error = await failure_of(make(free_port()))
    assert (str(error), error.reason) == ("connection refused", "connection")
    plugin = ScrapePlugin()
    config = configure(plugin, "[{job_name: x, static_configs: [{targets: ['nowhere.invalid:1']}]}]")
    error = await failure_of(plugin.build(config, context)[0])
    assert (str(error), error.reason) == ("host name 'nowhere.invalid' cannot be resolved", "connection")


async def test_redirect_loops_end(make: Make) -> None:
    async def looping(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/again"})

    async with serving(looping) as port:
        assert "redirects" in str(await failure_of(make(port)))


async def test_target_labels_come_from_the_config_and_the_address_gets_its_port(
    context: CollectorContext, configure: Configure
) -> None:
    plugin = ScrapePlugin()
    config = configure(
        plugin,
        """
- job_name: shop
  scheme: https
  static_configs:
  - targets: ['shop.example', '[::1]', '[::1]:9']
    labels: {service: shop, instance: front}
  - targets: ['shop.example:443', 'shop.example:443']
  - targets: ['shop.example']
    labels: {service: shop, instance: front}
""",
    )
    collectors = plugin.build(config, context)
    assert len({collector.source for collector in collectors}) == 4
    front = {"job": "shop", "service": "shop", "instance": "front"}
    assert [(str(getattr(one, "url", "")), one.target_labels) for one in collectors] == [
        ("https://shop.example/metrics", front),
        ("https://[::1]/metrics", front),
        ("https://[::1]:9/metrics", front),
        ("https://shop.example/metrics", {"job": "shop", "instance": "shop.example:443"}),
    ]


async def test_intervals_fall_back_to_the_global_ones(context: CollectorContext, configure: Configure) -> None:
    plugin = ScrapePlugin()
    config = configure(
        plugin,
        """
- {job_name: a, static_configs: [{targets: [a]}]}
- {job_name: b, scrape_interval: 5s, static_configs: [{targets: [a]}]}
- {job_name: c, scrape_interval: 1m, scrape_timeout: 30s, static_configs: [{targets: [a]}]}
""",
    )
    times = [(one.interval_seconds, one.timeout_seconds) for one in plugin.build(config, context)]
    assert times == [(15.0, 10.0), (5.0, 5.0), (60.0, 30.0)]
