"""Numbers and texts that stand in the expression."""

from __future__ import annotations

from metrics.promql.run import Run
from metrics.promql.value import ScalarValue, StringValue


class Literal:
    """A number."""

    def __init__(self, value: float) -> None:
        self._value = ScalarValue(value)

    def evaluate(self, _run: Run) -> ScalarValue:
        """Return the number."""
        return self._value


class Text:
    """A text."""

    def __init__(self, value: str) -> None:
        self._value = StringValue(value)

    def evaluate(self, _run: Run) -> StringValue:
        """Return the text."""
        return self._value
