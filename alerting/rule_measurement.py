"""What the evaluation of rules measures about itself."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from alerting.alert import Alert, AlertState, Severity


class RuleMeasurement:
    """The metrics of rules and of the alerts that they lead to."""

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
        self.show_alerts(())

    def show_groups(self, groups: Iterable[tuple[str, int]]) -> None:
        """Begin to count for these groups, by name and number of rules; a counter that starts at 0 can rise."""
        count = 0
        for name, rules in groups:
            count += rules
            self.evaluations.labels(name)
            self.evaluation_failures.labels(name)
        self.rules.set(count)

    def show_alerts(self, alerts: Iterable[tuple[AlertState, Severity]]) -> None:
        """Set the number of alerts by state and severity."""
        count = Tally(alerts)
        for state in (AlertState.PENDING, AlertState.FIRING):
            for severity in Severity:
                self._alerts.labels(state.value, severity.value).set(count[state, severity])


def kind_of(alert: Alert) -> tuple[AlertState, Severity]:
    """Return what an alert is counted under."""
    return alert.state, alert.severity
