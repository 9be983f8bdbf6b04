"""Functions of instant vectors that look at each value by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from metrics.frame import FloatArray
from metrics.promql.run import Operator, Run
from metrics.promql.value import Memo, ScalarValue, Value, VectorValue
from metrics.promql.window import Parameter


def scalar_of(value: Value) -> Parameter:
    """Return the number(s) of a scalar."""
    assert isinstance(value, ScalarValue)
    return value.values


def vector_of(value: Value) -> VectorValue:
    """Return a value that the compiler knows to be a vector."""
    assert isinstance(value, VectorValue)
    return value


def seconds_of(run: Run) -> Parameter:
    """Return the evaluation time(s) in Unix seconds."""
    return run.first / 1000.0 if run.steps == 1 else run.times[:, np.newaxis] / 1000.0


class Elementwise:
    """Applies a function to every value, with scalars as further arguments; drops the name."""

    def __init__(self, compute: Callable[..., FloatArray], vector: Operator, scalars: Sequence[Operator]) -> None:
        self._compute = compute
        self._vector = vector
        self._scalars = tuple(scalars)

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector with other values."""
        vector = vector_of(self._vector.evaluate(run))
        scalars = [scalar_of(scalar.evaluate(run)) for scalar in self._scalars]
        run.check_time()
        return VectorValue(vector.series, self._compute(vector.values, *scalars), vector.present, nameless=True)


class Clamp:
    """clamp(): a vector between two limits; nothing where the lower one is above the upper one."""

    def __init__(self, vector: Operator, low: Operator, high: Operator) -> None:
        self._operators = (vector, low, high)

    def evaluate(self, run: Run) -> VectorValue:
        """Return the clamped vector."""
        value, least, greatest = (operator.evaluate(run) for operator in self._operators)
        vector, low, high = vector_of(value), scalar_of(least), scalar_of(greatest)
        values = _greater(_lesser(vector.values, high), low)
        crossed = np.asarray(low > high)
        present = vector.mask() & ~crossed if crossed.any() else vector.present
        return VectorValue(vector.series, values, present, nameless=True)


class ToVector:
    """vector(): a scalar as a vector of one series without labels."""

    _SERIES = ((),)

    def __init__(self, scalar: Operator) -> None:
        self._scalar = scalar

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector."""
        values = np.broadcast_to(np.asarray(scalar_of(self._scalar.evaluate(run))), (run.steps, 1))
        return VectorValue(self._SERIES, values)


class ToScalar:
    """scalar(): the value of the only series; NaN where there is none or more than one."""

    def __init__(self, vector: Operator) -> None:
        self._vector = vector

    def evaluate(self, run: Run) -> ScalarValue:
        """Return the scalar."""
        vector = vector_of(self._vector.evaluate(run))
        if vector.present is None and len(vector.series) == 1:
            return ScalarValue(vector.values)
        counts = vector.mask().sum(axis=1, keepdims=True)
        sums = vector.filled(0.0).sum(axis=1, keepdims=True)
        return ScalarValue(np.where(counts == 1, sums, np.nan))


class EvaluationTime:
    """time(): the evaluation time in Unix seconds."""

    def evaluate(self, run: Run) -> ScalarValue:
        """Return the scalar."""
        return ScalarValue(seconds_of(run))


class TimestampOfSteps:
    """timestamp() of anything but a selector: the evaluation time for each series."""

    def __init__(self, vector: Operator) -> None:
        self._vector = vector

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector."""
        vector = vector_of(self._vector.evaluate(run))
        values = np.broadcast_to(np.asarray(seconds_of(run)), vector.values.shape)
        return VectorValue(vector.series, values, vector.present, nameless=True)


class Sort:
    """sort() and sort_desc(): by value, NaN last; without effect where there is more than one step."""

    def __init__(self, vector: Operator, *, descending: bool) -> None:
        self._vector = vector
        self._sign = -1.0 if descending else 1.0

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector in order; the series that are not present come last."""
        vector = vector_of(self._vector.evaluate(run))
        if run.steps != 1:
            return vector
        return take(vector, np.lexsort((vector.values[0] * self._sign, ~vector.mask()[0])))


class SortByLabel:
    """sort_by_label() and sort_by_label_desc(): by labels' values, digits in them by number, then by all labels."""

    def __init__(
        self, vector: Operator, names: Sequence[str], order: Callable[..., list[int]], *, descending: bool
    ) -> None:
        self._vector = vector
        self._names = tuple(names)
        self._order = order
        self._step = -1 if descending else 1
        self._memo: Memo[list[int]] = Memo()

    def evaluate(self, run: Run) -> VectorValue:
        """Return the vector in order."""
        vector = vector_of(self._vector.evaluate(run))
        if run.steps != 1:
            return vector
        order = self._memo.get((vector.series,), lambda: self._order(vector.series, self._names)[:: self._step])
        return take(vector, np.array(order, dtype=np.intp))


def take(vector: VectorValue, columns: np.ndarray[tuple[int], np.dtype[np.intp]]) -> VectorValue:
    """Return some series of a vector, in the order given."""
    series = tuple(vector.series[column] for column in columns)
    present = None if vector.present is None else vector.present[:, columns]
    nameless = vector.nameless if isinstance(vector.nameless, bool) else vector.nameless[columns]
    return VectorValue(series, vector.values[:, columns], present, nameless)


def round_to(values: FloatArray, nearest: Parameter = 1.0) -> FloatArray:
    """Round to the nearest multiple, halves upwards."""
    inverse = 1.0 / np.asarray(nearest)
    rounded: FloatArray = np.floor(values * inverse + 0.5) / inverse
    return rounded


def _lesser(values: FloatArray, limit: Parameter) -> FloatArray:
    """Return the lesser of both, NaN where one is, but -Inf where the other is that, as in Go."""
    lesser: FloatArray = np.minimum(values, limit)
    nan = np.isnan(lesser)
    return np.where(nan & (np.isneginf(values) | np.isneginf(limit)), -np.inf, lesser) if nan.any() else lesser


def _greater(values: FloatArray, limit: Parameter) -> FloatArray:
    """Return the greater of both, NaN where one is, but +Inf where the other is that, as in Go."""
    greater: FloatArray = np.maximum(values, limit)
    nan = np.isnan(greater)
    return np.where(nan & (np.isposinf(values) | np.isposinf(limit)), np.inf, greater) if nan.any() else greater


ELEMENTWISE: dict[str, Callable[..., FloatArray]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "clamp_max": _lesser,
    "clamp_min": _greater,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": np.degrees,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": np.radians,
    "round": round_to,
    "sgn": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
"""By name; the first argument is the vector's values, shape (T, S), the others are scalars."""
