"""A call of a range function: its scalar arguments, and what there is to say about them."""

from __future__ import annotations

from collections.abc import Sequence

from metrics.promql.function import scalar_of
from metrics.promql.quantile import check_fraction
from metrics.promql.run import Operator, Run
from metrics.promql.value import VectorValue
from metrics.promql.window import Reduce


class RangeCall:
    """Evaluates a range function.

    Args:
        info: what to say about the call where it yields anything.
        checks_fraction: the first scalar should be between 0 and 1.
    """

    def __init__(
        self, reduce: Reduce, scalars: Sequence[Operator], *, info: str = "", checks_fraction: bool = False
    ) -> None:
        self._reduce = reduce
        self._scalars = tuple(scalars)
        self._info = info
        self._checks_fraction = checks_fraction

    def evaluate(self, run: Run) -> VectorValue:
        """Return one value per window."""
        parameters = [scalar_of(scalar.evaluate(run)) for scalar in self._scalars]
        if self._checks_fraction:
            check_fraction(run, parameters[0])
        vector = self._reduce.evaluate(run, parameters)
        if self._info and vector.series:
            run.inform(self._info)
        return vector
