"""Backends, a router in this process, and a client that speaks raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from actions.deployment.traffic.balancer import Balancer
from actions.deployment.traffic.proxy import Proxy
from actions.deployment.traffic.router import Backend
from actions.deployment.traffic.router_process import public_server
from actions.deployment.traffic.tally import Tally
from core.clock import SystemClock

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


class Peers:
    """Everything that a test started; closed together."""

    def __init__(self) -> None:
        self.balancer = Balancer()
        self.tally = Tally()
        self._stack = AsyncExitStack()

    async def backend(self, handler: Handler) -> str:
        """Serve a handler; return its address."""
        server = web.Server(handler, access_log=None)
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        self._stack.push_async_callback(server.shutdown, 0.1)
        self._stack.callback(listener.close)
        return f"127.0.0.1:{port_of(listener)}"

    async def raw_backend(self, handler: RawHandler) -> str:
        """Serve connections; return the address."""

        async def close_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            finally:
                writer.close()

        listener = await asyncio.start_server(close_after, "127.0.0.1", 0)
        self._stack.callback(listener.close)
        return f"127.0.0.1:{port_of(listener)}"

    async def router(self, *addresses: str, response_seconds: float = 5.0) -> str:
        """Route to addresses with equal weights, as r0, r1…; return the router's address."""
        self.route([Backend(f"b{n}", address, 1, f"r{n}") for n, address in enumerate(addresses)])
        proxy = Proxy(self.balancer, self.tally, SystemClock(), response_seconds=response_seconds)
        await proxy.start()
        self._stack.push_async_callback(proxy.close)
        server = public_server(proxy)
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        self._stack.push_async_callback(server.shutdown, 0.1)
        self._stack.callback(listener.close)
        return f"127.0.0.1:{port_of(listener)}"

    def route(self, backends: Sequence[Backend]) -> None:
        self.balancer.replace(backends)

    def codes(self) -> dict[int, int]:
        """The counted requests by code."""
        counts: dict[int, int] = {}
        for entry in self.tally.as_json()["requests"]:
            counts[entry["code"]] = counts.get(entry["code"], 0) + entry["count"]
        return counts

    async def close(self) -> None:
        await self._stack.aclose()


async def exchange(address: str, request: bytes) -> bytes:
    """Send bytes, return everything until the other end closes."""
    reader, writer = await connect(address)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(-1), 10)
    finally:
        writer.close()


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


def closed_address() -> str:
    """An address of this machine where nobody listens."""
    return "127.0.0.1:1"
