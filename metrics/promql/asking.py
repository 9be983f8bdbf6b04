"""What rules need of whoever evaluates expressions."""

from __future__ import annotations

from typing import Protocol

from metrics.promql.parse import Expression
from metrics.promql.result import Result


class InstantEngine(Protocol):
    """metrics.promql.engine.Engine, or what stands for it."""

    def instant(self, expression: Expression, at_ms: int) -> Result:
        """Return the expression's value at one time, Unix milliseconds.

        Raises: core.errors.WatchkeeperError: there is none.
        """
