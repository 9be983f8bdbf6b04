"""Values between the operators of a plan: every series at every step at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from metrics.frame import FloatArray
from metrics.label import METRIC_NAME, Labels

BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.intp]
Mask: TypeAlias = bool | BoolArray


@dataclass(slots=True, eq=False)
class ScalarValue:
    """One number per step: a float where it is the same at all of them, else an array of shape (T, 1)."""

    values: float | FloatArray


@dataclass(slots=True, eq=False)
class StringValue:
    """A text."""

    value: str


@dataclass(slots=True, eq=False)
class VectorValue:
    """Series at T steps.

    Attributes:
        series: S label sets. Operators that keep all series pass the same tuple on, so that `is` finds what was
            computed for it before; those that are absent everywhere are left out only at the end.
        values: shape (T, S); anything where a series is not present. Never written to: may be a view of the store.
        present: shape (T, S); None where every series is present at every step.
        nameless: whether the series' metric names are to be dropped at the end; shape (S,) where they differ. The
            names stay until then, so that label_replace can still read them.
    """

    series: tuple[Labels, ...]
    values: FloatArray
    present: BoolArray | None = None
    nameless: bool | BoolArray = False

    def mask(self) -> BoolArray:
        """Return `present`, never None."""
        return np.ones(self.values.shape, dtype=np.bool_) if self.present is None else self.present

    def filled(self, filler: float) -> FloatArray:
        """Return the values with `filler` where a series is not present."""
        return self.values if self.present is None else np.where(self.present, self.values, filler)


Value: TypeAlias = ScalarValue | StringValue | VectorValue

T = TypeVar("T")


class Memo(Generic[T]):
    """Remembers what was computed last from label sets, found again by the identity of the tuples that hold them.

    The store and the operators hand out the same tuples as long as the series stay the same, so that in steady state
    no label is looked at. One assignment makes it safe to share between threads.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[tuple[object, ...], Hashable, T] | None = None

    def get(self, sources: tuple[object, ...], compute: Callable[[], T], extra: Hashable = None) -> T:
        """Return what `compute` gave the last time for these very objects (and equal `extra`), or compute it now."""
        last = self._last
        if last is not None and len(last[0]) == len(sources) and all(map(_is, last[0], sources)) and last[1] == extra:
            return last[2]
        result = compute()
        self._last = (sources, extra, result)
        return result


def _is(left: object, right: object) -> bool:
    return left is right


def flags(mask: Mask, count: int) -> list[bool]:
    """Return a mask over series as a list."""
    return [mask] * count if isinstance(mask, bool) else mask.tolist()


def without_name(labels: Labels) -> Labels:
    """Return the labels without the metric's name."""
    if labels and labels[0][0] == METRIC_NAME:
        return labels[1:]
    return tuple(pair for pair in labels if pair[0] != METRIC_NAME)


def join(parts: Sequence[VectorValue], series: tuple[Labels, ...]) -> VectorValue:
    """Return vectors of the same steps side by side; `series` are theirs in this order."""
    if len(parts) == 1:
        return VectorValue(series, parts[0].values, parts[0].present, parts[0].nameless)
    values = np.concatenate([part.values for part in parts], axis=1)
    present = None
    if any(part.present is not None for part in parts):
        present = np.concatenate([part.mask() for part in parts], axis=1)
    nameless = parts[0].nameless
    if any(part.nameless is not nameless for part in parts[1:]) or not isinstance(nameless, bool):
        nameless = np.concatenate([np.broadcast_to(part.nameless, len(part.series)) for part in parts])
    return VectorValue(series, values, present, nameless)


def empty(steps: int) -> VectorValue:
    """Return a vector without series."""
    return VectorValue((), np.empty((steps, 0)))
