"""The built-in router: a small HTTP reverse proxy in a process of its own, which outlives the daemon.

    python -m actions.deployment.traffic.router_process --state DIR --name NAME --listen HOST:PORT

It is started and told what to do by `builtin.py`, over the socket DIR/routers/NAME.sock. Streams both ways, passes
websockets through (other upgrades are ignored, as HTTP allows), weighs every request anew. It is no TLS terminator
and no cache, and drops what aiohttp does not pass on: trailers and early hints.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from actions.deployment.instances import listening
from actions.deployment.instances.record import file_name
from actions.deployment.traffic import backends_file
from actions.deployment.traffic.address import split_address
from actions.deployment.traffic.balancer import Balancer
from actions.deployment.traffic.control import Control, Identity, listen_at
from actions.deployment.traffic.proxy import RESPONSE_SECONDS, Proxy
from actions.deployment.traffic.tally import Tally
from core.clock import Clock, SystemClock
from core.errors import PermanentError, WatchkeeperError

_DRAIN_SECONDS = 10.0
_LOCK_SECONDS = 2.0
_BACKLOG = 1024
_KEEP_ALIVE_SECONDS = 75.0


class RouterProcess:
    """One router, from its start to its end.

    Args:
        state_directory: the daemon's; saved backends, control socket and lock lie in `routers/` below it.
    """

    def __init__(
        self, name: str, listen: str, state_directory: Path, clock: Clock, *, response_seconds: float = RESPONSE_SECONDS
    ) -> None:
        self._address = split_address(listen)
        self._files = state_directory / "routers" / file_name(name)
        self._identity = Identity(name, str(state_directory), listen, clock.now())
        self._clock = clock
        self._tally = Tally()
        self._balancer = Balancer()
        self._proxy = Proxy(self._balancer, self._tally, clock, response_seconds=response_seconds)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Make `run` return after the requests under way."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`.

        Raises:
            PermanentError: the address is taken, or another router of this name runs.
            UserError: the saved backends are broken.
        """
        async with _only_one(self._files.with_suffix(".lock"), self._clock):
            self._balancer.replace(backends_file.load(self._files.with_suffix(".json")))
            traffic = _listen(self._address)
            with traffic, listen_at(self._files.with_suffix(".sock")) as control:
                await self._serve(traffic, control)

    async def _serve(self, traffic: socket.socket, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        answers = Control(
            self._identity, self._balancer, self._tally, self._files.with_suffix(".json"), self.stop
        )  # fmt: skip
        await self._proxy.start()
        public = public_server(self._proxy)
        private = web.Server(answers.handle, access_log=None)
        listeners = [
            await loop.create_server(public, sock=traffic, backlog=_BACKLOG),
            await loop.create_unix_server(private, sock=control),
        ]
        gc.collect()
        gc.freeze()
        try:
            await self._stopping.wait()
        finally:
            listeners[0].close()
            public.pre_shutdown()
            await public.shutdown(_DRAIN_SECONDS)
            listeners[1].close()
            await private.shutdown(1.0)
            await self._proxy.close()


def public_server(proxy: Proxy) -> web.Server:
    """Return what speaks HTTP with the clients; a client that goes away ends its request at the backend too."""
    return web.Server(
        proxy.handle, handler_cancellation=True, access_log=None, auto_decompress=False,
        keepalive_timeout=_KEEP_ALIVE_SECONDS, max_line_size=16_384, max_field_size=65_536,
    )  # fmt: skip


@asynccontextmanager
async def _only_one(path: Path, clock: Clock) -> AsyncIterator[None]:
    """Hold a lock file while a router of this name runs; the kernel lets go of it when the process ends.

    A killed one may take a moment to end, so the lock is waited for a little.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = clock.monotonic() + _LOCK_SECONDS
    try:
        while not _lock(descriptor):
            if clock.monotonic() >= deadline:
                raise PermanentError(f"a router holds {path} already; end it, or wait until it has ended")
            await clock.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _listen(address: tuple[str, int]) -> socket.socket:
    host, port = address
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        server = socket.socket(family, kind)
    except OSError as error:
        raise PermanentError(f"cannot listen on {host}:{port}: {error.strerror}; name another address") from None
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(where)
        server.listen(_BACKLOG)
        server.setblocking(False)
    except OSError as error:
        server.close()
        raise PermanentError(_why_not(error, host, port)) from None
    return server


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {host}:{port}: the port is in use by {listening.listener(port)};"
            " end that process or choose another port"
        )
    if error.errno == errno.EACCES:
        return (
            f"cannot listen on {host}:{port}: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one"
        )
    return f"cannot listen on {host}:{port}: {error.strerror}; name an address of this machine"


def main() -> int:
    """Run a router; messages go to standard error, a failure to start gives exit status 3."""
    parser = argparse.ArgumentParser(prog="router_process", description="Watchkeeper's built-in router")
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--response-seconds", type=float, default=RESPONSE_SECONDS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    _raise_file_limit()
    try:
        asyncio.run(_run(options.name, options.listen, options.state.resolve(), options.response_seconds))
    except WatchkeeperError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0


async def _run(name: str, listen: str, state_directory: Path, response_seconds: float) -> None:
    router = RouterProcess(name, listen, state_directory, SystemClock(), response_seconds=response_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, router.stop)
    await router.run()


def _raise_file_limit() -> None:
    """Two connections a request: the usual soft limit of 1024 would end at some 500 clients."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
