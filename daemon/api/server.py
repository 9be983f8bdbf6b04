"""The web server: one listening socket for the page, the API and /metrics."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from prometheus_client import Gauge

from core.errors import UserError
from core.tasks import cancel_and_wait
from daemon.api.connections import Connections, Limits
from daemon.api.middleware import RequestMetrics, guard, watch_requests
from daemon.api.overview import OverviewBuilder
from daemon.api.routes import Routes
from daemon.api.state import DaemonView, WebSettings
from daemon.api.stream import Stream
from security.gate import Gate
from security.listen import ListenAddress, check_listen, parse_listen
from security.secret import read_secret_file
from security.token import Token

_log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
SHUTDOWN_SECONDS = 1.0

_REMEDIES = {
    errno.EADDRINUSE: "another program, perhaps another Watchkeeper, uses it; stop that one or change web.listen",
    errno.EADDRNOTAVAIL: "this machine has no such address; change web.listen",
    errno.EACCES: "ports below 1024 need a privilege; change web.listen to a greater port",
}


class WebServer:
    """Serves what a DaemonView shows.

    Args:
        base: the folder that a relative `token_file` starts from.
    Raises: UserError: the settings are wrong: no address, or one that others can reach without a token.
    """

    name = "web server"

    def __init__(
        self, view: DaemonView, settings: WebSettings, *, base: Path | None = None, limits: Limits | None = None
    ) -> None:
        self._view = view
        self._listen = parse_listen(settings.listen)
        check_listen(self._listen, token_configured=settings.token_file is not None)
        self._token_file = None if settings.token_file is None else (base or Path()) / settings.token_file
        self._limits = limits or Limits()
        self._connections = Connections(view.clock, self._limits)
        self._metrics = RequestMetrics(view.registry)
        self._gate = Gate(self._listen, clock=view.clock, registry=view.registry)
        overview = OverviewBuilder(view)
        self._stream = Stream(overview, clock=view.clock, tasks=view.tasks, limits=self._limits)
        self._routes = Routes(view, overview, self._stream, self._limits)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._address: ListenAddress | None = None
        self._add_gauges()

    @property
    def address(self) -> ListenAddress:
        """Where the server listens; with the real port once it is started."""
        return self._address or self._listen

    @property
    def url(self) -> str:
        """The page's address on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address.host, self.address.host)  # noqa: S104
        return f"http://{ListenAddress(host, self.address.port)}/"

    def changed(self) -> None:
        """Tell open pages that something happened; cheap, from the event loop only."""
        self._stream.changed()

    async def start(self) -> None:
        """Listen.

        Raises: UserError: the address cannot be used, or the token cannot be read.
        """
        self.read_token()
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self._limits.idle_seconds,
            shutdown_timeout=SHUTDOWN_SECONDS,
            lingering_time=1.0,
        )
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._server = await self._bind(self._connections.factory(server))
        port = self._server.sockets[0].getsockname()[1]
        self._address = ListenAddress(self._listen.host, port)
        self._sweeper = self._view.tasks.spawn(self._sweep, name="web-sweeper")
        _log.info("serving %s", self.url)

    async def stop(self) -> None:
        """Close every connection; a request under way has a second to end."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._stream.stop()
        await cancel_and_wait(self._sweeper)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self._connections.abort_all()
        if server is not None:
            await server.wait_closed()

    def read_token(self) -> None:
        """Read the token file again, so that a reload takes a changed token.

        Raises: UserError: it cannot be read; the token from before stays valid.
        """
        if self._token_file is not None:
            self._gate.use(Token(read_secret_file(self._token_file, field="web.token_file")))

    def _application(self) -> web.Application:
        application = web.Application(
            middlewares=[
                watch_requests(self._connections, self._metrics, self._view.clock),
                guard(self._gate, self._view.logbook),
            ],
            client_max_size=self._limits.body_bytes,
        )
        application.add_routes(self._routes.table())
        return application

    async def _bind(self, factory: Callable[[], asyncio.Protocol]) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(factory, self._listen.host, self._listen.port)
        except OSError as error:
            await self.stop()
            # getaddrinfo's errors have numbers of their own; asyncio wraps a failed bind in a long text.
            reason = error.strerror or str(error)
            if error.errno in _REMEDIES:
                reason = errno.errorcode[error.errno]
            remedy = _REMEDIES.get(error.errno or 0, "change web.listen")
            raise UserError(f"web.listen: cannot listen on {self._listen} ({reason}); {remedy}") from error

    async def _sweep(self) -> None:
        while True:
            await self._view.clock.sleep(SWEEP_SECONDS)
            self._connections.sweep()

    def _add_gauges(self) -> None:
        connections = Gauge(
            "watchkeeper_http_connections", "Open connections of HTTP clients.", registry=self._view.registry
        )
        connections.set_function(lambda: float(len(self._connections)))
        viewers = Gauge("watchkeeper_http_streams", "Open live streams (console pages).", registry=self._view.registry)
        viewers.set_function(lambda: float(self._stream.viewers))
