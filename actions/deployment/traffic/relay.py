"""Passing a backend's answer on to the client, byte by byte and with the headers as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from actions.deployment.traffic.headers import end_to_end

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from aiohttp.abc import AbstractStreamWriter

_BODILESS = frozenset({204, 304})


class RelayedResponse(web.StreamResponse):
    """A response whose head is exactly the backend's.

    The base class would add `Server`, `Date` and a `Content-Type` that the backend did not send; so the head is
    written here, and only the framing (chunks, `Connection`) is our own.
    """

    def __init__(self, request: web.BaseRequest, upstream: ClientResponse) -> None:
        super().__init__(status=upstream.status, reason=upstream.reason, headers=end_to_end(upstream.headers))
        self._request = request
        self._stays_open = request.keep_alive
        self._begun = False
        self._done = False

    @property
    def keep_alive(self) -> bool | None:
        """Whether the client's connection takes another request after this one."""
        return self._stays_open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the head, once; it leaves with the first piece of the body, or by the writer's `send_headers`."""
        if not self._begun:
            self._begun = True
            self._frame()
            major, minor = request.version
            await request.writer.write_headers(f"HTTP/{major}.{minor} {self.status} {self.reason}", self.headers)
        return request.writer

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a piece of the body; waits while the client reads slower than the backend writes."""
        if self._has_body:
            await self._request.writer.write(data)

    async def write_eof(self, data: bytes = b"") -> None:
        """End the body, once; does nothing after `break_off`."""
        if not self._done:
            self._done = True
            await self._request.writer.write_eof(data)

    def break_off(self) -> None:
        """Close the client's connection in the middle, so that half a body is not taken for a whole one."""
        self._done = True
        self._stays_open = False
        if self._request.transport is not None:
            self._request.transport.close()

    @property
    def _has_body(self) -> bool:
        return self._request.method != "HEAD" and self.status not in _BODILESS

    def _frame(self) -> None:
        is_http_1_1 = self._request.version >= (1, 1)
        if self._has_body and "Content-Length" not in self.headers:
            if is_http_1_1:
                self.headers["Transfer-Encoding"] = "chunked"
                self._request.writer.enable_chunking()
            else:
                self._stays_open = False
        if is_http_1_1 and not self._stays_open:
            self.headers["Connection"] = "close"
        elif not is_http_1_1 and self._stays_open:
            self.headers["Connection"] = "keep-alive"
