"""`series`, `labels` and `label/<name>/values`: which series there are."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from core.errors import UserError, WatchkeeperError
from daemon.api.answer import body_answer, encode
from daemon.api.body import read_fields
from daemon.api.prometheus.answer import JSON, TRUNCATED, failure, success
from daemon.api.prometheus.parameter import Parameters
from daemon.api.prometheus.work import Worker
from daemon.api.state import DaemonView, StoreView
from metrics.label import Labels
from metrics.storage import Matcher

_ESCAPED = re.compile(r"__|_([0-9A-Fa-f]{1,6})_", re.ASCII)

Look = Callable[[StoreView, Parameters], Sequence[Any]]


class Listings:
    """Answers which series, label names and label values there are."""

    def __init__(self, view: DaemonView, body_seconds: float, worker: Worker) -> None:
        self._view = view
        self._body_seconds = body_seconds
        self._worker = worker

    async def series(self, request: web.Request) -> web.StreamResponse:
        """Answer the label sets that the selectors match."""
        return await self._answer(request, _series)

    async def labels(self, request: web.Request) -> web.StreamResponse:
        """Answer label names."""
        return await self._answer(request, _label_names)

    async def values(self, request: web.Request) -> web.StreamResponse:
        """Answer the values of a label."""
        name = unescape_name(request.match_info["name"])
        return await self._answer(request, partial(_label_values, name))

    async def _answer(self, request: web.Request, look: Look) -> web.StreamResponse:
        try:
            given = Parameters(await read_fields(request, self._body_seconds))
            limit = given.limit()

            def work() -> bytes:
                found = look(self._view.store, given)
                cut = 0 < limit < len(found)
                return encode(success(found[:limit] if cut else found, warnings=[TRUNCATED] if cut else ()))

            body = await self._worker.run(work, self._worker.deadline())
        except WatchkeeperError as error:
            return failure(request, error)
        return await asyncio.to_thread(body_answer, request, body, JSON)


def unescape_name(name: str) -> str:
    """Return the label name that a path segment stands for; `U__` begins one whose characters are written as numbers.

    Source: prometheus/common, model.UnescapeName.
    """
    if not name.startswith("U__"):
        return name
    letters: list[str] = []
    rest = name.removeprefix("U__")
    while rest:
        match = _ESCAPED.match(rest)
        if match is None:
            if rest[0] == "_":
                return name
            letters.append(rest[0])
            rest = rest[1:]
            continue
        code = int(match[1], 16) if match[1] else ord("_")
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            return name
        letters.append(chr(code))
        rest = rest[match.end() :]
    return "".join(letters)


def _series(store: StoreView, given: Parameters) -> list[dict[str, str]]:
    start_ms, end_ms = given.period_ms(default=True)
    selectors = given.selectors()
    if not selectors:
        raise UserError("no match[] parameter provided; give a selector, such as match[]=up")
    found: set[Labels] = set()
    for matchers in selectors:
        found.update(store.series(matchers, start_ms, end_ms))
    return [dict(labels) for labels in sorted(found)]


def _label_names(store: StoreView, given: Parameters) -> list[str]:
    start_ms, end_ms = given.period_ms(default=True)
    return _united(store.label_names(matchers, start_ms, end_ms) for matchers in _selectors(given))


def _label_values(name: str, store: StoreView, given: Parameters) -> list[str]:
    start_ms, end_ms = given.period_ms(default=True)
    return _united(store.label_values(name, matchers, start_ms, end_ms) for matchers in _selectors(given))


def _selectors(given: Parameters) -> list[tuple[Matcher, ...]]:
    return given.selectors() or [()]


def _united(lists: Iterable[list[str]]) -> list[str]:
    return sorted({text for texts in lists for text in texts})
