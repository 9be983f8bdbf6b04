"""Aggregation operators that make one series of a group, or one of each of its values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np

from metrics.frame import FloatArray
from metrics.label import METRIC_NAME, Labels, with_labels
from metrics.promql.ast import Grouping
from metrics.promql.function import scalar_of, vector_of
from metrics.promql.grouping import Groups, drop_labels, group, keep_labels
from metrics.promql.quantile import check_fraction, quantile_along
from metrics.promql.run import Operator, Run
from metrics.promql.summation import sum_groups
from metrics.promql.value import BoolArray, Memo, VectorValue, empty


class Aggregation:
    """What all aggregations share: the operand and the groups of its series."""

    def __init__(self, operand: Operator, grouping: Grouping) -> None:
        self._operand = operand
        self._key = drop_labels(grouping.labels) if grouping.without else keep_labels(grouping.labels)
        self._keeps_name = not grouping.without and METRIC_NAME in grouping.labels
        self._groups: Memo[Groups[Labels]] = Memo()

    def _grouped(self, run: Run) -> tuple[VectorValue, Groups[Labels]]:
        vector = vector_of(self._operand.evaluate(run))
        run.check_time()
        groups = self._groups.get((vector.series,), lambda: group([self._key(labels) for labels in vector.series]))
        return vector, groups

    def _result(self, vector: VectorValue, groups: Groups[Labels], values: FloatArray) -> VectorValue:
        present = None if vector.present is None else groups.any(vector.present, len(values))
        nameless: bool | BoolArray = False
        if self._keeps_name and vector.nameless is not False:
            nameless = groups.any(np.broadcast_to(vector.nameless, (1, len(vector.series))), 1)[0]
        return VectorValue(groups.keys, values, present, nameless)


Reduction = Callable[[VectorValue, Groups[Labels]], FloatArray]


class Aggregate(Aggregation):
    """sum, avg, min, max, count, group, stddev, stdvar."""

    def __init__(self, operand: Operator, grouping: Grouping, reduction: Reduction) -> None:
        super().__init__(operand, grouping)
        self._reduction = reduction

    def evaluate(self, run: Run) -> VectorValue:
        """Return one series per group."""
        vector, groups = self._grouped(run)
        if not groups.keys:
            return empty(run.steps)
        return self._result(vector, groups, self._reduction(vector, groups))


def _counts(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    if vector.present is None:
        return np.broadcast_to(groups.sizes.astype(np.float64), (len(vector.values), len(groups.keys)))
    counts: FloatArray = np.add.reduceat(groups.arranged(vector.present), groups.starts, axis=1, dtype=np.float64)
    return counts


def _sums(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    return sum_groups(groups.arranged(vector.filled(0.0)), groups.starts)


def _means(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    counts = np.maximum(_counts(vector, groups), 1.0)
    values = groups.arranged(vector.filled(0.0))
    sums = sum_groups(values, groups.starts)
    overflown = np.isinf(sums)
    means: FloatArray = sums / counts
    if overflown.any():
        # The mean of great values is finite although their sum is not.
        scaled = np.add.reduceat(values / np.repeat(counts, groups.sizes, axis=1), groups.starts, axis=1)
        finite = np.logical_and.reduceat(np.isfinite(values), groups.starts, axis=1)
        means = np.where(overflown & finite, scaled, means)
    return means


def _least(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    least: FloatArray = np.fmin.reduceat(groups.arranged(vector.filled(np.nan)), groups.starts, axis=1)
    return least


def _greatest(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    greatest: FloatArray = np.fmax.reduceat(groups.arranged(vector.filled(np.nan)), groups.starts, axis=1)
    return greatest


def _ones(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    return np.ones((len(vector.values), len(groups.keys)))


def _variances(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    counts = np.maximum(_counts(vector, groups), 1.0)
    values, present = groups.arranged(vector.values), groups.arranged(vector.mask())
    # Taken from the group's first value, equal values give exactly 0.
    places = np.where(present, np.arange(values.shape[1]), values.shape[1])
    first = np.minimum(np.minimum.reduceat(places, groups.starts, axis=1), values.shape[1] - 1)
    origin = np.take_along_axis(values, first, axis=1)
    deviations = np.where(present, values - np.repeat(origin, groups.sizes, axis=1), 0.0)
    means = np.add.reduceat(deviations, groups.starts, axis=1) / counts
    centered = np.where(present, deviations - np.repeat(means, groups.sizes, axis=1), 0.0)
    variances: FloatArray = np.add.reduceat(centered * centered, groups.starts, axis=1) / counts
    return variances


def _deviations(vector: VectorValue, groups: Groups[Labels]) -> FloatArray:
    return np.sqrt(_variances(vector, groups))


REDUCTIONS: dict[str, Reduction] = {
    "avg": _means,
    "count": _counts,
    "group": _ones,
    "max": _greatest,
    "min": _least,
    "stddev": _deviations,
    "stdvar": _variances,
    "sum": _sums,
}


class Quantile(Aggregation):
    """quantile: of the values of each group."""

    def __init__(self, operand: Operator, grouping: Grouping, fraction: Operator) -> None:
        super().__init__(operand, grouping)
        self._fraction = fraction

    def evaluate(self, run: Run) -> VectorValue:
        """Return one series per group."""
        vector, groups = self._grouped(run)
        fraction = scalar_of(self._fraction.evaluate(run))
        check_fraction(run, fraction)
        if not groups.keys:
            return empty(run.steps)
        values, mask = vector.filled(np.nan), vector.mask()
        results = np.empty((run.steps, len(groups.keys)))
        order = np.arange(len(groups.numbers)) if groups.order is None else groups.order
        for size in np.unique(groups.sizes).tolist():
            alike = (groups.sizes == size).nonzero()[0]
            members = order[groups.starts[alike] + np.arange(size)[:, np.newaxis]]
            counts = mask[:, members].sum(axis=1, dtype=np.int64)
            results[:, alike] = quantile_along(values[:, members], counts, fraction)
        return self._result(vector, groups, results)


class CountValues(Aggregation):
    """count_values: how many series of each group have a value, one series per value, which becomes a label."""

    def __init__(self, operand: Operator, grouping: Grouping, label: str) -> None:
        super().__init__(operand, grouping)
        self._label = label
        if grouping.without:
            self._key = drop_labels((*grouping.labels, label))

    def evaluate(self, run: Run) -> VectorValue:
        """Return one series per group and value."""
        vector, groups = self._grouped(run)
        steps, columns = vector.mask().nonzero()
        if len(steps) == 0:
            return empty(run.steps)
        values = vector.values[steps, columns]
        # By their bits, as 0 and -0 are two texts; NaN is one, whatever its bits.
        bits = np.where(np.isnan(values), np.nan, values).view(np.int64)
        different, which = np.unique(bits, return_inverse=True)
        pairs, place = np.unique(groups.numbers[columns] * len(different) + which, return_inverse=True)
        texts = [format_value(value) for value in different.view(np.float64).tolist()]
        labels = [
            with_labels(groups.keys[pair // len(different)], {self._label: texts[pair % len(different)]})
            for pair in pairs.tolist()
        ]
        outputs = group(labels)
        counts = np.zeros((run.steps, len(outputs.keys)))
        np.add.at(counts, (steps, outputs.numbers[place]), 1.0)
        return VectorValue(outputs.keys, counts, counts > 0)


def format_value(value: float) -> str:
    """Return a value as Prometheus writes it into a label: the shortest digits, never an exponent."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
