"""What can be wrong with an expression, and with its evaluation."""

from __future__ import annotations

from core.errors import UserError


class ExpressionError(UserError):
    """An expression cannot be understood, or uses something that is not supported.

    `position` is the index of the character it is about, None where that is unknown.
    """

    def __init__(self, message: str, text: str = "", position: int | None = None) -> None:
        super().__init__(f"{place(text, position)}{message}")
        self.position = position


class UnsupportedError(ExpressionError):
    """The expression is valid PromQL, of a part that is not supported yet."""


class QueryError(UserError):
    """An expression is valid, but the data it meets has no answer to it (or too large a one)."""


class QueryTimeoutError(QueryError):
    """The time that was given to an evaluation is over."""


def place(text: str, position: int | None) -> str:
    """Return where in an expression something is, to be put before a message."""
    if position is None:
        return ""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"line {line}, character {column}: " if "\n" in text else f"character {column}: "
