"""The live stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import ClientResponse

from daemon.api.connections import Limits
from tests.daemon.api.conftest import Serve, Served
from tests.daemon.api.fake_view import make_alert
from tests.fakes.clock import settle


async def _event(response: ClientResponse) -> tuple[str, Any]:
    """Return the next event's name and document."""
    name = ""
    async with asyncio.timeout(5):
        while True:
            line = (await response.content.readline()).decode().rstrip("\n")
            assert not response.content.at_eof() or line, "the stream has ended"
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))


async def _pass(served: Served, seconds: float) -> None:
    """Let fake time pass, and real sockets be served."""
    for _ in range(round(seconds * 2)):
        await served.clock.advance(0.5)
        await asyncio.sleep(0.001)


async def test_the_overview_comes_at_once(served: Served) -> None:
    async with served.client.get(served.url("stream")) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        name, overview = await _event(response)
        assert name == "overview"
        assert overview["hostname"] == "watch-1"


async def test_a_change_comes_without_asking(served: Served) -> None:
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        served.view.alerting.shown = [make_alert("HighCpu")]
        served.server.changed()
        await settle()
        _, overview = await _event(response)
        assert [alert["name"] for alert in overview["alerts"]] == ["HighCpu"]


async def test_many_changes_make_one_event_a_second(served: Served) -> None:
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        for number in range(20):
            served.view.alerting.shown = [make_alert(f"A{number}")]
            served.server.changed()
            await settle()
        assert (await _event(response))[1]["alerts"][0]["name"] == "A0"
        await served.clock.advance(1.0)
        assert (await _event(response))[1]["alerts"][0]["name"] == "A19"


async def test_a_change_that_nobody_told_of_is_found(served: Served) -> None:
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        await _pass(served, 3.0)
        served.view.hostname = "watch-2"
        await _pass(served, 4.0)
        names = {(await _event(response))[1].get("hostname") for _ in range(2)}
        assert "watch-2" in names


async def test_silence_is_broken_every_fifteen_seconds(served: Served) -> None:
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        await _pass(served, 20.0)
        events = [await _event(response) for _ in range(2)]
        assert "still_here" in [name for name, _ in events]


async def test_every_page_gets_every_change(served: Served) -> None:
    async with served.client.get(served.url("stream")) as one, served.client.get(served.url("stream")) as two:
        await _event(one)
        await _event(two)
        served.view.hostname = "watch-2"
        served.server.changed()
        await settle()
        assert (await _event(one))[1]["hostname"] == "watch-2"
        assert (await _event(two))[1]["hostname"] == "watch-2"


async def test_one_page_too_many_is_refused(serve: Serve) -> None:
    served = await serve(limits=Limits(streams=1))
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        status, document = await served.get("stream")
        assert status == 409
        assert "close one of them" in document["error"]["remedy"]


async def test_when_the_last_page_closes_nothing_is_built_any_more(served: Served) -> None:
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        assert "web-stream" in served.view.tasks.names
    await served.client.close()
    async with asyncio.timeout(5):
        while "web-stream" in served.view.tasks.names:
            await _pass(served, 1.0)
    assert served.view.registry.get_sample_value("watchkeeper_http_streams") == 0


async def test_a_stop_ends_open_streams_at_once(serve: Serve) -> None:
    served = await serve()
    async with served.client.get(served.url("stream")) as response:
        await _event(response)
        async with asyncio.timeout(1.0):
            await served.server.stop()
        assert await response.content.read() is not None
