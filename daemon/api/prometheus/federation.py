"""`/federate`: the newest samples of chosen series, for a Prometheus that collects from here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from aiohttp import web
from prometheus_client import CollectorRegistry

from core.errors import WatchkeeperError
from daemon.api.answer import body_answer
from daemon.api.prometheus.answer import failure_status
from daemon.api.prometheus.parameter import Parameters
from daemon.api.prometheus.work import Worker
from daemon.api.state import DaemonView, StoreView
from metrics.frame import Family, FloatArray, Layout, TimeArray, is_stale
from metrics.label import Labels, metric_name
from metrics.storage import Block, Matcher, is_missing

LOOKBACK_MS = 300_000
"""A series whose newest sample is older is left out, as in a query."""


@dataclass(frozen=True, slots=True, eq=False)
class Newest:
    """Series with their newest samples; what exporters.exporter.Exportable asks for."""

    layout: Layout
    values: FloatArray
    timestamps_ms: TimeArray | None
    families: dict[str, Family]


class Federation:
    """Answers the newest samples of what `match[]` selects."""

    def __init__(self, view: DaemonView, worker: Worker) -> None:
        self._view = view
        self._worker = worker

    async def federate(self, request: web.Request) -> web.StreamResponse:
        """Answer in the text format or OpenMetrics, whichever the client likes better."""
        accept, now_ms = request.headers.get("Accept", ""), round(self._view.clock.now() * 1000)
        try:
            selectors = Parameters(request.query).selectors()
            external = self._view.config.external_labels
            work = partial(_document, self._view.store, selectors, now_ms, accept, external)
            content_type, body = await self._worker.run(work, self._worker.deadline())
        except WatchkeeperError as error:
            return web.Response(text=f"{error}\n", status=failure_status(error))
        return await asyncio.to_thread(body_answer, request, body, content_type)


def _document(
    store: StoreView,
    selectors: Sequence[tuple[Matcher, ...]],
    now_ms: int,
    accept: str,
    external_labels: Mapping[str, str],
) -> tuple[str, bytes]:
    from exporters.prometheus import PrometheusExporter  # noqa: PLC0415 - memory that only federation needs

    found = newest(store, selectors, now_ms, external_labels)
    return PrometheusExporter().render([found], CollectorRegistry(), accept)


def newest(
    store: StoreView, selectors: Iterable[tuple[Matcher, ...]], now_ms: int, external_labels: Mapping[str, str]
) -> Newest:
    """Return the newest sample of each series that a selector matches, sorted by name and labels.

    External labels are added to series that have none of the name. A series without the label `instance` gets it
    empty, so that the scraper does not put its own there.
    """
    added = {"instance": "", **{name: value for name, value in external_labels.items() if value}}
    samples: dict[Labels, tuple[int, np.float64]] = {}
    for matchers in selectors:
        for block in store.select(matchers, now_ms - LOOKBACK_MS + 1, now_ms):
            _take_newest(block, samples)
    order = sorted(
        (labels for labels, (_, value) in samples.items() if not is_stale(np.array([value]))[0]),
        key=lambda labels: (metric_name(labels), labels),
    )
    return Newest(
        Layout(tuple(tuple(sorted({**added, **dict(labels)}.items())) for labels in order)),
        np.array([samples[labels][1] for labels in order], dtype=np.float64),
        np.array([samples[labels][0] for labels in order], dtype=np.int64),
        {},
    )


def _take_newest(block: Block, samples: dict[Labels, tuple[int, np.float64]]) -> None:
    present = ~is_missing(block.values)
    rows = len(block.timestamps_ms) - 1 - present[::-1].argmax(axis=0)
    there = present.any(axis=0)
    for column in np.flatnonzero(there).tolist():
        labels, time = block.series[column], int(block.timestamps_ms[rows[column]])
        known = samples.get(labels)
        if metric_name(labels) and (known is None or known[0] < time):
            samples[labels] = time, block.values[rows[column], column]
