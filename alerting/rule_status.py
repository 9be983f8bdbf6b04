"""Rules and how they go, as people and the API are shown them."""

from __future__ import annotations

from dataclasses import dataclass

from alerting.alert import Alert, Severity, Timing, severity_of
from alerting.rule_state import AlertingState, RuleState
from metrics.label import labels_of


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule and how it goes; for people.

    Attributes:
        kind: alerting or recording.
        place: `file:line`.
        health: ok, error, or unknown before the first evaluation.
        last_evaluation: Unix seconds.
        alerts: how many are pending or firing.
    """

    group: str
    name: str
    kind: str
    expr: str
    for_seconds: float
    keep_firing_for_seconds: float
    labels: dict[str, str]
    annotations: dict[str, str]
    severity: Severity | None
    place: str
    health: str
    last_error: str
    last_evaluation: float | None
    evaluation_seconds: float
    alerts: int


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group of rules as it stands in its file, and how it goes.

    Attributes:
        limit: the most series that a rule may yield; 0 for any number.
        rules: in order, each with its expression in the usual form and its pending and firing alerts.
    """

    name: str
    file: str
    interval_seconds: float
    limit: int
    rules: tuple[tuple[RuleStatus, str, tuple[Alert, ...]], ...]


def alerts_of(state: RuleState) -> tuple[Alert, ...]:
    """Return the pending and firing alerts of a rule."""
    if not isinstance(state, AlertingState):
        return ()
    return tuple(state.view(active) for active in state.active.values())


def status_of(group: str, state: RuleState) -> RuleStatus:
    """Return how a rule of the named group goes."""
    rule, run = state.rule, state.run
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    timing, severity, active = Timing(), None, 0
    if isinstance(state, AlertingState):
        labels = {name: template.text for name, template in state.rule.labels.items()}
        annotations = {name: template.text for name, template in state.rule.annotations.items()}
        timing, severity, active = state.rule.timing, severity_of(labels_of(labels)), len(state.active)
    else:
        labels = dict(state.rule.labels)
    return RuleStatus(
        group=group,
        name=rule.name,
        kind="alerting" if severity is not None else "recording",
        expr=rule.expr.text,
        for_seconds=timing.for_seconds,
        keep_firing_for_seconds=timing.keep_firing_for_seconds,
        labels=labels,
        annotations=annotations,
        severity=severity,
        place=rule.place,
        health=run.health,
        last_error=run.last_error,
        last_evaluation=run.last_evaluation,
        evaluation_seconds=run.seconds,
        alerts=active,
    )
