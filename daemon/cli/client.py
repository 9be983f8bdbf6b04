"""The daemon's HTTP API, by nothing but the standard library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from daemon.cli.failure import ApiError, CommandError, UnreachableError

if TYPE_CHECKING:
    from http.client import HTTPConnection

DEFAULT_URL = "http://127.0.0.1:8797"
_API = "/api/watchkeeper/v1/"

Document = dict[str, Any]


class Client:
    """One daemon; a new connection for each request, so that a restart in between does not matter.

    Args:
        url: `http://host:port`, or https, with an optional path before the daemon's own.
        token_file: a file whose first line is sent as bearer token.
        timeout_seconds: the most that the daemon may take for an answer.

    Raises: CommandError: the address or the token file cannot be used.
    """

    def __init__(self, url: str = DEFAULT_URL, token_file: Path | None = None, *, timeout_seconds: float = 30) -> None:
        self._address = _address(url)
        self._prefix = self._address.path.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._headers = {"Accept": "application/json"}
        if token_file is not None:
            self._headers["Authorization"] = f"Bearer {_token(token_file)}"

    def get(self, path: str, parameters: Mapping[str, object] | None = None) -> Any:
        """Return the document at `path`, which is relative to the root of our own API, or begins with a slash.

        Parameters that are None or empty are left out; one that is a list is given once for each item.

        Raises: UnreachableError, ApiError.
        """
        given = {name: value for name, value in (parameters or {}).items() if value not in (None, "")}
        return self._document("GET", _full(path) + (f"?{urlencode(given, doseq=True)}" if given else ""))

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Send a JSON body and return the answer.

        Raises: UnreachableError, ApiError.
        """
        return self._document("POST", _full(path), json.dumps(body or {}).encode())

    def delete(self, path: str) -> None:
        """Delete what is at `path`.

        Raises: UnreachableError, ApiError.
        """
        self._document("DELETE", _full(path))

    def text(self, path: str, parameters: Mapping[str, object]) -> str:
        """Return an answer that is text, such as a report.

        Raises: UnreachableError, ApiError.
        """
        status, content = self._request("GET", _API + quote(path) + f"?{urlencode(parameters)}", None)
        if status >= 400:
            raise _refusal(status, _document_or_none(content))
        return content.decode("utf-8", "replace")

    def root(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a path beside the API, such as `/-/healthy`.

        Raises: UnreachableError.
        """
        return self._request("GET", path, None)

    def _document(self, method: str, path: str, body: bytes | None = None) -> Any:
        status, content = self._request(method, path, body)
        try:
            document = json.loads(content) if content or status >= 400 else None
        except ValueError:
            reason = f"{self._shown()} answered {status} without a JSON document"
            raise CommandError(reason, "check that the address is that of a Watchkeeper daemon (--url)") from None
        if status >= 400:
            raise _refusal(status, document)
        return document

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        from http.client import HTTPException  # noqa: PLC0415 - 20 ms that --help need not pay

        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        connection = self._connection()
        try:
            connection.request(method, self._prefix + path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415

        kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
        return kind(self._address.netloc, timeout=self._timeout_seconds)

    def _unreachable(self, error: Exception) -> UnreachableError:
        if isinstance(error, ConnectionRefusedError):
            remedy = "start it with 'watchkeeper run', or give its address with --url"
            return UnreachableError(f"no daemon listens at {self._shown()}", remedy)
        if isinstance(error, TimeoutError):
            message = f"{self._shown()} gave no answer within {self._timeout_seconds:g} s"
            return UnreachableError(message, "look into the daemon's log")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return UnreachableError(f"{self._shown()} cannot be asked: {reason}", "check the address (--url)")

    def _shown(self) -> str:
        # Without user and password, should somebody have put them into the address.
        return f"{self._address.scheme}://{self._address.netloc.rpartition('@')[2]}"


def _full(path: str) -> str:
    return quote(path if path.startswith("/") else _API + path)


def _address(url: str) -> SplitResult:
    remedy = f"give one such as {DEFAULT_URL}"
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in address.netloc or any(character.isspace() for character in url):
        raise CommandError(f"{url!r} is no address of a daemon", remedy)
    return address


def _token(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise CommandError(f"{file}: the token cannot be read: {reason}", "check --token-file") from None
    token = lines[0].strip() if lines else ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError(f"{file}: its first line is no token", "write the token alone on the first line")
    return token


def _document_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _refusal(status: int, document: Any) -> ApiError:
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        return ApiError(status, str(error.get("message") or f"the daemon answered {status}"), error.get("remedy") or "")
    if isinstance(error, str):  # the query endpoints answer in Prometheus' format
        return ApiError(status, error)
    if isinstance(document, str):  # and those of alerts and silences in Alertmanager's
        return ApiError(status, document)
    if isinstance(document, dict) and isinstance(document.get("message"), str):
        return ApiError(status, document["message"])
    return ApiError(status, f"the daemon answered {status}", "look into its log")
