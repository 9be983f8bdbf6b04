"""What the way from an alert to a receiver measures about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class NotificationMeasurement:
    """The metrics of groups, posted alerts and notifications."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.notifications = Counter(
            "watchkeeper_notifications_total", "Notifications that were delivered.", ["receiver"], registry=registry
        )
        self.notification_failures = Counter(
            "watchkeeper_notification_failures_total",
            "Attempts to deliver a notification that failed; rejected ones are not tried again.",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.queued = Gauge(
            "watchkeeper_notifications_queued", "Notifications that wait for delivery.", registry=registry
        )
        self.circuits_open = Gauge(
            "watchkeeper_notification_circuit_open",
            "Whether an address fails so often that it is left alone for a while (1) or not (0).",
            ["receiver", "integration"],
            registry=registry,
        )
        self.delivery_duration = Histogram(
            "watchkeeper_notification_delivery_duration_seconds",
            "How long delivered notifications waited, from the change of the alert to the receiver's answer.",
            registry=registry,
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60, 600, 3600),
        )
        self.groups = Gauge("watchkeeper_alert_groups", "Groups of alerts that share a message.", registry=registry)
        self.posted = Counter(
            "watchkeeper_posted_alerts_total", "Alerts that others posted, each post of one.", registry=registry
        )
        self.summed = Counter(
            "watchkeeper_notifications_summed_total",
            "Notifications that were not sent by themselves but counted in a summary, because there were too many.",
            ["receiver"],
            registry=registry,
        )
        self.superseded = Counter(
            "watchkeeper_notifications_superseded_total",
            "Notifications that were not delivered yet when a newer one of their group took their place.",
            ["receiver"],
            registry=registry,
        )

    def show_receiver(self, name: str) -> None:
        """Begin to count for a receiver."""
        self.notifications.labels(name)
        for outcome in ("retry", "rejected"):
            self.notification_failures.labels(name, outcome)
        self.summed.labels(name)
        self.superseded.labels(name)
