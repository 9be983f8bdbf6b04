"""The gate before every HTTP request: who may pass, decided from the request's own facts.

On loopback without a token everybody on this machine may pass, so what is kept out is the web page of a stranger in
somebody's browser: DNS rebinding (the Host header must name this machine) and cross-site requests (a request that
changes something must come from the same origin, or from no browser at all). With a token, it is the token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from prometheus_client import CollectorRegistry, Counter

from core.clock import Clock
from security.attempts import Attempts, network_of
from security.listen import ListenAddress, host_of, is_loopback
from security.token import Presented, Token, presented

LOCAL_ACTOR = "local"
"""Somebody on this machine, while no token is configured."""

OPEN_PATHS = frozenset({"/-/healthy", "/-/ready"})
"""Answer without a token: load balancers and container health checks have none."""

QUERY_PATHS = frozenset(
    {
        "/api/watchkeeper/v1/query",
        "/api/watchkeeper/v1/query_range",
        "/api/v1/query",
        "/api/v1/query_range",
        "/api/v1/query_exemplars",
        "/api/v1/format_query",
        "/api/v1/parse_query",
        "/api/v1/series",
        "/api/v1/labels",
    }
)
"""Read by POST, as Prometheus' clients do, with a form as body. They change nothing, and still only the same origin, or
no browser, may ask them."""

PUSH_PATHS = ("/metrics/job/", "/metrics/job@base64/")
"""Begin the addresses that take the text format, with whatever type a short job's client sends it."""

SIGNED_PATHS = "/act/"
"""Begins the addresses of links in notifications: what follows is signed and says itself what it lets its holder do, so
neither a token nor the origin is asked for. Their page sends an HTML form."""

WRITE_PATH = "/api/v1/write"
"""Takes remote write requests, and answers 415 to all other bodies itself."""

FAILURES_PER_MINUTE = 5
REMEMBER_SIGN_IN_SECONDS = 3600.0

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request says about itself; absent headers are empty."""

    method: str
    path: str
    address: str
    host: str = ""
    origin: str = ""
    fetch_site: str = ""
    authorization: str = field(default="", repr=False)
    content_type: str = ""
    has_body: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a visit ends here, as the HTTP answer says it."""

    status: int
    message: str
    remedy: str
    headers: tuple[tuple[str, str], ...] = ()


