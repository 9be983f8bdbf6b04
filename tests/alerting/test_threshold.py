"""Thresholds: the rules they stand for, and what is refused."""

from __future__ import annotations

import pytest

from alerting.alert import Timing
from alerting.threshold import threshold_group
from core.errors import ConfigError
from metrics.label import labels_of
from tests.alerting.house import config_of

FULL = """
thresholds:
  - name: QueueLong
    expr: sum by (queue) (jobs)  # all workers
    for: 5m
    warning: {above: 80, resolve: 70}
    critical: {above: 90.5, for: 1m}
    labels: {service: shop}
    annotations: {runbook: "https://wiki/queue"}
    summary: "{{ $labels.queue }} holds {{ $value }}"
"""


def test_each_level_is_an_alerting_rule() -> None:
    warning, critical = threshold_group(config_of(FULL).thresholds, "f").rules
    assert str(warning.expr.text).replace("\n", " ") == "(sum by (queue) (jobs)) > 80"
    assert warning.key == 'thresholds/QueueLong{service="shop",severity="medium"}'
    assert (warning.timing, critical.timing) == (Timing(300), Timing(60))  # type: ignore[union-attr]
    assert warning.hold is not None  # type: ignore[union-attr]
    assert warning.hold.text.endswith(">= 70")  # type: ignore[union-attr]
    assert critical.hold is None  # type: ignore[union-attr]
    assert critical.expr.text.endswith("> 90.5")
    assert critical.labels["severity"].text == "critical"  # type: ignore[union-attr]
    summary = warning.annotations["summary"]  # type: ignore[union-attr]
    assert summary.render(labels_of({"queue": "mail"}), 81.0) == "mail holds 81"


def test_a_comment_in_the_expression_does_not_swallow_the_comparison() -> None:
    text = 'thresholds: [{name: A, expr: "x # why\\n", warning: {below: 5}}]'
    (rule,) = threshold_group(config_of(text).thresholds, "f").rules
    assert rule.expr.prettify() == "(x) < 5"


def test_without_a_summary_the_value_and_its_limit_are_told() -> None:
    (rule,) = threshold_group(
        config_of("thresholds: [{name: Free, expr: x, critical: {below: 5}}]").thresholds, "f"
    ).rules
    assert rule.annotations["summary"].render((), 3.0) == "Free: 3 is below 5"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: A, expr: x}", "give 'warning', 'critical' or both"),
        ("{name: A, expr: x, warning: {}}", "exactly one of 'above' and 'below'"),
        ("{name: A, expr: x, warning: {above: 1, below: 2}}", "exactly one of 'above' and 'below'"),
        ("{name: A, expr: x, warning: {above: 1, resolve: 2}}", "must not be greater"),
        ("{name: A, expr: x, warning: {below: 2, resolve: 1}}", "must not be less"),
        ("{name: A, expr: x, warning: {above: 1}, critical: {below: 2}}", "different directions"),
        ("{name: A, expr: x, warning: {above: 2}, critical: {above: 1}}", "'warning' is above 'critical'"),
        ("{name: A, expr: x, warning: {below: 1}, critical: {below: 2}}", "'warning' is below 'critical'"),
        ("{name: A, expr: x, warning: {above: 1}, labels: {severity: high}}", "sets the label 'severity'"),
        ("{name: A, expr: x, warning: {above: 1}, summary: a, annotations: {summary: b}}", "given twice"),
        ("{name: A, expr: time(), warning: {above: 1}}", "yields a scalar"),
        ("{name: A, expr: 'x) or (y', warning: {above: 1}}", "thresholds.0.expr"),
        ("{name: A, expr: x, warning: {abve: 1}}", "did you mean 'above'?"),
        ("{name: A, expr: x, warning: {above: .nan}}", "finite"),
        ("{name: A, expr: x, for: 5, warning: {above: 1}}", "has no unit"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(f"thresholds:\n  - {text}")
    assert words in str(caught.value)
    assert "watchkeeper.yml:3:" in str(caught.value)
