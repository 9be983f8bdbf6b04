"""The way of one request: choose a backend, pass it on, pass the answer back, count it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
    WSServerHandshakeError,
    web,
)
from yarl import URL

from actions.deployment.traffic import websocket
from actions.deployment.traffic.balancer import Balancer
from actions.deployment.traffic.headers import to_backend, wants_websocket
from actions.deployment.traffic.relay import RelayedResponse
from actions.deployment.traffic.router import Backend
from actions.deployment.traffic.tally import Tally
from core.clock import Clock

_log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
RESPONSE_SECONDS = 60.0
CLIENT_WENT_AWAY = 499
_SENT_TWICE_DOES_NO_HARM = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class _NothingSentError(Exception):
    """The backend could not be reached, so another one may have the request."""


class _BrokenOffError(Exception):
    """The backend ended its answer too early."""


@dataclass(slots=True)
class _Outcome:
    revision: str = ""
    code: int = CLIENT_WENT_AWAY


class Proxy:
    """Answers requests from the balancer's backends; start it before the first request and close it after the last.

    Args:
        response_seconds: the most between the last byte of a request and the first of its answer. Bodies may take as
            long as they like.
    """

    def __init__(
        self, balancer: Balancer, tally: Tally, clock: Clock, *, response_seconds: float = RESPONSE_SECONDS
    ) -> None:
        self._balancer = balancer
        self._tally = tally
        self._clock = clock
        self._response_seconds = response_seconds
        self._pooled: ClientSession | None = None
        self._fresh: ClientSession | None = None

    async def start(self) -> None:
        """Make the connection pools.

        A kept connection may be closed by the backend just as a request is written to it, and nobody can say then
        whether the request was acted upon. Only requests that may be sent again use kept connections; the others get
        a fresh one each, so that a failure before sending is known to be one.
        """
        self._pooled = _session(TCPConnector(limit=0, keepalive_timeout=15.0))
        self._fresh = _session(TCPConnector(limit=0, force_close=True))

    async def close(self) -> None:
        """Close all connections to backends."""
        for session in (self._pooled, self._fresh):
            if session is not None:
                await session.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        begin = self._clock.monotonic()
        outcome = _Outcome()
        try:
            return await self._answer(request, outcome)
        finally:
            self._tally.add(outcome.revision, outcome.code, self._clock.monotonic() - begin)

    async def _answer(self, request: web.BaseRequest, outcome: _Outcome) -> web.StreamResponse:
        target = _target(request)
        if target is None:
            return _refusal(outcome, 400, "the request target is not a path")
        tried: list[str] = []
        while (backend := self._balancer.choose(self._clock.monotonic(), tried)) is not None:
            tried.append(backend.id)
            outcome.revision = backend.revision
            try:
                with self._balancer.carrying(backend.id):
                    return await self._through(request, target, backend, outcome)
            except _NothingSentError as error:
                _log.warning("backend %s at %s is passed over for a while: %s", backend.id, backend.address, error)
                self._balancer.eject(backend.id, self._clock.monotonic())
        if tried:
            return _refusal(outcome, 502, "no instance could be reached")
        response = _refusal(outcome, 503, "no instance takes requests now")
        response.headers["Retry-After"] = "1"
        return response

    async def _through(
        self, request: web.BaseRequest, target: str, backend: Backend, outcome: _Outcome
    ) -> web.StreamResponse:
        url = URL(f"http://{backend.address}{target}", encoded=True)
        try:
            if wants_websocket(request.headers):
                outcome.code = 101
                return await websocket.pass_through(
                    request, self._session(request), url, peer=_peer(request), answer_seconds=self._response_seconds
                )
            upstream = await self._send(request, url)
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise _NothingSentError(str(error)) from None
        except WSServerHandshakeError as error:
            return _refusal(outcome, error.status if error.status >= 400 else 502, "the instance refused the websocket")
        except TimeoutError:
            return _refusal(outcome, 504, f"the instance did not answer within {self._response_seconds:g} s")
        except ClientError as error:
            _log.warning("backend %s at %s broke off before it answered: %r", backend.id, backend.address, error)
            return _refusal(outcome, 502, "the instance broke off before it answered")
        async with upstream:
            return await _pass_back(request, upstream, outcome)

    async def _send(self, request: web.BaseRequest, url: URL) -> ClientResponse:
        async with asyncio.timeout(self._response_seconds) as limit:
            body = _Upload(request, limit, self._response_seconds) if request.can_read_body else None
            try:
                return await self._session(request).request(
                    request.method,
                    url,
                    headers=to_backend(request.headers, peer=_peer(request), scheme=request.scheme),
                    data=body,
                    allow_redirects=False,
                )
            finally:
                if body is not None:
                    body.answered = True

    def _session(self, request: web.BaseRequest) -> ClientSession:
        may_repeat = request.method in _SENT_TWICE_DOES_NO_HARM and not request.can_read_body
        session = self._pooled if may_repeat else self._fresh
        assert session is not None, "start() comes first"
        return session


class _Upload:
    """The body of a request, piece by piece; each piece gives the backend its whole time to answer again."""

    def __init__(self, request: web.BaseRequest, limit: asyncio.Timeout, seconds: float) -> None:
        self._request = request
        self._limit = limit
        self._seconds = seconds
        self.answered = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.writer.output_size = 0
        async for chunk in self._request.content.iter_any():
            yield chunk
            if not self.answered:
                self._limit.reschedule(asyncio.get_running_loop().time() + self._seconds)


async def _pass_back(request: web.BaseRequest, upstream: ClientResponse, outcome: _Outcome) -> web.StreamResponse:
    response = RelayedResponse(request, upstream)
    outcome.code = upstream.status
    try:
        await _copy(request, upstream, response)
    except _BrokenOffError as error:
        _log.warning("the backend broke off in the middle of its answer: %s", error)
        outcome.code = 502
        response.break_off()
    except ConnectionError:
        outcome.code = CLIENT_WENT_AWAY
        response.break_off()
    return response


async def _copy(request: web.BaseRequest, upstream: ClientResponse, response: RelayedResponse) -> None:
    await response.prepare(request)
    if not upstream.content.is_eof():  # else head and body go out together
        request.writer.send_headers()
    while True:
        try:
            chunk = await upstream.content.readany()
        except ClientError as error:
            raise _BrokenOffError(repr(error)) from None
        if not chunk:
            break
        await response.write(chunk)
    await response.write_eof()


def _session(connector: TCPConnector) -> ClientSession:
    return ClientSession(
        connector=connector,
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=_NOT_ADDED,
        max_line_size=16_384,
        max_field_size=65_536,
    )


def _target(request: web.BaseRequest) -> str | None:
    """Return path and query as the client wrote them; None for `*` and the target of CONNECT."""
    raw = request.raw_path
    if raw.startswith("/"):
        return raw
    return request.rel_url.raw_path_qs if raw.lower().startswith(("http://", "https://")) else None


def _peer(request: web.BaseRequest) -> str:
    return request.remote or "unknown"


def _refusal(outcome: _Outcome, code: int, reason: str) -> web.Response:
    outcome.code = code
    return web.Response(status=code, text=f"{code} {reason}\n", headers={"Server": "watchkeeper"})
