"""The daemon's own metrics about collecting."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)


class CollectionStatistics:
    """Counts collections by the kind of collector, so that the number of series does not grow with the targets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        kind = ["collector"]
        self._collections = Counter(
            "watchkeeper_collections_total", "Collections that ended, with or without success.", kind, registry=registry
        )
        self._errors = Counter(
            "watchkeeper_collection_errors_total",
            "Collections that failed.",
            ["collector", "reason"],
            registry=registry,
        )
        self._duration = Histogram(
            "watchkeeper_collection_duration_seconds",
            "How long collections took.",
            kind,
            registry=registry,
            buckets=_BUCKETS,
        )
        self._late = Counter(
            "watchkeeper_collections_late_total",
            "Collections that began more than 100 ms after they were due.",
            kind,
            registry=registry,
        )
        self._skipped = Counter(
            "watchkeeper_collections_skipped_total",
            "Collections that were due and left out, because the one before had not ended or the daemon was held up.",
            kind,
            registry=registry,
        )

    def succeeded(self, kind: str, duration_seconds: float) -> None:
        """Count a collection that gave readings."""
        self._collections.labels(kind).inc()
        self._duration.labels(kind).observe(duration_seconds)

    def failed(self, kind: str, reason: str, duration_seconds: float) -> None:
        """Count a collection that failed; `reason` is one of a few fixed words."""
        self.succeeded(kind, duration_seconds)
        self._errors.labels(kind, reason).inc()

    def late(self, kind: str) -> None:
        """Count a late start."""
        self._late.labels(kind).inc()

    def skipped(self, kind: str, count: int) -> None:
        """Count collections that were left out."""
        self._skipped.labels(kind).inc(count)
