"""Aggregations that choose some series of each group and leave them as they are: topk, bottomk, limitk, limit_ratio."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from metrics.frame import FloatArray
from metrics.label import Labels
from metrics.promql.aggregation import Aggregation
from metrics.promql.ast import Grouping
from metrics.promql.error import QueryError
from metrics.promql.function import scalar_of, take, vector_of
from metrics.promql.grouping import Groups
from metrics.promql.label_hash import hash_labels
from metrics.promql.run import Operator, Run
from metrics.promql.value import BoolArray, IndexArray, Memo, VectorValue, empty, flags, without_name
from metrics.promql.window import Parameter

_MAX_K = 2.0**63
_CHUNK = 1_000_000
"""How many cells are ordered at once (three keys of 8 MB)."""


class Extremes(Aggregation):
    """topk and bottomk: the k series of each group with the greatest or least values; NaN counts as worst."""

    def __init__(self, operand: Operator, grouping: Grouping, count: Operator, *, greatest: bool) -> None:
        super().__init__(operand, grouping)
        self._count = count
        self._sign = -1.0 if greatest else 1.0

    def evaluate(self, run: Run) -> VectorValue:
        """Return the chosen series under their own labels; in order of value where there is one step."""
        limits = _limits("topk and bottomk", self._count, run)
        vector, groups = self._grouped(run)
        if not groups.keys:
            return empty(run.steps)
        if run.steps == 1:
            order = self._best(vector, groups, float(limits[0, 0]))
            return take(VectorValue(vector.series, vector.values, None, vector.nameless), order)
        chosen = np.zeros(vector.values.shape, dtype=np.bool_)
        mask = vector.mask()
        rank = np.arange(len(groups.numbers)) - np.repeat(groups.starts, groups.sizes)
        for part in _parts(mask.shape):
            run.check_time()
            order = self._order(vector.values[part], mask[part], groups)
            rows, places = np.nonzero(rank < np.trunc(limits[part]))
            chosen[part][rows, order[rows, places]] = True
        return VectorValue(vector.series, vector.values, chosen & mask, vector.nameless)

    def _order(self, values: FloatArray, mask: BoolArray, groups: Groups[Labels]) -> IndexArray:
        """Return the columns of each step so that those of a group are neighbours, its best first, the absent last."""
        numbers = np.broadcast_to(groups.numbers, values.shape)
        order: IndexArray = np.lexsort((values * self._sign, ~mask, numbers))
        return order

    def _best(self, vector: VectorValue, groups: Groups[Labels], limit: float) -> IndexArray:
        """Return the chosen columns of the only step: groups in order, the best of each first."""
        values, mask = vector.values[0], vector.mask()[0]
        columns = mask.nonzero()[0]
        if limit < 1 or len(columns) == 0:
            return np.empty(0, dtype=np.intp)
        keys, numbers = values[columns] * self._sign, groups.numbers[columns]
        if len(groups.keys) == 1 and limit * 8 < len(columns):
            # Only what is as good as the last one that is chosen needs an order.
            comparable = np.where(np.isnan(keys), np.inf, keys)
            good = comparable <= np.partition(comparable, int(limit) - 1)[int(limit) - 1]
            columns, keys, numbers = columns[good], keys[good], numbers[good]
        order: IndexArray = columns[np.lexsort((keys, numbers))]
        best: IndexArray = order[_places_in_group(groups.numbers[order]) < np.trunc(limit)]
        return best


class LimitK(Aggregation):
    """limitk: the first k series of each group that are present."""

    def __init__(self, operand: Operator, grouping: Grouping, count: Operator) -> None:
        super().__init__(operand, grouping)
        self._count = count

    def evaluate(self, run: Run) -> VectorValue:
        """Return the chosen series under their own labels."""
        limits = np.trunc(_limits("limitk", self._count, run))
        vector, groups = self._grouped(run)
        if not groups.keys:
            return empty(run.steps)
        mask = vector.mask()
        counted = np.cumsum(groups.arranged(mask), axis=1)
        before = np.concatenate([np.zeros((run.steps, 1), dtype=counted.dtype), counted], axis=1)[:, groups.starts]
        rank = counted - np.repeat(before, groups.sizes, axis=1)
        within = np.empty_like(mask)
        within[:, slice(None) if groups.order is None else groups.order] = rank <= limits
        return VectorValue(vector.series, vector.values, within & mask, vector.nameless)


class LimitRatio:
    """limit_ratio: about a share of the series, chosen by the hash of their labels, so that it is always the same ones.

    A negative ratio chooses the others: -0.8 what 0.2 leaves. Groups make no difference. As in Prometheus 3.0, the
    ratio of the first step counts for all, so that one range query shows the same series everywhere.
    """

    def __init__(self, operand: Operator, ratio: Operator) -> None:
        self._operand = operand
        self._ratio = ratio
        self._memo: Memo[FloatArray] = Memo()

    def evaluate(self, run: Run) -> VectorValue:
        """Return the chosen series under their own labels."""
        ratio = float(np.asarray(scalar_of(self._ratio.evaluate(run))).flat[0])
        if math.isnan(ratio):
            raise QueryError("the ratio of limit_ratio is NaN; give a number between -1 and 1")
        capped = min(max(ratio, -1.0), 1.0)
        if capped != ratio:
            run.warn(f"ratio value should be between -1 and 1, got {ratio:g}, capping to {capped:g}")
        vector = vector_of(self._operand.evaluate(run))
        nameless = tuple(flags(vector.nameless, len(vector.series)))
        offsets = self._memo.get((vector.series,), lambda: _offsets(vector.series, nameless), nameless)
        chosen = offsets < capped if capped >= 0 else offsets >= 1.0 + capped
        return VectorValue(vector.series, vector.values, chosen & vector.mask(), vector.nameless)


def _offsets(series: Sequence[Labels], nameless: Sequence[bool]) -> FloatArray:
    """Return where the hash of each series is between 0 and 1."""
    shown = (without_name(labels) if drop else labels for labels, drop in zip(series, nameless, strict=True))
    return np.array([hash_labels(labels) / float(2**64 - 1) for labels in shown], dtype=np.float64)


def _limits(name: str, count: Operator, run: Run) -> FloatArray:
    """Return how many series to choose at each step, shape (T, 1)."""
    limits: Parameter = scalar_of(count.evaluate(run))
    shaped = np.broadcast_to(np.asarray(limits, dtype=np.float64), (run.steps, 1))
    wrong = ~(np.abs(shaped) < _MAX_K)
    if wrong.any():
        raise QueryError(f"{name} need{'' if ' ' in name else 's'} a number of series; it is {shaped[wrong][0]:g}")
    return shaped


def _places_in_group(numbers: IndexArray) -> IndexArray:
    """Return 0, 1, 2, … for each run of equal numbers."""
    places = np.arange(len(numbers))
    begins = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    ranks: IndexArray = places - np.maximum.accumulate(np.where(begins, places, 0))
    return ranks


def _parts(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, _CHUNK // max(1, shape[1]))
    for start in range(0, shape[0], rows):
        yield slice(start, start + rows)
