"""HTTP client sessions: made when first needed, shared, closed with their last user."""

from __future__ import annotations

import socket
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from collectors.thread import in_own_thread
from core.version import __version__

USER_AGENT = f"watchkeeper/{__version__}"


class ThreadResolver(AbstractResolver):
    """Asks the system for addresses in a thread of its own.

    aiohttp's takes one of the few threads of the loop's pool: some hosts whose name server is dead would hold up
    the database and everything else that needs one.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        infos = await in_own_thread(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family), name="resolve"
        )
        return [
            ResolveResult(
                hostname=host,
                # A link-local address is of no use without its interface.
                host=f"{address[0]}%{address[3]}" if len(address) > 3 and address[3] else str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in infos
        ]

    async def close(self) -> None:
        """Nothing is held open."""


def make_session(connector: aiohttp.TCPConnector | None = None, **options: object) -> aiohttp.ClientSession:
    """Return a session without cookies, time limits or decompression of its own: the caller bounds all three."""
    return aiohttp.ClientSession(
        connector=connector or aiohttp.TCPConnector(resolver=ThreadResolver(), limit=0, keepalive_timeout=300),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        headers={"User-Agent": USER_AGENT},
        **options,  # type: ignore[arg-type]
    )


class SharedSession:
    """One session for many users; it lives from the first use to the last release."""

    def __init__(self, make: Callable[[], aiohttp.ClientSession] = make_session) -> None:
        self._make = make
        self._session: aiohttp.ClientSession | None = None
        self._users: set[object] = set()

    def use(self, user: object) -> aiohttp.ClientSession:
        """Return the session for a user, who must `release` it in the end."""
        self._users.add(user)
        if self._session is None:
            self._session = self._make()
        return self._session

    async def release(self, user: object) -> None:
        """Forget a user; may be repeated."""
        self._users.discard(user)
        if not self._users and self._session is not None:
            session, self._session = self._session, None
            await session.close()
