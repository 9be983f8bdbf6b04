"""What alerting measures about itself."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerting.alert import Alert, AlertState, Severity


class Measurement:
    """The metrics of rules, alerts, incidents and notifications."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.evaluations = Counter(
            "watchkeeper_rule_evaluations_total", "Evaluations of rules.", ["rule_group"], registry=registry
        )
        self.evaluation_failures = Counter(
            "watchkeeper_rule_evaluation_failures_total",
            "Evaluations of rules that failed.",
            ["rule_group"],
            registry=registry,
        )
        self.round_duration = Histogram(
            "watchkeeper_rule_round_duration_seconds",
            "How long the evaluation of all rules whose data had arrived took.",
            registry=registry,
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
        )
        self.last_evaluation = Gauge(
            "watchkeeper_rule_last_evaluation_timestamp_seconds", "When rules were last evaluated.", registry=registry
        )
        self.rules = Gauge("watchkeeper_rules", "Rules that are loaded.", registry=registry)
        self._alerts = Gauge(
            "watchkeeper_alerts", "Alerts that are pending or firing.", ["state", "severity"], registry=registry
        )
        self.waiting_commits = Gauge(
            "watchkeeper_alert_changes_waiting",
            "Alert changes that wait for the state database to be writable.",
            registry=registry,
        )
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
        self.show_alerts(())

    def show_groups(self, groups: Iterable[tuple[str, int]]) -> None:
        """Begin to count for these groups, by name and number of rules; a counter that starts at 0 can rise."""
        count = 0
        for name, rules in groups:
            count += rules
            self.evaluations.labels(name)
            self.evaluation_failures.labels(name)
        self.rules.set(count)

    def show_receiver(self, name: str) -> None:
        """Begin to count for a receiver."""
        self.notifications.labels(name)
        for outcome in ("retry", "rejected"):
            self.notification_failures.labels(name, outcome)
        self.summed.labels(name)
        self.superseded.labels(name)

    def show_alerts(self, alerts: Iterable[tuple[AlertState, Severity]]) -> None:
        """Set the number of alerts by state and severity."""
        count = Tally(alerts)
        for state in (AlertState.PENDING, AlertState.FIRING):
            for severity in Severity:
                self._alerts.labels(state.value, severity.value).set(count[state, severity])


def kind_of(alert: Alert) -> tuple[AlertState, Severity]:
    """Return what an alert is counted under."""
    return alert.state, alert.severity
