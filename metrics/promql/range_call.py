"""A call of a range function: its scalar arguments, and what there is to say about them."""

from __future__ import annotations

from collections.abc import Sequence

from metrics.label import Labels, metric_name
from metrics.promql.function import scalar_of
from metrics.promql.quantile import check_fraction
from metrics.promql.run import Operator, Run
from metrics.promql.value import Memo, VectorValue
from metrics.promql.window import Reduce

_COUNTER_ENDINGS = ("_total", "_sum", "_count", "_bucket")
_TOLD = 10
"""How many metrics are told of."""


class RangeCall:
    """Evaluates a range function.

    Args:
        wants_counter: say so where the name of a metric is not that of a counter.
        checks_fraction: the first scalar should be between 0 and 1.
    """

    def __init__(
        self, reduce: Reduce, scalars: Sequence[Operator], *, wants_counter: bool = False, checks_fraction: bool = False
    ) -> None:
        self._reduce = reduce
        self._scalars = tuple(scalars)
        self._wants_counter = wants_counter
        self._doubtful: Memo[tuple[str, ...]] = Memo()
        self._checks_fraction = checks_fraction

    def evaluate(self, run: Run) -> VectorValue:
        """Return one value per window."""
        parameters = [scalar_of(scalar.evaluate(run)) for scalar in self._scalars]
        if self._checks_fraction:
            check_fraction(run, parameters[0])
        vector = self._reduce.evaluate(run, parameters)
        if self._wants_counter:
            for info in self._doubtful.get((vector.series,), lambda: _doubts(vector.series)):
                run.inform(info)
        return vector


def _doubts(series: Sequence[Labels]) -> tuple[str, ...]:
    """Return what there is to say about series that are no counters by their names; only the first few."""
    names = dict.fromkeys(name for name in map(metric_name, series) if name and not name.endswith(_COUNTER_ENDINGS))
    shown = list(names)[:_TOLD]
    return tuple(
        f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"' for name in shown
    )
