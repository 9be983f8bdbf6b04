"""Functions that change, compare or invent labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from metrics.label import METRIC_NAME, Labels, format_labels, label_value, with_labels
from metrics.pattern import compile_pattern, count_choices, parse_pattern
from metrics.promql.error import QueryError
from metrics.promql.function import vector_of
from metrics.promql.run import Operator, Run
from metrics.promql.value import BoolArray, Mask, Memo, VectorValue, flags
from metrics.storage import Matcher, MatchOp

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)
_DIGITS = re.compile(r"(\d+)", re.ASCII)


class Relabel:
    """Gives each series new labels, worked out once for each set of series.

    Args:
        change: returns the new labels, or None where a series stays as it is.
        target: the label that it sets. Names that were to be dropped stay where they were set anew.
    """

    def __init__(self, vector: Operator, change: Callable[[Labels], Labels | None], *, target: str) -> None:
        self._vector = vector
        self._change = change
        self._target = target
        self._memo: Memo[tuple[tuple[Labels, ...], tuple[bool, ...]]] = Memo()

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector under its new labels.

        Raises: QueryError: two series would have the same labels.
        """
        vector = vector_of(self._vector.evaluate(run))
        run.check_time()
        series, changed = self._memo.get((vector.series,), lambda: self._changed(vector.series))
        nameless: Mask = vector.nameless
        if self._target == METRIC_NAME and nameless is not False and any(changed):
            nameless = np.array(
                [drop and not new for drop, new in zip(flags(nameless, len(series)), changed, strict=True)]
            )
        result = VectorValue(series, vector.values, vector.present, nameless)
        if len(set(series)) < len(series):
            _refuse_twins(result)
        return result

    def _changed(self, series: Sequence[Labels]) -> tuple[tuple[Labels, ...], tuple[bool, ...]]:
        new = [self._change(labels) for labels in series]
        same = tuple(old if labels is None else labels for labels, old in zip(new, series, strict=True))
        return same, tuple(labels is not None for labels in new)


def _refuse_twins(vector: VectorValue) -> None:
    present = vector.mask()
    columns: dict[Labels, list[int]] = {}
    for column, labels in enumerate(vector.series):
        columns.setdefault(labels, []).append(column)
    for labels, twins in columns.items():
        if len(twins) > 1 and (present[:, twins].sum(axis=1) > 1).any():
            raise QueryError(f"the new labels are the same for several series: {format_labels(labels)}")


def label_replacer(target: str, replacement: str, source: str, pattern: str) -> Callable[[Labels], Labels | None]:
    """Return what label_replace() does to labels: None where the pattern does not match the source label.

    Raises: ValueError: the target is no label name, or the pattern could take exponential time: what its groups hold
        can be found out only by trying one choice after the other.
    """
    check_label_name(target)
    if count_choices(parse_pattern(pattern))[1]:
        raise ValueError(
            f"the pattern {pattern!r} of label_replace has a repetition or an alternative inside a repetition, which"
            " could take very long; write it without"
        )
    compiled, quick = re.compile(pattern, re.DOTALL), compile_pattern(pattern)

    def change(labels: Labels) -> Labels | None:
        value = label_value(labels, source)
        # What does not match would take longest; the quick look finds it in linear time.
        match = compiled.fullmatch(value) if quick.fullmatch(value) else None
        return None if match is None else with_labels(labels, {target: _expand(replacement, match)})

    return change


def label_joiner(target: str, separator: str, sources: Sequence[str]) -> Callable[[Labels], Labels | None]:
    """Return what label_join() does to labels.

    Raises: ValueError: a name is no label name.
    """
    for name in (target, *sources):
        check_label_name(name)

    def change(labels: Labels) -> Labels:
        return with_labels(labels, {target: separator.join(label_value(labels, name) for name in sources)})

    return change


def check_label_name(name: str) -> None:
    """Raise ValueError unless `name` can be a label's name."""
    if not _LABEL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no label name; use letters, digits and underscores, no digit first")


def _expand(replacement: str, match: re.Match[str]) -> str:
    """Fill in $1, ${1}, $name and ${name}; what does not exist is empty, and $$ is a dollar sign."""

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(group, replacement)


class Absent:
    """absent() and absent_over_time(): one series with value 1 where the operand has none."""

    def __init__(self, vector: Operator, matchers: Sequence[Matcher]) -> None:
        self._vector = vector
        self._series = (labels_of_absence(matchers),)

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector."""
        vector = vector_of(self._vector.evaluate(run))
        missing: BoolArray = ~np.logical_or.reduce(vector.mask(), axis=1, keepdims=True)
        return VectorValue(self._series, np.ones((run.steps, 1)), missing)


def labels_of_absence(matchers: Sequence[Matcher]) -> Labels:
    """Return the labels that what is absent would have had: those with one matcher, by equality."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:
        if matcher.name == METRIC_NAME:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in seen:
            found[matcher.name] = matcher.value
        else:
            found.pop(matcher.name, None)
        seen.add(matcher.name)
    return with_labels((), found)


def order_by_labels(series: Sequence[Labels], names: Sequence[str]) -> list[int]:
    """Return the order of series by the values of some labels, then by all labels."""
    return sorted(range(len(series)), key=lambda column: _sort_key(series[column], names))


def _sort_key(labels: Labels, names: Sequence[str]) -> tuple[object, ...]:
    return (*(_natural(label_value(labels, name)) for name in names), labels)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    parts = (part for part in _DIGITS.split(text) if part)
    return tuple((0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part) for part in parts)
