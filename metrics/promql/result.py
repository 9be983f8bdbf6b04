"""What an evaluation yields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One number.

    `warnings` say that a result may not be what was meant, `infos` that the expression may not be.
    """

    value: float
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class String:
    """One text."""

    value: str
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """Series with one value each, all at the evaluation time; no label set twice.

    `values` has shape (len(series),) and may hold NaN, which is a value. Sorted only where the expression sorts.
    """

    series: Sequence[Labels]
    values: FloatArray
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Series with many values each; no label set twice, no series without a value.

    `timestamps_ms` has shape (T,), `values` (T, len(series)) with metrics.storage.MISSING where a series has none.
    """

    series: Sequence[Labels]
    timestamps_ms: TimeArray
    values: FloatArray
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


Result: TypeAlias = Scalar | String | Vector | Matrix
