"""Runs the tests of a file: evaluates its rules on a clock that stands where the test wants it. Reads only files."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from alerting.alert import AlertState, Moment
from alerting.rule import Group, GroupDefaults
from alerting.rule_file import read_rule_file
from alerting.rule_state import AlertingState, RecordingState, RuleState, state_of
from alerting.template.surroundings import Surroundings
from alerting.unit_test.config import ExpressionTest, TestGroup, UnitTestFile, expected_labels
from core.config import validate
from core.duration import format_duration
from core.errors import ConfigError, Problem, UserError, WatchkeeperError
from core.yaml_file import Document, read_yaml
from metrics.frame import Frame, Layout
from metrics.head import Head
from metrics.label import METRIC_NAME, Labels, format_labels, with_labels
from metrics.promql.engine import Engine
from metrics.promql.parse import parse
from metrics.promql.result import Scalar, Vector
from metrics.storage import is_missing

_FOREVER_SECONDS = 1e10
_FUZZY = 1e-6
_LAST_DIGITS = 1e-14
"""How far apart values may be that count as equal: our sums are rounded in another order than promtool's."""

AlertView = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file.

    Attributes:
        failures: what differs, each as text of some lines; empty where all tests pass.
        warnings: what may be a mistake, a line each.
    """

    failures: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def run_file(file: Path) -> Outcome:
    """Run all tests of a file.

    Raises: ConfigError: the file or one of its rule files cannot be used; every mistake with its place.
    """
    document = read_yaml(file)
    section = validate(document, UnitTestFile)
    _check_order(section, document)
    rule_files, warnings = _rule_files(section, file.parent)
    failures: list[str] = []
    for test in section.tests:
        interval = test.interval or section.evaluation_interval
        groups = _groups(rule_files, section.group_eval_order, interval)
        failures += _Test(test, groups, section, interval).failures()
    return Outcome(tuple(failures), tuple(warnings))


def _check_order(section: UnitTestFile, document: Document) -> None:
    for index, name in enumerate(section.group_eval_order):
        if name in section.group_eval_order[:index]:
            problem = document.problem(
                ("group_eval_order", index), f"group {name!r} is named twice; remove one of them"
            )
            raise ConfigError([problem])


def _rule_files(section: UnitTestFile, folder: Path) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    warnings = []
    for pattern in section.rule_files:
        matches = sorted(glob.glob(str(folder / pattern)))  # noqa: PTH207 - absolute patterns too
        if not matches:
            warnings.append(f"no file matches {pattern!r}")
        found += map(Path, matches)
    return found, warnings


def _groups(files: Sequence[Path], order: Sequence[str], interval: float) -> list[Group]:
    problems: list[Problem] = []
    groups: list[Group] = []
    for file in dict.fromkeys(files):
        try:
            groups += read_rule_file(file, GroupDefaults(interval))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    places = {name: place for place, name in enumerate(order)}
    return sorted(groups, key=lambda group: places.get(group.name, 0))


@dataclass(slots=True, eq=False)
class _Member:
    """A rule and the series that it recorded last."""

    group: Group
    state: RuleState
    number: int
    recorded: Layout = field(default_factory=lambda: Layout(()))


class _Test:
    """One entry of `tests` and its own store."""

    def __init__(self, test: TestGroup, groups: Sequence[Group], file: UnitTestFile, interval: float) -> None:
        self._test = test
        self._fuzzy = file.fuzzy_compare
        self._step_ms = round(file.evaluation_interval * 1000)
        self._interval_ms = round(interval * 1000)
        self._head = Head(_FOREVER_SECONDS)
        self._engine = Engine(self._head, subquery_step_ms=self._step_ms)
        rules = [(group, rule) for group in groups for rule in group.rules]
        here = Surroundings(test.external_labels, test.external_url)
        self._members = [_Member(group, state_of(rule, here), number) for number, (group, rule) in enumerate(rules)]
        by_series = {one.series: one.values for one in test.input_series}
        self._inputs = [(Layout((labels,)), values) for labels, values in by_series.items()]
        self._longest = max((len(values) for values in by_series.values()), default=0)
        self._loaded = 0

    def failures(self) -> list[str]:
        """Return what differs."""
        failures: list[str] = []
        times = [test.eval_time for test in self._test.alert_rule_test]
        times += [test.eval_time for test in self._test.promql_expr_test]
        end_ms = round(max(times, default=0.0) * 1000)
        for at_ms in range(0, end_ms + 1, self._step_ms):
            self._load(at_ms)
            errors = self._evaluate(at_ms)
            if errors:
                return failures + errors
            failures += self._alert_failures(at_ms)
        for test in self._test.promql_expr_test:
            failure = self._expression_failure(test)
            if failure:
                failures.append(failure)
        return failures

    def _load(self, until_ms: int) -> None:
        """Put the values up to a time into the store."""
        last = min(until_ms // self._interval_ms, self._longest - 1)
        for index in range(self._loaded, last + 1):
            for number, (layout, values) in enumerate(self._inputs):
                # A source for each series: one that has no value now has a gap, and has not ended.
                value = values[index : index + 1]
                if len(value) and not is_missing(value)[0]:
                    self._head.append(Frame(f"input/{number}", index * self._interval_ms, layout, value))
        self._loaded = max(self._loaded, last + 1)

    def _evaluate(self, at_ms: int) -> list[str]:
        errors = []
        for member in self._members:
            try:
                self._evaluate_rule(member, at_ms)
            except WatchkeeperError as error:
                errors.append(f"    rule: {member.state.rule.name}, time: {_time(at_ms)}, err: {error}")
        return errors

    def _evaluate_rule(self, member: _Member, at_ms: int) -> None:
        state, limit = member.state, member.group.limit
        query_ms = at_ms - round(member.group.offset_seconds * 1000)
        samples: list[tuple[Labels, float]]
        if isinstance(state, RecordingState):
            samples = state.update(self._engine, query_ms, limit=limit)
        else:
            state.update(self._engine, query_ms, Moment(at_ms / 1000, at_ms / 1000), limit=limit)
            samples = list(_alert_series(state))
        series = tuple(labels for labels, _ in samples)
        if series != member.recorded.series:
            member.recorded = Layout(series)
        values = np.array([value for _, value in samples], dtype=np.float64)
        self._head.append(Frame(f"rule/{member.number}", query_ms, member.recorded, values))

    def _alert_failures(self, at_ms: int) -> Iterator[str]:
        """Yield what differs in the tests whose time comes before the next evaluation, in the order of time."""
        due = [t for t in self._test.alert_rule_test if at_ms <= round(t.eval_time * 1000) < at_ms + self._step_ms]
        for test in sorted(due, key=lambda test: test.eval_time):
            expected = sorted(
                _view(expected_labels(alert, test.alertname), alert.exp_annotations) for alert in test.exp_alerts
            )
            found = sorted(self._firing(test.alertname))
            if expected != found:
                yield (
                    f"{self._name()}    alertname: {test.alertname}, time: {format_duration(test.eval_time)}, \n"
                    f"        exp:{_show_alerts(expected)}, \n        got:{_show_alerts(found)}"
                )

    def _name(self) -> str:
        return f"    name: {self._test.name},\n" if self._test.name else ""

    def _firing(self, name: str) -> Iterator[AlertView]:
        for member in self._members:
            if isinstance(member.state, AlertingState) and member.state.rule.name == name:
                for active in member.state.active.values():
                    if active.life.state is AlertState.FIRING:
                        alert = member.state.view(active)
                        yield _view(alert.labels, alert.annotations)

    def _expression_failure(self, test: ExpressionTest) -> str:
        place = f"    expr: {test.expr!r}, time: {format_duration(test.eval_time)}"
        try:
            result = self._engine.instant(parse(test.expr), round(test.eval_time * 1000))
        except UserError as error:
            return f"{place}, err: {error}"
        found: list[tuple[Labels, float]]
        if isinstance(result, Scalar):
            found = [((), result.value)]
        elif isinstance(result, Vector):
            found = list(zip(result.series, result.values.tolist(), strict=True))
        else:
            return f"{place}, err: it yields neither an instant vector nor a scalar"
        found.sort()
        expected = sorted((sample.labels, sample.value) for sample in test.exp_samples)
        if self._equal(expected, found):
            return ""
        return f"{place},\n        exp: {_show_samples(expected)}\n        got: {_show_samples(found)}"

    def _equal(self, expected: Sequence[tuple[Labels, float]], found: Sequence[tuple[Labels, float]]) -> bool:
        tolerance = _FUZZY if self._fuzzy else _LAST_DIGITS
        return len(expected) == len(found) and all(
            one[0] == other[0] and math.isclose(one[1], other[1], rel_tol=tolerance)
            for one, other in zip(expected, found, strict=True)
        )


def _alert_series(state: AlertingState) -> Iterator[tuple[Labels, float]]:
    """Yield what Prometheus remembers about alerts: ALERTS, and since when each is active."""
    for active in state.active.values():
        changes = {METRIC_NAME: "ALERTS", "alertstate": active.life.state.value}
        yield with_labels(active.labels, changes), 1.0
        yield with_labels(active.labels, {METRIC_NAME: "ALERTS_FOR_STATE"}), active.life.active.wall


def _view(labels: Mapping[str, str], annotations: Mapping[str, str]) -> AlertView:
    return tuple(sorted((n, v) for n, v in labels.items() if v)), tuple(sorted(annotations.items()))


def _show_alerts(alerts: Sequence[AlertView]) -> str:
    if not alerts:
        return "[]"
    lines = []
    for number, (labels, notes) in enumerate(alerts):
        shown = format_labels(notes)
        lines.append(
            f"            {number}:\n              Labels:{format_labels(labels)}\n              Annotations:{shown}"
        )
    return "[\n" + "\n".join(lines) + "\n            ]"


def _show_samples(samples: Sequence[tuple[Labels, float]]) -> str:
    return ", ".join(f"{format_labels(labels)} {value:.17g}" for labels, value in samples) or "nil"


def _time(at_ms: int) -> str:
    return format_duration(at_ms / 1000)
