"""Operators between two vectors: which series meet, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metrics.frame import FloatArray
from metrics.label import METRIC_NAME, Labels, format_labels, label_value, with_labels
from metrics.promql.ast import ARITHMETIC, Cardinality, Matching
from metrics.promql.binary import CALCULATE, COMPARE
from metrics.promql.error import QueryError
from metrics.promql.function import vector_of
from metrics.promql.grouping import Groups, drop_labels, group, keep_labels
from metrics.promql.run import Operator, Run
from metrics.promql.value import BoolArray, IndexArray, Memo, VectorValue, empty, join

_MAX_PAIRS = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """The series of both sides in common groups: `numbers` shape (L,) and (R,), `count` groups in all.

    `partners` has, for each series on the left, the only one on the right in its group, -1 for none; shape (L,). It is
    None where a group has several on the right.
    """

    left: IndexArray
    right: IndexArray
    right_groups: Groups[int]
    count: int
    partners: IndexArray | None


def _sides(left: Sequence[Labels], right: Sequence[Labels], key: Callable[[Labels], Labels]) -> _Sides:
    number_of: dict[Labels, int] = {}
    numbers = [number_of.setdefault(key(labels), len(number_of)) for labels in (*left, *right)]
    all_numbers = np.array(numbers, dtype=np.intp)
    left_numbers, right_numbers = all_numbers[: len(left)], all_numbers[len(left) :]
    right_groups = group(numbers[len(left) :])
    partners = None
    if right_groups.single:
        column_of = np.full(len(number_of), -1, dtype=np.intp)
        column_of[right_numbers] = np.arange(len(right))
        partners = column_of[left_numbers]
    return _Sides(left_numbers, right_numbers, right_groups, len(number_of), partners)


class SetOperation:
    """and, or, unless: series are kept or not by what the other side has."""

    def __init__(self, operator: str, left: Operator, right: Operator, matching: Matching) -> None:
        self._operator = operator
        self._left = left
        self._right = right
        self._key = keep_labels(matching.labels) if matching.on else drop_labels(matching.labels)
        self._memo: Memo[_Sides] = Memo()
        self._joined: Memo[tuple[Labels, ...]] = Memo()

    def evaluate(self, run: Run) -> VectorValue:
        """Return the series that stay, unchanged."""
        left, right = vector_of(self._left.evaluate(run)), vector_of(self._right.evaluate(run))
        run.check_time()
        sides = self._memo.get((left.series, right.series), lambda: _sides(left.series, right.series, self._key))
        if self._operator == "or":
            present = right.mask() & ~_groups_present(left.present, sides.left, sides.count, run.steps)[:, sides.right]
            series = self._joined.get((left.series, right.series), lambda: left.series + right.series)
            return join([left, VectorValue(right.series, right.values, present, right.nameless)], series)
        if sides.partners is None or right.present is None or not right.series:
            found = _groups_present(right.present, sides.right, sides.count, run.steps)[:, sides.left]
        else:
            found = right.present[:, sides.partners] & (sides.partners >= 0)
        present = left.mask() & (found if self._operator == "and" else ~found)
        return VectorValue(left.series, left.values, present, left.nameless)


def _groups_present(present: BoolArray | None, numbers: IndexArray, count: int, steps: int) -> BoolArray:
    """Return which groups have a series that is present, shape (T, count)."""
    found = np.zeros((steps, count), dtype=np.bool_)
    if present is None:
        found[:, numbers] = True
    else:
        rows, columns = present.nonzero()
        found[rows, numbers[columns]] = True
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Which series of the many side meets which of the one side, and what comes of it.

    Attributes:
        many, one: shape (P,).
        series: the resulting label sets, each once.
        outputs: which of them each pair yields, shape (P,).
        conflicts: pairs with the same number must not be present at the same step, shape (P,).
        simple: no pair has a conflict, and pair p yields series p.
    """

    many: IndexArray
    one: IndexArray
    series: tuple[Labels, ...]
    outputs: IndexArray
    conflicts: IndexArray
    simple: bool


