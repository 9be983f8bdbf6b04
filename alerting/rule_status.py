"""Rules and how they go, as people and the API are shown them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerting.alert import Alert, Severity, Timing, severity_of
from alerting.health import Aspect, aspect_of
from alerting.rule import AlertingRule, Group, Rule
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


def group_status(group: Group, states: Sequence[RuleState]) -> GroupStatus:
    """Return how a group of rules and each rule of it goes."""
    return GroupStatus(
        group.name,
        group.file,
        group.interval_seconds,
        group.limit,
        tuple((status_of(group.name, state), str(state.rule.expr), alerts_of(state)) for state in states),
    )


def watched(rules: Iterable[Rule]) -> set[Aspect]:
    """Return the aspects of health that rules look after."""
    found = set()
    for rule in rules:
        if isinstance(rule, AlertingRule):
            texts = [{name: t.text for name, t in part.items()} for part in (rule.labels, rule.annotations)]
            found.add(aspect_of(*texts))
    return found
