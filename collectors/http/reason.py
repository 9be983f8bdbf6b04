"""Why a request failed, in a few words that a person understands."""

from __future__ import annotations

import socket
import ssl

import aiohttp

from collectors.collector import CollectError

RequestError = (aiohttp.ClientError, OSError, UnicodeError)
"""What a request of aiohttp can raise when the other side, the network or a name is to blame."""


def explain(error: BaseException) -> CollectError:
    """Return the failure of a request as a CollectError."""
    text, reason = _explain(error)
    return CollectError(text, reason=reason)


def _explain(error: BaseException) -> tuple[str, str]:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return f"TLS: {_tls_reason(error)}", "tls"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"host name {error.host!r} cannot be resolved", "connection"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _os_reason(error.os_error), "connection"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "connection closed before an answer came", "connection"
    if isinstance(error, aiohttp.TooManyRedirects):
        return f"more than {len(error.history) - 1} redirects", "status"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "connection closed in the middle of the answer", "connection"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"no valid HTTP answer: {_one_line(error.message)}", "parse"
    if isinstance(error, aiohttp.InvalidURL):
        return f"redirected to an invalid address: {_one_line(str(error))}", "status"
    if isinstance(error, OSError):
        return _os_reason(error), "connection"
    return _one_line(f"{type(error).__name__}: {error}"), "error"


def _os_reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "host name cannot be resolved"
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        return "connection refused"
    return _one_line((error.strerror or str(error) or type(error).__name__).lower())


def _tls_reason(error: BaseException) -> str:
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return _one_line(inner.verify_message or str(inner))
    if isinstance(inner, ssl.SSLError) and inner.reason:
        return inner.reason.replace("_", " ").lower()
    return _one_line(str(inner))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
