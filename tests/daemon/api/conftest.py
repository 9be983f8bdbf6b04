"""A running server over a fake view, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from daemon.api.connections import Limits
from daemon.api.server import WebServer
from tests.daemon.api.fake_view import FakeView
from tests.fakes.clock import FakeClock


@dataclass
class Settings:
    listen: str = "127.0.0.1:0"
    token_file: str | None = None


@dataclass
class Served:
    """What a test holds in its hands."""

    server: WebServer
    view: FakeView
    clock: FakeClock
    client: ClientSession

    def url(self, path: str) -> str:
        return self.server.url.rstrip("/") + (path if path.startswith("/") else f"/api/watchkeeper/v1/{path}")

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.client.get(self.url(path), **options) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        async with self.client.post(self.url(path), json=body, **options) as response:
            return response.status, await response.json()


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Start servers; all of them are stopped at the end, and must have left nothing behind."""
    async with AsyncExitStack() as stack:

        async def start(token: str = "", limits: Limits | None = None, clock: FakeClock | None = None) -> Served:
            clock = clock or FakeClock()
            view = FakeView(clock)
            settings = Settings()
            if token:
                (tmp_path / "token").write_text(token + "\n")
                (tmp_path / "token").chmod(0o600)
                settings = Settings(token_file="token")
            server = WebServer(view, settings, base=tmp_path, limits=limits)
            await server.start()
            client = await stack.enter_async_context(ClientSession())

            async def stop() -> None:
                await client.close()
                await server.stop()
                assert view.tasks.names == []

            stack.push_async_callback(stop)
            return Served(server, view, clock, client)

        yield start


@pytest.fixture
async def served(serve: Serve) -> Served:
    """A server without a token."""
    return await serve()
