"""What a rule has going on, and what one evaluation of it changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from alerting.alert import (
    Alert,
    AlertState,
    Life,
    Moment,
    Seen,
    Transition,
    alert_id,
    due,
    restore,
    severity_of,
    step,
)
from alerting.rule import AlertingRule, RecordingRule, Rule
from alerting.template.error import TemplateError
from alerting.template.rule import Template
from alerting.template.surroundings import NOWHERE, Surroundings
from core.errors import UserError, WatchkeeperError
from metrics.label import METRIC_NAME, Labels, labels_of
from metrics.promql.asking import InstantEngine
from metrics.promql.parse import Expression, parse
from metrics.promql.result import Scalar, Vector

_log = logging.getLogger(__name__)

ALERT_NAME = "alertname"
_CACHE_ROOM = 10_000

Sample = tuple[Labels, float]


class RuleError(WatchkeeperError):
    """A rule's result cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an evaluation changed about one alert and must be kept.

    Attributes:
        transition: None where only `missing_since` changed.
        series: labels of the series that it came from.
        missing_since: Unix seconds; since when its condition no longer holds while `keep_firing_for` runs.
    """

    transition: Transition | None
    alert: Alert
    series: Labels
    missing_since: float | None = None


@dataclass(slots=True)
class Active:
    """One pending or firing alert of a rule.

    Attributes:
        annotations: as they were when it was last seen, where they depend on more than its series; None otherwise.
    """

    id: str
    labels: Labels
    series: Labels
    life: Life
    value: float
    annotations: Mapping[str, str] | None = None


@dataclass(slots=True)
class Run:
    """How the evaluations of a rule went; for people."""

    health: str = "unknown"
    last_error: str = ""
    last_evaluation: float | None = None
    seconds: float = 0.0
    failures: int = 0

    def succeeded(self, name: str, wall: float, seconds: float) -> None:
        """Note an evaluation that went well."""
        if self.health == "error":
            _log.info("rule %s can be evaluated again", name)
        self.health, self.last_error, self.last_evaluation, self.seconds = "ok", "", wall, seconds

    def failed(self, name: str, wall: float, seconds: float, reason: str) -> None:
        """Note an evaluation that failed; the log gets it when it is news."""
        if reason != self.last_error:
            _log.warning("rule %s cannot be evaluated: %s", name, reason)
        self.failures += 1
        self.health, self.last_error, self.last_evaluation, self.seconds = "error", reason, wall, seconds


def evaluate(engine: InstantEngine, expression: Expression, at_ms: int, limit: int = 0) -> list[Sample]:
    """Return the series that an expression yields, without their metric names.

    Raises: RuleError: the result is no vector, is larger than `limit`, or has a label set twice.
    """
    result = engine.instant(expression, at_ms)
    if isinstance(result, Scalar):
        return [((), result.value)]
    if not isinstance(result, Vector):
        raise RuleError("it yields no instant vector")
    if limit and len(result.series) > limit:
        raise RuleError(f"it yields {len(result.series)} series, more than the group's limit of {limit}")
    return list(zip(map(without_name, result.series), result.values.tolist(), strict=True))


def without_name(labels: Labels) -> Labels:
    """Return labels without the metric's name."""
    if labels and labels[0][0] == METRIC_NAME:
        return labels[1:]
    return tuple(pair for pair in labels if pair[0] != METRIC_NAME)


