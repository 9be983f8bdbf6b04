"""Groups of series: by labels kept or dropped, as numbers that arrays can be reduced by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from metrics.label import METRIC_NAME, Labels
from metrics.promql.value import BoolArray, IndexArray

K = TypeVar("K")
D = TypeVar("D", bound=np.generic)

Key = Callable[[Labels], Labels]


@dataclass(frozen=True, slots=True, eq=False)
class Groups(Generic[K]):
    """Which group each of S series belongs to.

    Attributes:
        keys: the G groups, in order of their first series.
        numbers: the group of each series, shape (S,).
        order: the series so that those of a group are neighbours, shape (S,); None where they are already.
        starts: where each group begins in that order, shape (G,).
        sizes: how many series each group has, shape (G,).
    """

    keys: tuple[K, ...]
    numbers: IndexArray
    order: IndexArray | None
    starts: IndexArray
    sizes: IndexArray

    @property
    def single(self) -> bool:
        """Whether no group has two series."""
        return len(self.keys) == len(self.numbers)

    def members(self, group: int) -> IndexArray:
        """Return the series of a group."""
        part = slice(int(self.starts[group]), int(self.starts[group] + self.sizes[group]))
        return np.arange(part.start, part.stop) if self.order is None else self.order[part]

    def arranged(self, values: NDArray[D]) -> NDArray[D]:
        """Return columns of shape (T, S) so that those of a group are neighbours."""
        return values if self.order is None else values[:, self.order]

    def any(self, present: BoolArray | None, steps: int) -> BoolArray:
        """Return which groups have a series that is present, shape (T, G)."""
        if present is None:
            return np.ones((steps, len(self.keys)), dtype=np.bool_)
        if not self.keys:
            return np.zeros((steps, 0), dtype=np.bool_)
        found: BoolArray = np.logical_or.reduceat(self.arranged(present), self.starts, axis=1)
        return found


def group(keys: Sequence[K]) -> Groups[K]:
    """Return the groups of series that have the same key."""
    number_of: dict[K, int] = {}
    numbers = np.array([number_of.setdefault(key, len(number_of)) for key in keys], dtype=np.intp)
    sizes = np.bincount(numbers, minlength=len(number_of)).astype(np.intp)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp) if number_of else np.empty(0, np.intp)
    in_order = len(numbers) == 0 or bool((np.diff(numbers) >= 0).all())
    order = None if in_order else np.argsort(numbers, kind="stable")
    return Groups(tuple(number_of), numbers, order, starts, sizes)


def keep_labels(names: Collection[str]) -> Key:
    """Return a function that keeps only these labels."""
    kept = frozenset(names)
    if not kept:
        return lambda _labels: ()
    return lambda labels: tuple(pair for pair in labels if pair[0] in kept)


def drop_labels(names: Collection[str]) -> Key:
    """Return a function that drops these labels and the metric's name."""
    dropped = frozenset(names) | {METRIC_NAME}
    return lambda labels: tuple(pair for pair in labels if pair[0] not in dropped)
