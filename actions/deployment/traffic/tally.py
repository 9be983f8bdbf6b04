"""Counts of what the router answered, for error rates and response times; no I/O."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Any

BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the duration buckets: those that Prometheus' client libraries use."""


class Tally:
    """Counts by revision since the router was started."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def add(self, revision: str, code: int, seconds: float) -> None:
        """Count one answered request; `revision` is empty where no backend took it."""
        self._requests[revision, code] += 1
        buckets = self._buckets.setdefault(revision, [0] * (len(BOUNDS_SECONDS) + 1))
        buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self._seconds[revision] = self._seconds.get(revision, 0.0) + seconds

    def as_json(self) -> dict[str, Any]:
        """Return all counts.

        `requests` is a list of {revision, code, count}; `durations` one of {revision, bounds, buckets, sum, count},
        whose `buckets` are cumulative and one longer than `bounds`: the last is `+Inf`.
        """
        return {
            "requests": [
                {"revision": revision, "code": code, "count": count}
                for (revision, code), count in sorted(self._requests.items())
            ],
            "durations": [self._durations(revision) for revision in sorted(self._buckets)],
        }

    def _durations(self, revision: str) -> dict[str, Any]:
        cumulative, total = [], 0
        for count in self._buckets[revision]:
            total += count
            cumulative.append(total)
        bounds = list(BOUNDS_SECONDS)
        seconds = self._seconds[revision]
        return {"revision": revision, "bounds": bounds, "buckets": cumulative, "sum": seconds, "count": total}