@dataclass(slots=True)
class AlertingState:
    """The alerts of one alerting rule.

    Attributes:
        next_due: the monotonic time at which it must be looked at again though no data arrives.
        surroundings: what its templates know beside their series.
    """

    rule: AlertingRule
    surroundings: Surroundings = NOWHERE
    active: dict[Labels, Active] = field(default_factory=dict)
    run: Run = field(default_factory=Run)
    next_due: float | None = None
    _labels: dict[Labels, Labels] = field(default_factory=dict)

    def update(
        self,
        engine: InstantEngine,
        at_ms: int,
        now: Moment,
        *,
        limit: int = 0,
        is_back: Callable[[Labels], bool] | None = None,
    ) -> list[Change]:
        """Evaluate the rule and return what that changes.

        Args:
            is_back: whether the absence of a series means anything yet; None when it always does.
        Raises: WatchkeeperError: the expression cannot be evaluated; no alert is changed then.
        """
        samples = evaluate(engine, self.rule.expr, at_ms, limit)
        if not samples and not self.active:
            self.next_due = None
            return []
        if self.rule.asks:
            self.surroundings = replace(self.surroundings, engine=engine, at_ms=at_ms)
        seen = self._by_labels(samples)
        held = self._held(engine, at_ms, seen)
        changes: list[Change] = []
        for labels, (series, value) in seen.items():
            changes += self._step(labels, series, value, Seen.ACTIVE, now)
        for labels in [labels for labels in self.active if labels not in seen]:
            active = self.active[labels]
            verdict = Seen.HELD if active.series in held else Seen.ABSENT
            if verdict is Seen.ABSENT and is_back is not None and not is_back(active.series):
                verdict = Seen.UNKNOWN
            changes += self._step(labels, active.series, held.get(active.series, active.value), verdict, now)
        self.schedule(now)
        return changes

    def end(self, now: Moment, reason: str) -> list[Change]:
        """End all alerts, because the rule is no more."""
        changes = []
        for active in self.active.values():
            is_firing = active.life.state is AlertState.FIRING
            transition = Transition.RESOLVED if is_firing else Transition.INACTIVE
            changes.append(self._change(active, active.life, transition, now, reason))
        self.active.clear()
        self.next_due = None
        return changes

    def restore(self, stored: Change, now: Moment) -> None:
        """Take an alert back as an earlier process wrote it down."""
        alert = stored.alert
        life = restore(alert.active_since, alert.fired_at, stored.missing_since, now)
        labels = labels_of(alert.labels)
        annotations = alert.annotations if self.rule.asks else None
        self.active[labels] = Active(alert.id, labels, stored.series, life, alert.value, annotations)
        self.schedule(now)

    def schedule(self, now: Moment) -> None:
        """Work out `next_due`."""
        moments = [due(active.life, self.rule.timing) for active in self.active.values()]
        # What was due and did not happen waits for the timer: its data is unknown now.
        self.next_due = min(
            (moment for moment in moments if moment is not None and moment > now.monotonic), default=None
        )

    def view(self, active: Active) -> Alert:
        """Return an alert as others see it."""
        return self._alert(active, active.life, active.life.state, None, "")

    def _held(self, engine: InstantEngine, at_ms: int, seen: Mapping[Labels, Sample]) -> dict[Labels, float]:
        hold = self.rule.hold
        needs = any(active.life.fired_at is not None and labels not in seen for labels, active in self.active.items())
        return dict(evaluate(engine, hold, at_ms)) if hold is not None and needs else {}

    def _by_labels(self, samples: Iterable[Sample]) -> dict[Labels, Sample]:
        found: dict[Labels, Sample] = {}
        for series, value in samples:
            labels = self._labels.get(series) or self._alert_labels(series, value)
            if labels in found:
                raise RuleError("it yields the same labels twice; aggregate, or keep a label that tells series apart")
            found[labels] = series, value
        return found

    def _alert_labels(self, series: Labels, value: float) -> Labels:
        own = self._rendered(self.rule.labels, series, value)
        labels = labels_of({**dict(series), **own, ALERT_NAME: self.rule.name})
        if not any(template.depends_on_value for template in self.rule.labels.values()):
            if len(self._labels) >= _CACHE_ROOM:
                self._labels.clear()
            self._labels[series] = labels
        return labels

    def _step(self, labels: Labels, series: Labels, value: float, seen: Seen, now: Moment) -> list[Change]:
        active = self.active.get(labels)
        before = active.life if active is not None else None
        life, transition = step(before, seen, self.rule.timing, now)
        if active is None:
            if life is None:
                return []
            identity = alert_id(self.rule.key, dict(labels), life.active.wall)
            active = self.active[labels] = Active(identity, labels, series, life, value)
        if seen in (Seen.ACTIVE, Seen.HELD):
            active.series, active.value = series, value
            if self.rule.asks:
                active.annotations = self._rendered(self.rule.annotations, series, value)
        if life is None:
            assert before is not None and transition is not None
            del self.active[labels]
            return [self._change(active, before, transition, now)]
        active.life = life
        is_kept = before is None or life.missing is before.missing
        return [] if transition is None and is_kept else [self._change(active, life, transition, now)]

    def _change(
        self, active: Active, life: Life, transition: Transition | None, now: Moment, reason: str = ""
    ) -> Change:
        ended = transition in (Transition.RESOLVED, Transition.INACTIVE)
        state = AlertState.RESOLVED if ended else life.state
        alert = self._alert(active, life, state, now.wall if ended else None, reason)
        missing = None if life.missing is None or ended else life.missing.wall
        return Change(transition, alert, active.series, missing)

    def _rendered(self, templates: Mapping[str, Template], series: Labels, value: float) -> dict[str, str]:
        return {name: _render(template, series, value, self.surroundings) for name, template in templates.items()}

    def _alert(self, active: Active, life: Life, state: AlertState, resolved_at: float | None, reason: str) -> Alert:
        annotations = active.annotations
        if annotations is None:
            annotations = self._rendered(self.rule.annotations, active.series, active.value)
        return Alert(
            id=active.id,
            name=self.rule.name,
            labels=dict(active.labels),
            annotations=annotations,
            state=state,
            severity=severity_of(active.labels),
            active_since=life.active.wall,
            fired_at=life.fired_at,
            resolved_at=resolved_at,
            value=active.value,
            rule=self.rule.key,
            expr=self.rule.expr.text,
            reason=reason,
        )


