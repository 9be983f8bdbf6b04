"""What happens around every request: its time and outcome are counted, strangers refused, errors made readable."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram

from core.clock import Clock
from core.errors import WatchkeeperError
from daemon.api.answer import encode, error_answer, failure_answer
from daemon.api.connections import Connections
from daemon.api.prometheus.answer import JSON, ROOT, error_document, failure
from daemon.api.state import LogbookView
from security.gate import Decision, Gate, Visit

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ACTOR = web.RequestKey("actor", str)
"""Who makes this request, for the logbook."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_REMEDIES = {
    404: "check the address; docs/http-api.md lists them all",
    405: "use the method that the Allow header names",
    408: "send the whole body sooner",
    413: "send a smaller body",
}


class RequestMetrics:
    """Counts requests and their durations by handler, never by address: a stranger must not make series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "watchkeeper_http_requests_total", "HTTP requests answered.", ["handler", "code"], registry=registry
        )
        self._duration = Histogram(
            "watchkeeper_http_request_duration_seconds",
            "Time to answer an HTTP request, without the live stream.",
            ["handler"],
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0),
            registry=registry,
        )

    def note(self, handler: str, code: int, seconds: float, *, streamed: bool) -> None:
        """Count one request."""
        self._requests.labels(handler, str(code)).inc()
        if not streamed:
            self._duration.labels(handler).observe(seconds)


def watch_requests(
    connections: Connections, metrics: RequestMetrics, clock: Clock
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return the outermost middleware: connection times, metrics, security headers."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = clock.monotonic()
        transport = request.transport
        connections.begin(transport)
        code, streamed = 499, False
        try:
            response = await _answer(request, handler)
            code, streamed = response.status, response.prepared
            if not streamed:
                for name, value in SECURITY_HEADERS.items():
                    response.headers.setdefault(name, value)
            return response
        finally:
            metrics.note(_handler_name(request), code, clock.monotonic() - started, streamed=streamed)
            connections.end(transport)

    return middleware


def guard(gate: Gate, logbook: LogbookView) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return the middleware that asks the gate."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        decision = gate.decide(visit_of(request))
        if decision.sign_in is not None:
            await _record(logbook, request, decision)
        if decision.refusal is not None:
            refusal = decision.refusal
            return _refusal(request, refusal.status, refusal.message, refusal.remedy, refusal.headers)
        request[ACTOR] = decision.actor
        return await handler(request)

    return middleware


def visit_of(request: web.Request) -> Visit:
    """Return what the gate wants to know of a request."""
    headers = request.headers
    return Visit(
        method=request.method,
        path=request.path,
        address=request.remote or "",
        host=headers.get("Host", ""),
        origin=headers.get("Origin", ""),
        fetch_site=headers.get("Sec-Fetch-Site", ""),
        authorization=headers.get("Authorization", ""),
        content_type=headers.get("Content-Type", ""),
        has_body=request.body_exists,
    )


async def _record(logbook: LogbookView, request: web.Request, decision: Decision) -> None:
    assert decision.sign_in is not None
    data = {"address": request.remote or "", "path": request.path[:200]}
    try:
        await logbook.append(decision.sign_in.value, "daemon", data, actor=decision.actor or "unknown")
    except WatchkeeperError as error:
        # Looking must stay possible while the disk is full; whatever acts writes its own entry first or does nothing.
        _log.warning("sign-in from %s is not in the logbook: %s", request.remote, error)


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _http_failure(request, error)
    except WatchkeeperError as error:
        return failure(request, error) if _is_prometheus(request) else failure_answer(error)
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001 - the client gets no traceback, the log does
        _log.exception("%s %s failed", request.method, _handler_name(request))
        remedy = "see the daemon's log; please report it"
        return _refusal(request, 500, "an unexpected error happened", remedy)


def _http_failure(request: web.Request, error: web.HTTPException) -> web.Response:
    allow = [("Allow", error.headers["Allow"])] if "Allow" in error.headers else []
    return _refusal(request, error.status, error.reason.lower(), _REMEDIES.get(error.status, ""), allow)


def _refusal(
    request: web.Request, status: int, message: str, remedy: str, headers: Iterable[tuple[str, str]] = ()
) -> web.Response:
    """Return an error in the form that clients of this address can read."""
    if not _is_prometheus(request):
        return error_answer(status, message, remedy, headers=headers)
    text = f"{message}; {remedy}" if remedy else message
    response = web.Response(body=encode(error_document(status, text)), status=status, headers={"Content-Type": JSON})
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend(headers)
    return response


def _is_prometheus(request: web.Request) -> bool:
    return request.path.startswith(f"{ROOT}/")


def _handler_name(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
