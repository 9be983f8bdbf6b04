"""Subqueries: an expression evaluated at many times, whose values are the samples of a range vector."""

from __future__ import annotations

import numpy as np

from metrics.promql.ast import Subquery
from metrics.promql.function import vector_of
from metrics.promql.run import Operator, Run
from metrics.promql.window import Samples


class SubqueryRange:
    """The samples of a subquery.

    The inner expression is evaluated at all multiples of the step that any window of the run reaches; a window takes
    those inside it.
    """

    def __init__(self, node: Subquery, inner: Operator) -> None:
        self.range_ms = node.range_ms
        self._node = node
        self._inner = inner

    def samples(self, run: Run) -> tuple[Run, list[Samples]]:
        """Return the run at the windows' right ends and the samples."""
        look = run.shifted(self._node.offset_ms, self._node.at)
        step = self._node.step_ms or run.shared.subquery_step_ms
        first = (look.first - self.range_ms) // step * step + step
        if first > look.last:
            return look, []
        times = np.arange(first, look.last + 1, step, dtype=np.int64)
        run.shared.touch(len(times))
        vector = vector_of(self._inner.evaluate(run.at(times)))
        if not vector.series:
            return look, []
        holes = None if vector.present is None else ~vector.present
        if holes is None:
            holes = np.zeros(vector.values.shape, dtype=np.bool_)
        return look, [Samples(vector.series, times, vector.values, holes, vector.nameless)]
