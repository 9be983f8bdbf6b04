"""A webhook receiver on a free loopback port that remembers what it got and answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Got:
    """One request."""

    key: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"
    path: str = ""

    @property
    def message(self) -> Any:
        return json.loads(self.body)

    @property
    def summary(self) -> str:
        names = [f"{alert['status']} {alert['labels']['alertname']}" for alert in self.message["alerts"]]
        return f"{self.message['status']}: {', '.join(names)}"


@dataclass
class Receiver:
    """Answers are taken from `answers` in turn, 200 when there are none; a number is a status."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answers: list[web.Response | int | str] = field(default_factory=list)
    arrived: asyncio.Queue[Got] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        got = Got(request.headers.get("Idempotency-Key", ""), dict(request.headers), await request.read())
        got.method, got.path = request.method, request.path_qs
        self.got.append(got)
        self.arrived.put_nowait(got)
        answer = self.answers.pop(0) if self.answers else web.Response()
        if answer == "hang up":
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if answer == "hang":
            await asyncio.Event().wait()
        if isinstance(answer, int):
            return web.Response(status=answer)
        assert isinstance(answer, web.Response)
        return answer

    async def next(self) -> Got:
        return await asyncio.wait_for(self.arrived.get(), 10)


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """Serve a receiver."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/alerts"
    try:
        yield receiver
    finally:
        await runner.cleanup()
