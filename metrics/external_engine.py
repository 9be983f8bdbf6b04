"""Expressions evaluated by another server: Prometheus, VictoriaMetrics, Thanos, Mimir or what speaks their API.

It has the interface of metrics.promql.engine.Engine and blocks while it asks: it is for threads. The grammar is ours in
both cases, since expressions are parsed before they come here.
"""

from __future__ import annotations

import http.client
import json
import math
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from core.errors import TransientError, WatchkeeperError
from core.version import __version__
from metrics.label import Labels, labels_of
from metrics.promql.error import QueryError, QueryTimeoutError
from metrics.promql.parse import Expression
from metrics.promql.result import Matrix, Result, Scalar, String, Vector
from metrics.storage import MISSING

MAX_ANSWER_BYTES = 256 * 1024 * 1024

PAUSE_SECONDS = 5.0
"""After a server did not answer, further questions fail at once for so long: a hundred rules must not wait each."""

Headers = Callable[[], Mapping[str, str]]


class ExternalQueryError(TransientError):
    """The server gave no answer that can be used; the message says why."""


class ExternalEngine:
    """Asks one server. May be called from several threads at once.

    Args:
        url: what comes before `/api/v1/query`.
        headers: called for each question, for the Authorization header.
        monotonic: seconds that only ever grow.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float, headers: Headers = dict, tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._parts = urlsplit(url.rstrip("/"))
        self._shown = f"{self._parts.scheme}://{self._parts.netloc.rpartition('@')[2]}{self._parts.path}"
        self._timeout_seconds = timeout_seconds
        self._headers = headers
        self._tls = tls
        self._monotonic = monotonic
        self._idle: list[http.client.HTTPConnection] = []
        self._down: tuple[float, str] | None = None

    def instant(
        self,
        expression: Expression,
        at_ms: int,
        *,
        lookback_ms: int | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> Result:
        """Return the expression's value at one time, Unix milliseconds.

        Args:
            lookback_ms: told to the server, where it knows `lookback_delta`.
            is_over: not asked again once the question is under way: the timeout bounds it.
        Raises:
            QueryError: the server says that the expression has no answer.
            ExternalQueryError: it says nothing that can be used.
        """
        self._check(is_over)
        fields = {"query": expression.text, "time": _seconds(at_ms), **_lookback(lookback_ms)}
        return _result(self._ask("query", fields))

    def range(
        self,
        expression: Expression,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        lookback_ms: int | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> Matrix:
        """Return the expression's values from start to end (included where a step meets it).

        Raises: QueryError, ExternalQueryError: as above.
        """
        self._check(is_over)
        fields = {"query": expression.text, "start": _seconds(start_ms), "end": _seconds(end_ms)}
        result = _result(self._ask("query_range", {**fields, "step": _seconds(step_ms), **_lookback(lookback_ms)}))
        if not isinstance(result, Matrix):
            raise ExternalQueryError(f"{self._shown} gave no matrix for a range query; is query.url right?")
        return result

    @staticmethod
    def _check(is_over: Callable[[], bool] | None) -> None:
        if is_over is not None and is_over():
            raise QueryTimeoutError("the question's time was over before it could be asked; give it more")

    def close(self) -> None:
        """End connections; they are made anew when they are needed."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, function: str, fields: Mapping[str, str]) -> dict[str, Any]:
        down = self._down
        if down is not None and self._monotonic() < down[0]:
            raise ExternalQueryError(down[1])
        try:
            status, body = self._post(f"{self._parts.path}/api/v1/{function}", {**fields, "timeout": self._timeout()})
        except TimeoutError:
            raise self._is_down(f"no answer within {self._timeout_seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise self._is_down(" ".join(str(reason).split())[:200].lower()) from error
        self._down = None
        return self._document(status, body)

    def _is_down(self, reason: str) -> ExternalQueryError:
        message = f"{self._shown} cannot be asked: {reason}; see query.url"
        self._down = (self._monotonic() + PAUSE_SECONDS, message)
        return ExternalQueryError(message)

    def _document(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            text = " ".join(body[:200].decode("utf-8", "replace").split())
            raise ExternalQueryError(f"{self._shown} answers with status {status} and no JSON: {text!r}; see query.url")
        if document.get("status") == "success":
            return document
        message = str(document.get("error", f"status {status}"))[:500]
        if document.get("errorType") in ("bad_data", "execution", "422"):
            raise QueryError(f"{self._shown} refuses the expression: {message}")
        raise ExternalQueryError(f"{self._shown} cannot evaluate it now: {message}")

    def _post(self, path: str, fields: Mapping[str, str]) -> tuple[int, bytes]:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "User-Agent": f"watchkeeper/{__version__}",
            **self._headers(),
        }
        body = urlencode(fields)
        while self._idle:
            with suppress(IndexError):  # another thread may have taken the last one
                connection = self._idle.pop()
                try:
                    return self._exchange(connection, path, body, headers)
                except (http.client.RemoteDisconnected, ConnectionError):
                    continue  # the server ended the connection while nothing was asked
        return self._exchange(self._connect(), path, body, headers)

    def _exchange(
        self, connection: http.client.HTTPConnection, path: str, body: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        try:
            connection.request("POST", path, body, dict(headers))
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES + 1)
        except BaseException:
            connection.close()
            raise
        if len(content) > MAX_ANSWER_BYTES:
            connection.close()
            raise ExternalQueryError(f"{self._shown} gives more than {MAX_ANSWER_BYTES} bytes; ask for less")
        self._idle.append(connection)
        return response.status, content

    def _connect(self) -> http.client.HTTPConnection:
        host, port, timeout = self._parts.hostname or "", self._parts.port, self._timeout_seconds
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def _timeout(self) -> str:
        return f"{self._timeout_seconds:g}s"


def _lookback(milliseconds: int | None) -> dict[str, str]:
    return {} if milliseconds is None else {"lookback_delta": f"{milliseconds}ms"}


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _result(document: Mapping[str, Any]) -> Result:
    warnings = tuple(map(str, document.get("warnings") or ()))
    infos = tuple(map(str, document.get("infos") or ()))
    try:
        data = document["data"]
        kind, found = data["resultType"], data["result"]
        if kind == "scalar":
            return Scalar(_number(found[1]), warnings, infos)
        if kind == "string":
            return String(str(found[1]), warnings, infos)
        if kind == "vector":
            values = np.array([_number(row["value"][1]) for row in found if "value" in row], dtype=np.float64)
            return Vector(_series([row for row in found if "value" in row]), values, warnings, infos)
        if kind == "matrix":
            return _matrix([row for row in found if row.get("values")], warnings, infos)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ExternalQueryError(f"the answer of query.url cannot be read: {error!r}") from error
    raise ExternalQueryError(f"the answer of query.url is of the unknown type {str(kind)[:40]!r}")


def _series(rows: Sequence[Mapping[str, Any]]) -> tuple[Labels, ...]:
    return tuple(labels_of(row["metric"]) for row in rows)


def _matrix(rows: Sequence[Mapping[str, Any]], warnings: tuple[str, ...], infos: tuple[str, ...]) -> Matrix:
    stamps = [np.array([round(float(moment) * 1000) for moment, _ in row["values"]], dtype=np.int64) for row in rows]
    times = np.unique(np.concatenate(stamps)) if stamps else np.empty(0, dtype=np.int64)
    values = np.full((len(times), len(rows)), MISSING)
    for column, (row, own) in enumerate(zip(rows, stamps, strict=True)):
        values[np.searchsorted(times, own), column] = [_number(text) for _, text in row["values"]]
    return Matrix(_series(rows), times, values, warnings, infos)


def _number(text: str) -> float:
    number = float(text)
    return math.nan if math.isnan(number) else number


class Answers:
    """What an engine was asked before: gives it again to whoever asks the same question. Not for threads.

    Args:
        engine: whom to ask; its errors are kept and raised again.
    """

    def __init__(self, engine: ExternalEngine, at_ms: int) -> None:
        self._engine = engine
        self._at_ms = at_ms
        self._known: dict[str, Result | WatchkeeperError] = {}

    def ask(self, expressions: Sequence[Expression]) -> None:
        """Ask all questions; for a thread."""
        for expression in expressions:
            try:
                self._known[expression.text] = self._engine.instant(expression, self._at_ms)
            except WatchkeeperError as error:
                self._known[expression.text] = error

    def instant(self, expression: Expression, at_ms: int) -> Result:
        """Return an answer that is known.

        Raises: WatchkeeperError: what asking raised, or that nobody asked.
        """
        assert at_ms == self._at_ms
        known = self._known.get(expression.text)
        if known is None:
            raise QueryError("the server of query.url was not asked this; write the query as one text, without printf")
        if isinstance(known, WatchkeeperError):
            raise known
        return known
