"""The daemon's own metrics about finding targets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class DiscoveryStatistics:
    """Counts looks by the kind of discovery, and what each job has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._looks = Counter(
            "watchkeeper_discovery_refreshes_total",
            "Times that targets were looked for, with or without success.",
            ["mechanism"],
            registry=registry,
        )
        self._failures = Counter(
            "watchkeeper_discovery_failures_total",
            "Times that targets were looked for and something could not be read.",
            ["mechanism"],
            registry=registry,
        )
        self._up = Gauge(
            "watchkeeper_discovery_up",
            "1 when the last look for a job's targets went well, 0 when it failed and the last known ones stayed.",
            ["scrape_job", "discovery"],
            registry=registry,
        )
        self._targets = Gauge(
            "watchkeeper_discovery_targets",
            "What became of the targets that were found for a job.",
            ["scrape_job", "state"],
            registry=registry,
        )

    def looked(self, job: str, provider: str, *, well: bool) -> None:
        """Count one look."""
        kind = provider.partition("/")[0]
        self._looks.labels(kind).inc()
        self._failures.labels(kind).inc(0 if well else 1)
        self._up.labels(job, provider).set(1 if well else 0)

    def found(self, job: str, *, active: int, dropped: int, faulty: int) -> None:
        """Show what a job has now."""
        for state, count in (("active", active), ("dropped", dropped), ("faulty", faulty)):
            self._targets.labels(job, state).set(count)

    def forget(self, job: str, providers: list[str]) -> None:
        """Drop the series of a job that is no more."""
        self._targets.remove_by_labels({"scrape_job": job})
        for provider in providers:
            self.forget_provider(job, provider)

    def forget_provider(self, job: str, provider: str) -> None:
        """Drop the series of a provider that is no more."""
        self._up.remove_by_labels({"scrape_job": job, "discovery": provider})