class VectorBinary:
    """Arithmetic and comparison between two vectors."""

    def __init__(
        self, operator: str, left: Operator, right: Operator, matching: Matching, *, returns_bool: bool
    ) -> None:
        self._operator = operator
        self._compute = CALCULATE.get(operator) or COMPARE[operator]
        self._left = left
        self._right = right
        self._matching = matching
        self._returns_bool = returns_bool
        self._swapped = matching.cardinality is Cardinality.ONE_TO_MANY
        self._key = keep_labels(matching.labels) if matching.on else drop_labels(matching.labels)
        self._sides: Memo[_Sides] = Memo()
        self._pairs: Memo[_Pairs] = Memo()

    def evaluate(self, run: Run) -> VectorValue:
        """Return one series per pair.

        Raises: QueryError: the matching is ambiguous.
        """
        left, right = vector_of(self._left.evaluate(run)), vector_of(self._right.evaluate(run))
        run.check_time()
        many, one = (right, left) if self._swapped else (left, right)
        if not many.series or not one.series:
            return empty(run.steps)
        sides = self._sides.get((many.series, one.series), lambda: _sides(many.series, one.series, self._key))
        if sides.right_groups.single:
            pairs = self._pairs.get((many.series, one.series), lambda: self._pair(many, one, sides, None))
        else:
            self._check_one_side(many, one, sides)
            pairs = self._pair(many, one, sides, np.logical_or.reduce(one.mask(), axis=0))
        return self._combine(many, one, pairs, run.steps)

    def _combine(self, many: VectorValue, one: VectorValue, pairs: _Pairs, steps: int) -> VectorValue:
        many_values, one_values = many.values[:, pairs.many], one.values[:, pairs.one]
        left, right = (one_values, many_values) if self._swapped else (many_values, one_values)
        present = None
        if many.present is not None or one.present is not None:
            present = many.mask()[:, pairs.many] & one.mask()[:, pairs.one]
        values = self._compute(left, right)
        if self._operator not in ARITHMETIC:
            if self._returns_bool:
                values = values.astype(np.float64)
            else:
                present = values if present is None else values & present
                values = left
        nameless = self._nameless(many, one, pairs)
        if pairs.simple:
            return VectorValue(pairs.series, values, present, nameless)
        return self._coalesce(values, present, nameless, pairs, steps)

    def _nameless(self, many: VectorValue, one: VectorValue, pairs: _Pairs) -> bool | BoolArray:
        if self._operator in ARITHMETIC:
            # The names are gone already; one that group_left brought back stays.
            return False
        if self._returns_bool:
            return True
        side = many if not self._swapped or METRIC_NAME not in self._matching.include else one
        columns = pairs.many if side is many else pairs.one
        return side.nameless if isinstance(side.nameless, bool) else side.nameless[columns]

    def _coalesce(
        self, values: FloatArray, present: BoolArray | None, nameless: bool | BoolArray, pairs: _Pairs, steps: int
    ) -> VectorValue:
        mask = np.ones(values.shape, dtype=np.bool_) if present is None else present
        rows, columns = mask.nonzero()
        conflicts = np.zeros((steps, len(values[0]) + 1), dtype=np.intp)
        np.add.at(conflicts, (rows, pairs.conflicts[columns]), 1)
        if (conflicts > 1).any():
            self._refuse_many()
        out = np.zeros((steps, len(pairs.series)))
        shown = np.zeros(out.shape, dtype=np.bool_)
        out[rows, pairs.outputs[columns]] = values[rows, columns]
        shown[rows, pairs.outputs[columns]] = True
        if not isinstance(nameless, bool):
            merged = np.zeros(len(pairs.series), dtype=np.bool_)
            np.logical_or.at(merged, pairs.outputs, nameless)
            nameless = merged
        return VectorValue(pairs.series, out, shown, nameless)

    def _refuse_many(self) -> None:
        if self._matching.cardinality is Cardinality.ONE_TO_ONE:
            raise QueryError(
                f"several series on the left of {self._operator!r} match the same one on the right; add group_left"
                " (or group_right the other way round) or match on more labels"
            )
        raise QueryError(
            f"the grouping labels of {self._operator!r} do not tell its results apart; match on more labels"
        )

    def _check_one_side(self, many: VectorValue, one: VectorValue, sides: _Sides) -> None:
        groups = sides.right_groups
        counts = np.add.reduceat(groups.arranged(one.mask()), groups.starts, axis=1, dtype=np.intp)
        counts *= many.mask().any(axis=1, keepdims=True)
        steps, twins = (counts > 1).nonzero()
        if len(twins) == 0:
            return
        members = groups.members(int(twins[0]))
        shown = [format_labels(one.series[m]) for m in members if one.mask()[steps[0], m]][:2]
        side = "left" if self._swapped else "right"
        raise QueryError(
            f"{self._operator!r} finds several series for one match on its {side} side: {shown[0]} and {shown[1]};"
            " many-to-many matching is not allowed: match on more labels, or aggregate that side"
        )

    def _pair(self, many: VectorValue, one: VectorValue, sides: _Sides, there: BoolArray | None) -> _Pairs:
        ones: dict[int, list[int]] = {}
        for column, number in enumerate(sides.right.tolist()):
            if there is None or there[column]:
                ones.setdefault(number, []).append(column)
        pairs = [(m, o) for m, number in enumerate(sides.left.tolist()) for o in ones.get(number, ())]
        if len(pairs) > _MAX_PAIRS:
            raise QueryError(f"{self._operator!r} would match more than {_MAX_PAIRS} pairs; match on more labels")
        labels = [self._labels(many.series[m], one.series[o]) for m, o in pairs]
        number_of: dict[Labels, int] = {}
        outputs = [number_of.setdefault(each, len(number_of)) for each in labels]
        one_to_one = self._matching.cardinality is Cardinality.ONE_TO_ONE
        conflicts = group([int(sides.left[m]) for m, _ in pairs]).numbers if one_to_one else np.array(outputs, np.intp)
        simple = len(number_of) == len(pairs) and len(set(conflicts.tolist())) == len(pairs)
        columns = np.array(pairs, dtype=np.intp).reshape(-1, 2)
        return _Pairs(columns[:, 0], columns[:, 1], tuple(number_of), np.array(outputs, np.intp), conflicts, simple)

    def _labels(self, many: Labels, one: Labels) -> Labels:
        matching = self._matching
        if matching.cardinality is Cardinality.ONE_TO_ONE:
            if matching.on:
                labels = keep_labels(matching.labels)(many)
            else:
                labels = tuple(pair for pair in many if pair[0] not in matching.labels)
        else:
            labels = many
        if self._operator in ARITHMETIC:
            labels = tuple(pair for pair in labels if pair[0] != METRIC_NAME)
        if matching.include:
            labels = with_labels(labels, {name: label_value(one, name) for name in matching.include})
        return labels
