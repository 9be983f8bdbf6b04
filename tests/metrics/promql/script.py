"""Prometheus' own test language: loads and evaluations, read from a file and run against an engine.

An evaluation is left out when it needs native histograms, which shows by what it contains, or when our parser says
that something in it is not supported yet.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from core.duration import parse_duration
from core.errors import UserError
from metrics.frame import STALE
from metrics.label import METRIC_NAME, Labels, format_labels, label_value, labels_of, metric_name
from metrics.promql.engine import Engine
from metrics.promql.error import UnsupportedError
from metrics.promql.parse import SelectorUse, parse
from metrics.promql.result import Matrix, Result, Scalar, Vector
from metrics.storage import is_missing
from tests.fakes.storage import FakeStorage

_EPSILON = 1e-6
_EVAL = re.compile(r"eval(?:_(?P<mode>fail|warn|info|ordered))?\s+(?P<rest>.*)", re.DOTALL)
_INSTANT = re.compile(r"instant\s+(?:at\s+(?P<at>\S+)\s+)?(?P<text>.*)", re.DOTALL)
_RANGE = re.compile(r"range from (?P<start>\S+) to (?P<end>\S+) step (?P<step>\S+)\s+(?P<text>.*)", re.DOTALL)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"\s*(?P<name>{_QUOTED}|[a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=\s*(?P<value>{_QUOTED}))?\s*,?")
_NUMBER = r"[+-]?(?:inf|nan|[0-9.]+(?:e[+-]?[0-9]+)?)"
_STEPS = re.compile(rf"(?P<first>{_NUMBER})(?P<step>[+-][0-9.e+-]+)?(?:x(?P<times>\d+))?", re.IGNORECASE)
_HISTOGRAM = re.compile(r"\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x(?P<times>\d+))?")


class Outcome(Enum):
    PASSED = "passed"
    NATIVE_HISTOGRAM = "needs native histograms"
    UNSUPPORTED = "uses what is not supported yet"
    FAILED = "failed"


@dataclass
class Evaluation:
    """One `eval` of a file with its expected lines."""

    line: int
    mode: str
    text: str
    start_ms: int
    end_ms: int
    step_ms: int | None
    expected: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What became of an evaluation."""

    file: str
    evaluation: Evaluation
    outcome: Outcome
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.evaluation.line}: {self.evaluation.text}: {self.reason}"


def run_file(path: Path) -> Iterator[Report]:
    """Yield what becomes of each evaluation of a file."""
    script = _Script()
    for line, command in _commands(path.read_text(encoding="utf-8")):
        for evaluation in script.take(line, command):
            outcome, reason = script.judge(evaluation)
            yield Report(path.name, evaluation, outcome, reason)


