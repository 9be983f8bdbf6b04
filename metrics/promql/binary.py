"""Binary operators with at least one scalar, and the arithmetic that all of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from metrics.promql.function import scalar_of, vector_of
from metrics.promql.run import Operator, Run
from metrics.promql.value import ScalarValue, VectorValue

CALCULATE: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.float_power,
    "atan2": np.arctan2,
}
COMPARE: dict[str, Callable[..., Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
}


class Negate:
    """A minus sign before a scalar or vector."""

    def __init__(self, operand: Operator) -> None:
        self._operand = operand

    def evaluate(self, run: Run) -> ScalarValue | VectorValue:
        """Return the negated value."""
        value = self._operand.evaluate(run)
        if isinstance(value, ScalarValue):
            return ScalarValue(-value.values)
        vector = vector_of(value)
        return VectorValue(vector.series, -vector.values, vector.present, nameless=True)


class ScalarBinary:
    """Arithmetic or comparison between two scalars."""

    def __init__(self, operator: str, left: Operator, right: Operator) -> None:
        self._compute = CALCULATE.get(operator) or COMPARE[operator]
        self._left = left
        self._right = right

    def evaluate(self, run: Run) -> ScalarValue:
        """Return the scalar; 1 and 0 for true and false."""
        result = self._compute(scalar_of(self._left.evaluate(run)), scalar_of(self._right.evaluate(run)))
        return ScalarValue(result.astype(np.float64) if result.ndim else float(result))


class VectorScalarArithmetic:
    """Arithmetic between a vector and a scalar, in either order."""

    def __init__(self, operator: str, vector: Operator, scalar: Operator, *, scalar_first: bool) -> None:
        self._compute = CALCULATE[operator]
        self._vector = vector
        self._scalar = scalar
        self._scalar_first = scalar_first

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector with other values, without names."""
        vector = vector_of(self._vector.evaluate(run))
        scalar = scalar_of(self._scalar.evaluate(run))
        run.check_time()
        first, second = (scalar, vector.values) if self._scalar_first else (vector.values, scalar)
        return VectorValue(vector.series, self._compute(first, second), vector.present, nameless=True)


class VectorScalarComparison:
    """Comparison between a vector and a scalar, in either order: a filter, or with `bool` 1 and 0."""

    def __init__(
        self, operator: str, vector: Operator, scalar: Operator, *, scalar_first: bool, returns_bool: bool
    ) -> None:
        self._compare = COMPARE[operator]
        self._vector = vector
        self._scalar = scalar
        self._scalar_first = scalar_first
        self._returns_bool = returns_bool

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector's own values where the comparison holds."""
        vector = vector_of(self._vector.evaluate(run))
        scalar = scalar_of(self._scalar.evaluate(run))
        run.check_time()
        first, second = (scalar, vector.values) if self._scalar_first else (vector.values, scalar)
        holds = self._compare(first, second)
        if self._returns_bool:
            return VectorValue(vector.series, holds.astype(np.float64), vector.present, nameless=True)
        present = holds if vector.present is None else holds & vector.present
        return VectorValue(vector.series, vector.values, present, vector.nameless)