class SignIn(Enum):
    """What belongs into the logbook, by its kind there."""

    FAILED = "sign_in.failed"
    SUCCEEDED = "sign_in.succeeded"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a visit.

    Attributes:
        refusal: None lets it pass.
        actor: who acts, for the logbook.
        sign_in: what to write into the logbook now; None for nothing.
    """

    refusal: Refusal | None
    actor: str = ""
    sign_in: SignIn | None = None


class Gate:
    """Decides about visits, and remembers failed and successful sign-ins."""

    def __init__(
        self, listen: ListenAddress, token: Token | None = None, *, clock: Clock, registry: CollectorRegistry
    ) -> None:
        self._listen = listen
        self._token = token
        self._failures = Attempts(clock, limit=FAILURES_PER_MINUTE, window_seconds=60.0)
        self._logged_failures = Attempts(clock, limit=30, window_seconds=60.0)
        self._sign_ins = Attempts(clock, limit=1, window_seconds=REMEMBER_SIGN_IN_SECONDS)
        self._failures_total = Counter(
            "watchkeeper_sign_in_failures_total", "Requests with a wrong token.", registry=registry
        )

    def use(self, token: Token) -> None:
        """Let this token in from now on, and no other."""
        self._token = token

    def decide(self, visit: Visit) -> Decision:
        """Return whether a visit may pass, and what it leaves in the logbook."""
        refusal = self._foreign_host(visit)
        if refusal is None and visit.path.startswith(SIGNED_PATHS):
            return Decision(None, actor="link")
        refusal = refusal or _cross_site(visit) or _wrong_content_type(visit)
        if refusal is not None:
            return Decision(refusal)
        if self._token is None:
            return Decision(None, actor=LOCAL_ACTOR)
        if visit.path in OPEN_PATHS and visit.method in _SAFE_METHODS:
            return Decision(None, actor="anonymous")
        return self._sign_in(visit, self._token)

    def _foreign_host(self, visit: Visit) -> Refusal | None:
        # A browser sends a token to the origin it was typed in for, never to a name rebound to this address.
        if self._token is not None or not visit.host:
            return None
        host = host_of(visit.host)
        if is_loopback(host) or host == self._listen.host.lower():
            return None
        return Refusal(
            403, f"the Host header names {visit.host!r}, not this machine", "use the address that web.listen names"
        )

    def _sign_in(self, visit: Visit, token: Token) -> Decision:
        network = network_of(visit.address)
        shown = presented(visit.authorization)
        if shown is None:
            return Decision(_unauthorized("sign in with the access token"))
        wait_seconds = self._failures.wait_seconds(network)
        if wait_seconds > 0:
            return Decision(_too_many(wait_seconds))
        if token.matches(shown.secret):
            return self._admit(network, shown)
        return self._reject(network)

    def _admit(self, network: str, shown: Presented) -> Decision:
        actor = _actor(shown)
        if self._sign_ins.wait_seconds(network) > 0:
            return Decision(None, actor)
        self._sign_ins.add(network)
        return Decision(None, actor, SignIn.SUCCEEDED)

    def _reject(self, network: str) -> Decision:
        self._failures.add(network)
        self._failures_total.inc()
        refusal = _unauthorized("the access token is wrong")
        if self._logged_failures.wait_seconds("") > 0:  # a crowd must not fill the disk through the logbook
            return Decision(refusal)
        self._logged_failures.add("")
        return Decision(refusal, sign_in=SignIn.FAILED)


def _cross_site(visit: Visit) -> Refusal | None:
    if visit.method in _SAFE_METHODS or _same_origin(visit):
        return None
    return Refusal(
        403, "the request comes from another site", "use this daemon's own page, or a client that is no browser"
    )


def _same_origin(visit: Visit) -> bool:
    # A browser sets Sec-Fetch-Site itself, and it holds behind a proxy that rewrites Host.
    if visit.fetch_site:
        return visit.fetch_site in ("same-origin", "none")
    if not visit.origin:
        return True
    _, separator, authority = visit.origin.partition("://")
    return bool(separator) and authority.lower() == visit.host.lower()


def _wrong_content_type(visit: Visit) -> Refusal | None:
    """Let a body in only as JSON: a type that no form of another site can send unasked."""
    if visit.method in _SAFE_METHODS or not visit.has_body or _takes_any_type(visit.path):
        return None
    if visit.content_type.partition(";")[0].strip().lower() == "application/json":
        return None
    return Refusal(415, f"the body is {visit.content_type!r}, not JSON", "send Content-Type: application/json")


def _takes_any_type(path: str) -> bool:
    return path in QUERY_PATHS or path == WRITE_PATH or path.startswith(PUSH_PATHS)


def _unauthorized(message: str) -> Refusal:
    challenge = ("WWW-Authenticate", 'Basic realm="Watchkeeper", charset="UTF-8"')
    remedy = "send 'Authorization: Bearer TOKEN', or HTTP Basic with the token as password"
    return Refusal(401, message, remedy, (challenge,))


def _too_many(wait_seconds: float) -> Refusal:
    seconds = int(wait_seconds) + 1
    message = f"more than {FAILURES_PER_MINUTE} wrong tokens in a minute from this address"
    return Refusal(429, message, f"try again in {seconds} s", (("Retry-After", str(seconds)),))


def _actor(shown: Presented) -> str:
    name = "".join(letter for letter in shown.user if letter.isprintable())[:64].strip()
    return f"token:{name}" if name else "token"
