"""The sender's own metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Measurement:
    """What all receivers share; the label `remote_name` tells them apart."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["remote_name"]
        self.pending = Gauge(
            "watchkeeper_remote_write_samples_pending", "Samples read and not yet acknowledged.", labels,
            registry=registry,
        )  # fmt: skip
        self.sent = Counter(
            "watchkeeper_remote_write_samples_sent_total", "Samples that the receiver took.", labels, registry=registry
        )
        self.retried = Counter(
            "watchkeeper_remote_write_samples_retried_total", "Samples that had to be sent once more.", labels,
            registry=registry,
        )  # fmt: skip
        self.failed = Counter(
            "watchkeeper_remote_write_samples_failed_total", "Requests that came to nothing, in samples; they may be"
            " tried again.", labels, registry=registry,
        )  # fmt: skip
        self.dropped = Counter(
            "watchkeeper_remote_write_samples_dropped_total", "Samples that the receiver refused for good.", labels,
            registry=registry,
        )  # fmt: skip
        self.lost_bytes = Counter(
            "watchkeeper_remote_write_lost_bytes_total",
            "Bytes of write-ahead files that were damaged, or gone before they could be sent.", labels,
            registry=registry,
        )  # fmt: skip
        self.shards = Gauge(
            "watchkeeper_remote_write_shards", "Requests that were sent at the same time at last.", labels,
            registry=registry,
        )  # fmt: skip
        self.newest = Gauge(
            "watchkeeper_remote_write_highest_timestamp_sent_seconds", "Time of the newest acknowledged sample.",
            labels, registry=registry,
        )  # fmt: skip
        self.reached = Gauge(
            "watchkeeper_remote_write_caught_up_timestamp_seconds",
            "When nothing was left to send at last, Unix seconds.", labels, registry=registry,
        )  # fmt: skip
        self.duration = Histogram(
            "watchkeeper_remote_write_request_duration_seconds", "Time of a request.", labels,
            buckets=(0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0), registry=registry,
        )  # fmt: skip

    def forget(self, name: str) -> None:
        """Show nothing of a receiver any more."""
        for metric in (
            self.pending, self.sent, self.retried, self.failed, self.dropped, self.lost_bytes, self.shards,
            self.newest, self.reached, self.duration,
        ):  # fmt: skip
            if (name,) in metric._metrics:
                metric.remove(name)
