"""Turns single measured values into Readings, and keeps one Layout object while the series stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from collectors.collector import Readings
from metrics.frame import Family, FloatArray, Layout
from metrics.label import METRIC_NAME, Labels, labels_of

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Labels without the metric's name, in any order; always in the same order for the same series."""

_Key: TypeAlias = tuple[Family, str, Pairs]


class Batch:
    """The values of one collection, in the order in which they were measured.

    May be filled in a thread: it knows nothing of the collections before it.
    """

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: list[_Key] = []
        self.values: list[float] = []

    def add(self, family: Family, value: float, labels: Pairs = (), *, suffix: str = "") -> None:
        """Note one value; `suffix` follows the family's name in the series' name (`_bucket`, `_count`)."""
        self.keys.append((family, suffix, labels))
        self.values.append(value)


class ReadingsBuilder:
    """Makes Readings of batches; compares the series of a batch with those of the one before.

    The comparison walks two lists of tuples whose parts are mostly the same objects: 0.02 ms for 500 series.
    """

    def __init__(self) -> None:
        self._keys: list[_Key] = []
        self._layout = Layout(())
        self._families: Mapping[str, Family] = {}
        self._kept: NDArray[np.intp] | None = None

    def build(self, batch: Batch, *, problem: str = "") -> Readings:
        """Return the batch as Readings; of a series that was measured twice, the first value counts."""
        if batch.keys != self._keys:
            self._renew(batch.keys)
        values: FloatArray = np.array(batch.values, dtype=np.float64)
        if self._kept is not None:
            values = values[self._kept]
        return Readings(self._layout, values, self._families, problem=problem)

    def _renew(self, keys: list[_Key]) -> None:
        positions: dict[Labels, int] = {}
        for position, (family, suffix, pairs) in enumerate(keys):
            labels = labels_of(((METRIC_NAME, family.name + suffix), *pairs))
            positions.setdefault(labels, position)
        self._keys = keys
        self._layout = Layout(tuple(positions))
        self._families = {family.name: family for family, _, _ in keys}
        self._kept = None if len(positions) == len(keys) else np.array(list(positions.values()), dtype=np.intp)
