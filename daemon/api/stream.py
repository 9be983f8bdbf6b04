"""The live stream: each change of the overview, at most one a second, to every page that is open.

Source of the format: HTML Living Standard, "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from core.clock import Clock
from core.errors import ConflictError
from core.tasks import Tasks, cancel_and_wait
from daemon.api.answer import encode
from daemon.api.connections import Limits
from daemon.api.middleware import SECURITY_HEADERS
from daemon.api.overview import OverviewBuilder, without_time

_log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""Between two events."""

LOOK_SECONDS = 2.0
"""How often we look for changes that nobody told us of (the time of a collection)."""

HEARTBEAT_SECONDS = 15.0
"""An event this often tells both ends that the other is there."""


class Stream:
    """Builds the overview while somebody looks, and hands each new one to all who do."""

    def __init__(self, overview: OverviewBuilder, *, clock: Clock, tasks: Tasks, limits: Limits) -> None:
        self._overview = overview
        self._clock = clock
        self._tasks = tasks
        self._limits = limits
        self._viewers: dict[asyncio.Queue[bytes | None], web.Request] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._sent: dict[str, object] = {}
        self._sent_at = 0.0
        self._closed = False

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    def changed(self) -> None:
        """Something may look different now; cheap, from the event loop only."""
        self._changed.set()

    async def stop(self) -> None:
        """End every open stream."""
        self._closed = True
        for viewer in self._viewers:
            _replace(viewer, None)
        await cancel_and_wait(self._task)
        await cancel_and_wait(self._ticker)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one viewer until it leaves or the server stops.

        Raises: ConflictError: too many are looking already.
        """
        if len(self._viewers) >= self._limits.streams:
            raise ConflictError(f"{len(self._viewers)} pages are open already; close one of them")
        viewer: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._viewers[viewer] = request
        try:
            return await self._serve(request, viewer)
        finally:
            self._viewers.pop(viewer, None)
            if not self._viewers:
                await self._rest()

    async def _serve(self, request: web.Request, viewer: asyncio.Queue[bytes | None]) -> web.StreamResponse:
        first = _event(encode(await self._overview.build()))
        headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        response.content_type = "text/event-stream"
        try:
            await response.prepare(request)
            await self._write(response, b"retry: 2000\n\n" + first)
            self._wake()
            while not self._closed and (chunk := await viewer.get()) is not None:
                await self._write(response, chunk)
        except (ConnectionError, TimeoutError):
            request.protocol.force_close()
        return response

    async def _write(self, response: web.StreamResponse, chunk: bytes) -> None:
        async with asyncio.timeout(self._limits.write_seconds):
            await response.write(chunk)

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._sent = {}
            self._sent_at = self._clock.monotonic()
            self._task = self._tasks.spawn(self._run, name="web-stream")
            self._ticker = self._tasks.spawn(self._tick, name="web-stream-ticker")

    async def _rest(self) -> None:
        task, ticker, self._task, self._ticker = self._task, self._ticker, None, None
        await cancel_and_wait(task)
        await cancel_and_wait(ticker)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._send_if_new()
            await self._clock.sleep(PAUSE_SECONDS)

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            self._changed.set()
            for viewer, request in self._viewers.items():
                if request.transport is None or request.transport.is_closing():
                    _replace(viewer, None)  # it has left, and nothing else would tell its handler

    async def _send_if_new(self) -> None:
        overview = await self._overview.build()
        now = self._clock.monotonic()
        content = without_time(overview)
        if content != self._sent:
            self._sent, self._sent_at = content, now
            self._broadcast(_event(encode(overview)))
        elif now - self._sent_at >= HEARTBEAT_SECONDS:
            self._sent_at = now
            self._broadcast(b"event: still_here\ndata: {}\n\n")

    def _broadcast(self, chunk: bytes) -> None:
        for viewer in self._viewers:
            _replace(viewer, chunk)


def _replace(viewer: asyncio.Queue[bytes | None], chunk: bytes | None) -> None:
    """Leave a slow viewer the newest only."""
    if viewer.full():
        viewer.get_nowait()
    viewer.put_nowait(chunk)


def _event(document: bytes) -> bytes:
    # JSON has no raw line break, so the document is one line.
    return b"event: overview\ndata: " + document + b"\n\n"
