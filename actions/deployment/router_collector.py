"""Requests and response times of every routed service, as the routers count them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actions.deployment.site import Site
from collectors.collector import Readings
from core.errors import TransientError
from metrics.frame import Family, Layout, MetricType
from metrics.label import METRIC_NAME, Labels, labels_of

REQUESTS = "watchkeeper_router_requests_total"
DURATION = "watchkeeper_router_request_duration_seconds"

FAMILIES = {
    REQUESTS: Family(REQUESTS, MetricType.COUNTER, "Requests the router answered, by service, revision and status."),
    DURATION: Family(
        DURATION, MetricType.HISTOGRAM, "From a request's arrival at the router to the end of its answer."
    ),
}


@dataclass(eq=False)
class RouterCollector:
    """Implements Collector over the routers of all configured services."""

    sites: Callable[[], Sequence[Site]]
    interval_seconds: float = 1.0
    timeout_seconds: float = 1.0
    source: str = "router"
    target_labels: Mapping[str, str] = field(default_factory=lambda: {"job": "router", "instance": "watchkeeper"})
    honor_labels: bool = False
    exported: bool = True
    signature: object = "router"
    _layout: Layout = field(default_factory=lambda: Layout(()))

    async def collect(self) -> Readings:
        """Ask every router; one that does not run or answer has no series this time."""
        series: list[Labels] = []
        values: list[float] = []
        for site in self.sites():
            counts = await _counts(site)
            if counts is not None:
                for labels, value in samples_of(site.service, site.environment, site.config.labels, counts):
                    series.append(labels)
                    values.append(value)
        if tuple(series) != self._layout.series:
            self._layout = Layout(tuple(series))
        return Readings(self._layout, np.array(values, dtype=np.float64), FAMILIES)

    async def close(self) -> None:
        """Nothing is held open."""


async def _counts(site: Site) -> dict[str, Any] | None:
    ask: Callable[[], Awaitable[dict[str, Any] | None]] | None = getattr(site.router, "readings_json", None)
    if ask is None:
        return None  # a router that does not count
    try:
        return await ask()
    except TransientError:
        return None


def samples_of(
    service: str, environment: str, extra: Mapping[str, str], counts: Mapping[str, Any]
) -> list[tuple[Labels, float]]:
    """Return the samples of one router's counts, in a stable order."""
    base = {**extra, "service": service, "environment": environment}
    found = []
    for item in counts["requests"]:
        labels = {**base, METRIC_NAME: REQUESTS, "revision": item["revision"], "code": str(item["code"])}
        found.append((labels_of(labels), float(item["count"])))
    for item in counts["durations"]:
        own = {**base, "revision": item["revision"]}
        bounds = [f"{bound:g}" if bound != int(bound) else f"{bound:.1f}" for bound in item["bounds"]]
        for bound, count in zip([*bounds, "+Inf"], item["buckets"], strict=True):
            found.append((labels_of({**own, METRIC_NAME: DURATION + "_bucket", "le": bound}), float(count)))
        found.append((labels_of({**own, METRIC_NAME: DURATION + "_sum"}), float(item["sum"])))
        found.append((labels_of({**own, METRIC_NAME: DURATION + "_count"}), float(item["count"])))
    return found
