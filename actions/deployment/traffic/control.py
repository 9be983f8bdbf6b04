"""The router's control socket: what the daemon asks and tells it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from actions.deployment.traffic import backends_file
from actions.deployment.traffic.balancer import Balancer
from actions.deployment.traffic.router import Backend
from actions.deployment.traffic.sockets import reachable_path
from actions.deployment.traffic.tally import Tally
from core.errors import UserError
from core.version import __version__


@dataclass(frozen=True, slots=True)
class Identity:
    """Which router this is; `state_directory` keeps the routers of two daemons apart."""

    name: str
    state_directory: str
    listen: str
    started_at: float


class Control:
    """Answers the control socket.

    GET /state: who the router is, its backends and the requests under way.
    PUT /backends: replaces the backends; saved first, in effect when answered.
    GET /readings: the counts of `Tally.as_json`.
    POST /stop: end as on SIGTERM.
    """

    def __init__(
        self, identity: Identity, balancer: Balancer, tally: Tally, saved: Path, stop: Callable[[], None]
    ) -> None:
        self._identity = identity
        self._balancer = balancer
        self._tally = tally
        self._saved = saved
        self._stop = stop
        self._changing = asyncio.Lock()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        match (request.method, request.raw_path):
            case ("GET", "/state"):
                return _json(self._state())
            case ("GET", "/readings"):
                return _json({"started_at": self._identity.started_at, **self._tally.as_json()})
            case ("PUT", "/backends"):
                return await self._replace(await request.read())
            case ("POST", "/stop"):
                self._stop()
                return _json({"stopping": True})
        return _json({"error": f"there is no {request.method} {request.raw_path}"}, status=404)

    async def _replace(self, body: bytes) -> web.Response:
        try:
            backends = backends_file.parse(body)
        except UserError as error:
            return _json({"error": str(error)}, status=400)
        async with self._changing:
            await self._save_and_use(backends)
        return _json(self._state())

    async def _save_and_use(self, backends: Sequence[Backend]) -> None:
        if tuple(backends) != self._balancer.backends:
            await asyncio.to_thread(backends_file.save, self._saved, backends)
            self._balancer.replace(backends)

    def _state(self) -> dict[str, Any]:
        return {
            "name": self._identity.name,
            "state_directory": self._identity.state_directory,
            "listen": self._identity.listen,
            "started_at": self._identity.started_at,
            "pid": os.getpid(),
            "version": __version__,
            "backends": backends_file.to_json(self._balancer.backends),
            "in_flight": self._balancer.in_flight,
        }


def listen_at(path: Path) -> socket.socket:
    """Return a socket that listens at `path` for this user alone, in place of one that a dead router left."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.setblocking(False)
        before = os.umask(0o177)
        try:
            with reachable_path(path) as name:
                server.bind(name)
        finally:
            os.umask(before)
        server.listen(16)
    except BaseException:
        server.close()
        raise
    return server


def _json(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), content_type="application/json")