def ended(stored: Change, now: Moment, reason: str) -> Change:
    """Return the end of an alert that was written down and whose rule is no more."""
    is_firing = stored.alert.state is AlertState.FIRING
    transition = Transition.RESOLVED if is_firing else Transition.INACTIVE
    alert = replace(stored.alert, state=AlertState.RESOLVED, resolved_at=now.wall, reason=reason)
    return Change(transition, alert, stored.series)


def _render(template: Template, series: Labels, value: float, surroundings: Surroundings) -> str:
    try:
        return template.render(series, value, surroundings)
    except TemplateError as error:
        return f"<error expanding template: {error}>"


@dataclass(slots=True)
class RecordingState:
    """A recording rule; its result is handed on by the evaluator."""

    rule: RecordingRule
    run: Run = field(default_factory=Run)
    next_due: float | None = None

    def update(self, engine: InstantEngine, at_ms: int, *, limit: int = 0) -> list[Sample]:
        """Evaluate the rule and return the series to record, by their new labels.

        Raises: WatchkeeperError: the expression cannot be evaluated.
        """
        changes = {**self.rule.labels, METRIC_NAME: self.rule.name}
        samples = [
            (labels_of({**dict(labels), **changes}), value)
            for labels, value in evaluate(engine, self.rule.expr, at_ms, limit)
        ]
        if len({labels for labels, _ in samples}) != len(samples):
            raise RuleError("it yields the same labels twice; aggregate, or keep a label that tells series apart")
        return samples


RuleState = AlertingState | RecordingState


def state_of(rule: Rule, surroundings: Surroundings = NOWHERE) -> RuleState:
    """Return the state of a rule that has nothing going on yet; `surroundings` are for its templates."""
    return AlertingState(rule, surroundings) if isinstance(rule, AlertingRule) else RecordingState(rule)


def template_expressions(rule: AlertingRule) -> list[Expression]:
    """Return what a rule's templates are sure to ask, as far as it can be read."""
    found = []
    for text in rule.template_queries():
        with suppress(UserError):
            found.append(parse(text))
    return found
