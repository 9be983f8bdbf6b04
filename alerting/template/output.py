"""Where a rendered template goes."""

from __future__ import annotations

from collections.abc import Callable

from alerting.template.go_format import show
from alerting.template.value import NO_VALUE, SafeHtml


class Output:
    """Takes what a template yields.

    Args:
        escape: what each value goes through; None where it stands as it is.
    """

    def __init__(self, escape: Callable[[str], str] | None = None) -> None:
        self.parts: list[str] = []
        self._escape = escape

    def text(self, text: str) -> None:
        """Take what stands in the template."""
        self.parts.append(text)

    def value(self, value: object) -> int:
        """Take a value; return how many characters it became."""
        shown = NO_VALUE if value is None else show(value)
        if self._escape is not None and not isinstance(value, SafeHtml):
            shown = self._escape(shown)
        self.parts.append(shown)
        return len(shown)
