"""Takes the time of each phase of a request, redirects summed up: resolve, connect, tls, processing, transfer.

aiohttp tells when names are resolved, connections made and headers sent (TraceConfig). Where TCP ends and TLS begins
it does not tell; the TLS context does, because the handshake begins with a call to its `wrap_bio`.
"""

from __future__ import annotations

import ssl
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from core.clock import Clock

PHASES = ("connect", "processing", "resolve", "tls", "transfer")


@dataclass(slots=True)
class Timing:
    """The clock of one probe, and what was seen on the way.

    Attributes:
        seconds: by phase.
        lookup_seconds: of the first look-up of a name.
        tls: the last connection's TLS object, if it had one.
    """

    clock: Clock
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    lookup_seconds: float | None = None
    tls: ssl.SSLObject | None = None
    peer_is_ipv6: bool | None = None
    _mark: float = 0.0
    _resolving_since: float = 0.0
    _handshake_since: float | None = None

    def mark(self) -> None:
        """Begin a phase."""
        self._mark = self.clock.monotonic()

    def add(self, phase: str) -> None:
        """End a phase that began with the last mark, and begin the next."""
        now = self.clock.monotonic()
        self.seconds[phase] += max(0.0, now - self._mark)
        self._mark = now

    def connecting(self) -> None:
        """Note that a new connection is being made, so that what is known of the one before is past."""
        self.tls = None
        self._handshake_since = None
        self.mark()

    def resolving(self) -> None:
        """Note that a name is being looked up."""
        self._resolving_since = self.clock.monotonic()

    def resolved(self) -> None:
        """Note that a name was looked up."""
        seconds = self.clock.monotonic() - self._resolving_since
        self.seconds["resolve"] += seconds
        if self.lookup_seconds is None:
            self.lookup_seconds = seconds
        self.mark()

    def handshaking(self, tls: ssl.SSLObject) -> None:
        """Note that the TCP connection stands and TLS begins."""
        self.tls = tls
        self.add("connect")
        self._handshake_since = self._mark

    def connected(self) -> None:
        """Note that the connection stands, TLS included."""
        self.add("connect" if self._handshake_since is None else "tls")


current_timing: ContextVar[Timing] = ContextVar("current_timing")
"""That of the probe whose task this is."""


class TimedContext(ssl.SSLContext):
    """A TLS context that tells the current probe's Timing when a handshake begins."""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin TLS, as in ssl.SSLContext."""
        tls = super().wrap_bio(*args, **options)
        timing = current_timing.get(None)
        if timing is not None:
            timing.handshaking(tls)
        return tls


def trace_config() -> aiohttp.TraceConfig:
    """Return what tells the current probe's Timing how a request goes on."""
    trace = aiohttp.TraceConfig()

    async def resolving(*_: object) -> None:
        current_timing.get().resolving()

    async def resolved(*_: object) -> None:
        current_timing.get().resolved()

    async def connecting(*_: object) -> None:
        current_timing.get().connecting()

    async def connected(*_: object) -> None:
        current_timing.get().connected()

    async def sent(*_: object) -> None:
        current_timing.get().mark()

    async def answered(*_: object) -> None:
        current_timing.get().add("processing")

    trace.on_dns_resolvehost_start.append(resolving)
    trace.on_dns_resolvehost_end.append(resolved)
    trace.on_connection_create_start.append(connecting)
    trace.on_connection_create_end.append(connected)
    trace.on_request_headers_sent.append(sent)
    trace.on_request_redirect.append(answered)
    trace.on_request_end.append(answered)
    return trace
