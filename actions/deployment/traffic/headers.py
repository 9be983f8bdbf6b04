"""Which headers a proxy passes on, and which it makes; no I/O.

Source: RFC 9110 section 7.6.1 (hop-by-hop fields), RFC 7239 and common use for the X-Forwarded fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from multidict import CIMultiDict, CIMultiDictProxy

_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "trailers", "transfer-encoding", "upgrade",
})  # fmt: skip
_WEBSOCKET_HANDSHAKE = frozenset({
    "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol",
    "sec-websocket-accept",
})  # fmt: skip


def end_to_end(headers: CIMultiDictProxy[str], leave_out: Iterable[str] = ()) -> CIMultiDict[str]:
    """Return the headers that concern more than one connection, in order, repeated ones repeated.

    Args:
        leave_out: further names to drop, in lower case.
    """
    dropped = _HOP_BY_HOP.union(leave_out)
    if "Connection" in headers:
        named = (name.strip().lower() for value in headers.getall("Connection") for name in value.split(","))
        dropped = dropped.union(named)
    return CIMultiDict((name, _clean(value)) for name, value in headers.items() if name.lower() not in dropped)


def to_backend(headers: CIMultiDictProxy[str], *, peer: str, scheme: str) -> CIMultiDict[str]:
    """Return the headers of a request as its backend shall see them.

    `X-Forwarded-For` grows by the peer. `X-Forwarded-Proto` and `X-Forwarded-Host` are kept where the peer is on this
    machine (a TLS terminator in front of us), and made anew otherwise: a stranger may not choose them.
    """
    passed = end_to_end(headers, ("expect",))
    passed["X-Forwarded-For"] = ", ".join([*headers.getall("X-Forwarded-For", ()), peer])
    if not (_is_loopback(peer) and "X-Forwarded-Proto" in headers):
        passed["X-Forwarded-Proto"] = scheme
    if not (_is_loopback(peer) and "X-Forwarded-Host" in headers):
        passed["X-Forwarded-Host"] = headers.get("Host", "")
    return passed


def without_websocket_handshake(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Return the headers less those that both ends of a websocket make themselves."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _WEBSOCKET_HANDSHAKE)


def wants_websocket(headers: CIMultiDictProxy[str]) -> bool:
    """Return whether a request asks to become a websocket."""
    tokens = {token.strip().lower() for value in headers.getall("Connection", ()) for token in value.split(",")}
    return "upgrade" in tokens and headers.get("Upgrade", "").lower() == "websocket"


def _clean(value: str) -> str:
    # Bytes that are not UTF-8 arrive as lone surrogates, which cannot be written again.
    return value if value.isascii() else value.encode(errors="surrogateescape").decode(errors="replace")


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
