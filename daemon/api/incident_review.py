"""The review of an incident with the metrics around it, in the form that is asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from alerting.incident_plot import Plot, plots
from alerting.incident_record import IncidentRecord
from alerting.review import Drawn, draft
from alerting.review_html import html
from alerting.review_markdown import markdown
from core.errors import UserError, WatchkeeperError
from daemon.api.prometheus.work import Worker
from daemon.api.state import DaemonView
from metrics.promql.parse import parse
from metrics.promql.result import Matrix
from metrics.storage import is_missing

_log = logging.getLogger(__name__)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""What the HTML report may load: nothing; its styles are inside."""

POINTS = 240
MOST_SERIES = 4
QUERY_SECONDS = 10.0
_FORMS = ("markdown", "html")


async def report(view: DaemonView, record: IncidentRecord, form: str) -> tuple[bytes, str]:
    """Return the report and its content type.

    Raises: UserError: there is no such form.
    """
    if form not in _FORMS:
        raise UserError(f"'format' is {form[:40]!r}; give one of: {', '.join(_FORMS)}")
    drawn = await draw(view, record) if form == "html" else []
    review = draft(record, view.clock.now(), drawn)
    text = await asyncio.to_thread(html if form == "html" else markdown, review)
    return text.encode("utf-8", "replace"), f"text/{form}; charset=utf-8"


async def draw(view: DaemonView, record: IncidentRecord) -> list[Drawn]:
    """Return what the alerts' conditions looked at, from before the incident until after it.

    What cannot be drawn (the samples are gone, the query takes too long) is left out.
    """
    incident, worker = record.incident, Worker(view.clock)
    began = min([incident.opened_at, *(alert.active_since for alert in record.alerts if alert.active_since)])
    ended = view.clock.now() if incident.resolved_at is None else incident.resolved_at
    margin = min(3600.0, max(120.0, 0.5 * (ended - began)))
    start, end = began - margin, min(view.clock.now(), ended + margin)
    found = []
    for plot in plots(record.alerts):
        try:
            matrix = await _ask(view, worker, plot, start, end)
        except WatchkeeperError as error:
            _log.info("not drawn for incident %d: %s: %s", incident.id, plot.query, error)
            continue
        series = _series(matrix, plot)
        if series:
            found.append(Drawn(plot, series, start, end))
    return found


async def _ask(view: DaemonView, worker: Worker, plot: Plot, start: float, end: float) -> Matrix:
    deadline = worker.deadline(QUERY_SECONDS)
    step_ms = max(1000, round(1000 * (end - start) / POINTS))
    span = round(start * 1000), round(end * 1000), step_ms
    expression = parse(plot.query)
    return await worker.run(lambda: view.engine.range(expression, *span, is_over=deadline.is_over), deadline)


def _series(matrix: Matrix, plot: Plot) -> list[tuple[str, Sequence[tuple[float, float]]]]:
    """Return the alert's own series, or the first few where none is."""
    labels = [dict(one) for one in matrix.series]
    own = [index for index, one in enumerate(labels) if plot.shows(one)]
    found: list[tuple[str, Sequence[tuple[float, float]]]] = []
    for index in own[:MOST_SERIES]:
        values = np.where(is_missing(matrix.values[:, index]), np.nan, matrix.values[:, index])
        points = list(zip((matrix.timestamps_ms / 1000.0).tolist(), values.tolist(), strict=True))
        found.append((_name(labels[index]), points))
    return found


def _name(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")[:80]