def _commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each command with its line number: a line that begins at the margin, and the indented ones below it."""
    block: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if line[0].isspace() and block:
            block.append(stripped)
            continue
        if block:
            yield start, block
        block, start = [stripped], number
    if block:
        yield start, block


class _Script:
    def __init__(self) -> None:
        self._storage = FakeStorage()
        self._engine = Engine(self._storage)
        self._histograms: list[Labels] = []

    def take(self, line: int, command: list[str]) -> Iterator[Evaluation]:
        head = command[0]
        if head == "clear":
            self._storage.clear()
            self._histograms.clear()
        elif head.startswith("load"):
            self._load(head, command[1:])
        else:
            yield _evaluation(line, head, command[1:])

    def judge(self, evaluation: Evaluation) -> tuple[Outcome, str]:
        try:
            expression = parse(evaluation.text)
        except UnsupportedError as error:
            native = "histogram_" in evaluation.text
            return (Outcome.NATIVE_HISTOGRAM if native else Outcome.UNSUPPORTED), str(error)
        except UserError as error:
            return (Outcome.PASSED, "") if evaluation.mode == "fail" else (Outcome.FAILED, str(error))
        if any("{{" in line for line in evaluation.expected) or self._reads_histograms(expression.selectors):
            return Outcome.NATIVE_HISTOGRAM, ""
        try:
            result: Result
            if evaluation.step_ms is None:
                result = self._engine.instant(expression, evaluation.start_ms)
            else:
                result = self._engine.range(expression, evaluation.start_ms, evaluation.end_ms, evaluation.step_ms)
        except UserError as error:
            return (Outcome.PASSED, "") if evaluation.mode == "fail" else (Outcome.FAILED, str(error))
        reason = _compare(evaluation, result)
        return (Outcome.FAILED, reason) if reason else (Outcome.PASSED, "")

    def _reads_histograms(self, uses: Iterable[SelectorUse]) -> bool:
        return any(
            all(matcher.matches(label_value(labels, matcher.name)) for matcher in use.matchers)
            for use in uses
            for labels in self._histograms
        )

    def _load(self, head: str, lines: list[str]) -> None:
        command, step = head.split()
        step_ms = _milliseconds(step)
        for line in lines:
            labels, rest = _series(line)
            if _HISTOGRAM.search(rest):
                self._histograms.append(labels)
            values = _values(_HISTOGRAM.sub(lambda match: f"_x{int(match['times'] or 0) + 1}", rest))
            samples = {n * step_ms: value for n, value in enumerate(values) if value is not None}
            self._storage.add(labels, samples)
            if command == "load_with_nhcb" and metric_name(labels).endswith("_bucket"):
                base = {**dict(labels), METRIC_NAME: metric_name(labels).removesuffix("_bucket"), "le": ""}
                self._histograms.append(labels_of(base))


def _evaluation(line: int, head: str, expected: list[str]) -> Evaluation:
    match = _EVAL.fullmatch(head)
    assert match, f"line {line}: {head}"
    mode, rest = match["mode"] or "", match["rest"]
    ranged = _RANGE.fullmatch(rest)
    if ranged:
        start, end, step = (_milliseconds(ranged[name]) for name in ("start", "end", "step"))
        return Evaluation(line, mode, ranged["text"], start, end, step, expected)
    instant = _INSTANT.fullmatch(rest)
    assert instant, f"line {line}: {head}"
    at_ms = _milliseconds(instant["at"] or "0")
    return Evaluation(line, mode, instant["text"], at_ms, at_ms, None, expected)


def _milliseconds(text: str) -> int:
    if re.fullmatch(r"[0-9.]+", text):
        return round(float(text) * 1000)
    return round(parse_duration(text) * 1000)


def _series(line: str) -> tuple[Labels, str]:
    """Return the labels at the beginning of a line, and what follows them."""
    match = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line)
    pairs = {METRIC_NAME: match[0]} if match else {}
    position = match.end() if match else 0
    if line[position : position + 1] == "{":
        position += 1
        while line[position] != "}":
            pair = _PAIR.match(line, position)
            assert pair, line
            name = pair["name"].strip('"')
            if pair["value"] is None:
                pairs[METRIC_NAME] = name
            else:
                pairs[name] = pair["value"][1:-1].replace('\\"', '"').replace("\\\\", "\\")
            position = pair.end()
        position += 1
    return labels_of(pairs), line[position:].strip()


def _values(text: str) -> list[float | None]:
    """Return the values of a series; None where there is no sample."""
    values: list[float | None] = []
    for word in text.split():
        if word.startswith("_"):
            values += [None] * int(word[2:] or 1)
        elif word.startswith("stale"):
            values += [STALE] * (1 + int(word[6:] or 0))
        else:
            values += _steps(word)
    return values


def _steps(word: str) -> list[float]:
    match = _STEPS.fullmatch(word)
    assert match, word
    first, step = float(match["first"]), float(match["step"] or 0)
    if match["times"] is None:
        return [first]
    values = [first]
    for _ in range(int(match["times"])):
        values.append(values[-1] + step)
    return values


def _compare(evaluation: Evaluation, result: Result) -> str:
    if evaluation.mode == "fail":
        return "should fail, but did not"
    if (evaluation.mode == "warn") != bool(result.warnings):
        return f"warnings are {result.warnings}"
    if evaluation.mode == "info" and not result.infos:
        return "should say something about the expression"
    if isinstance(result, Scalar):
        return _differs(float(evaluation.expected[0]), result.value)
    if isinstance(result, Vector):
        return _compare_vector(evaluation, result)
    assert isinstance(result, Matrix)
    return _compare_matrix(evaluation, result)


def _compare_vector(evaluation: Evaluation, result: Vector) -> str:
    expected = [_series(line) for line in evaluation.expected]
    if evaluation.mode == "ordered" and [labels for labels, _ in expected] != list(result.series):
        return f"order is {[format_labels(labels) for labels in result.series]}"
    found = dict(zip(result.series, result.values.tolist(), strict=True))
    if len(found) != len(result.series):
        return "a series is there twice"
    if found.keys() != {labels for labels, _ in expected}:
        return f"series are {[format_labels(labels) for labels in found]}"
    reasons = [_differs(_steps(rest)[0], found[labels]) for labels, rest in expected]
    return "; ".join(filter(None, reasons))


def _compare_matrix(evaluation: Evaluation, result: Matrix) -> str:
    expected = {labels: _values(rest) for labels, rest in map(_series, evaluation.expected)}
    if expected.keys() != set(result.series) or len(expected) != len(result.series):
        return f"series are {[format_labels(labels) for labels in result.series]}"
    missing = is_missing(result.values)
    for column, labels in enumerate(result.series):
        wanted = expected[labels] + [None] * (len(result.timestamps_ms) - len(expected[labels]))
        for row, want in enumerate(wanted):
            got = None if missing[row, column] else float(result.values[row, column])
            reason = f"{want} is {got}" if (want is None) != (got is None) else ""
            if want is not None and got is not None:
                reason = _differs(want, got)
            if reason:
                return f"{format_labels(labels)} at {result.timestamps_ms[row]} ms: {reason}"
    return ""


def _differs(want: float, got: float) -> str:
    if want == got or (math.isnan(want) and math.isnan(got)):
        return ""
    size = abs(want) + abs(got)
    if want == 0 or got == 0 or size < sys.float_info.min:
        close = abs(want - got) < _EPSILON * sys.float_info.min
    else:
        close = math.isfinite(size) and abs(want - got) / min(size, sys.float_info.max) < _EPSILON
    return "" if close else f"is {got}, not {want}"
