"""Bounds what a client may take without asking anything: connections, and time to send a request's head.

aiohttp's server waits for ever for the rest of a request. Here every connection has a deadline unless a request of it
is being handled; when all places are taken, the connection that has kept us waiting longest makes room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from core.clock import Clock


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server grants.

    Attributes:
        head_seconds: from the connection, or the first byte of a further request, to the end of its headers.
        body_seconds, body_bytes: for a request's body.
        idle_seconds: for a kept-alive connection between two requests.
        write_seconds: for a client of the live stream to take an event.
    """

    connections: int = 256
    streams: int = 32
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_bytes: int = 1024 * 1024
    idle_seconds: float = 75.0
    write_seconds: float = 10.0


class Connections:
    """All open connections of a server, each with its deadline."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._open: dict[asyncio.BaseTransport, _Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def factory(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a protocol factory whose protocols are those of `make`, watched."""
        return lambda: _Connection(make(), self)

    def begin(self, transport: asyncio.BaseTransport | None) -> None:
        """A request's headers are complete: no deadline until `end`."""
        connection = self._find(transport)
        if connection is not None:
            connection.busy += 1

    def end(self, transport: asyncio.BaseTransport | None) -> None:
        """A request is handled: its connection may stay idle for a while."""
        connection = self._find(transport)
        if connection is not None:
            connection.busy -= 1
            connection.idle = True
            connection.deadline = self._clock.monotonic() + self._limits.idle_seconds

    def sweep(self) -> None:
        """Close what is past its deadline."""
        now = self._clock.monotonic()
        for connection in [one for one in self._open.values() if not one.busy and one.deadline <= now]:
            connection.abort()

    def abort_all(self) -> None:
        """Close everything at once."""
        for connection in list(self._open.values()):
            connection.abort()

    def add(self, connection: _Connection, transport: asyncio.BaseTransport) -> None:
        """Admit a new connection, at the cost of the one that has waited longest when there is no place."""
        connection.deadline = self._clock.monotonic() + self._limits.head_seconds
        self._open[transport] = connection
        if len(self._open) <= self._limits.connections:
            return
        # The new one is among them: it goes only when every other connection has a request under way.
        waiting = [one for one in self._open.values() if not one.busy]
        min(waiting, key=lambda one: one.deadline).abort()

    def receive(self, connection: _Connection) -> None:
        """The first byte after a pause starts the time for a request's head."""
        if connection.idle and not connection.busy:
            connection.idle = False
            connection.deadline = self._clock.monotonic() + self._limits.head_seconds

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that is closed."""
        self._open.pop(transport, None)

    def _find(self, transport: asyncio.BaseTransport | None) -> _Connection | None:
        return None if transport is None else self._open.get(transport)


class _Connection(asyncio.Protocol):
    """Hands every event on to the real protocol and notes the time of some."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self.busy = 0
        self.idle = False
        self.deadline = 0.0

    def abort(self) -> None:
        if self._transport is not None:
            self._connections.remove(self._transport)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._inner.connection_made(transport)
        self._connections.add(self, transport)

    def data_received(self, data: bytes) -> None:
        self._connections.receive(self)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.remove(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
