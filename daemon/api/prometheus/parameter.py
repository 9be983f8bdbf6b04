"""The parameters of a request, read as Prometheus reads them; a mistake names parameter, value and remedy."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from core.duration import parse_duration
from core.errors import UserError
from metrics.promql import ast
from metrics.promql.parse import parse
from metrics.storage import Matcher

MAX_TIME_MS = 8_000_000_000_000_000
"""Beyond this, milliseconds leave what a float keeps exactly."""

_ENDS_OF_TIME = {
    "-292273086-05-16T16:47:06Z": -MAX_TIME_MS,
    "292277025-08-18T07:12:54.999999999Z": MAX_TIME_MS,
    "292277025-08-18T07:12:54.999Z": MAX_TIME_MS,
}
"""How Prometheus' clients write the first and last time that Go can."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


class Fields(Protocol):
    """Names with one or more values: a multidict."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """Return all values of a name, in order."""


class Parameters:
    """What a request asks for, by name."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def all(self, name: str) -> list[str]:
        """Return every value of a parameter."""
        return self._fields.getall(name, [])

    def text(self, name: str) -> str:
        """Return a parameter, the first where it comes twice; empty where it is absent."""
        return next(iter(self.all(name)), "")

    def flag(self, name: str) -> bool:
        """Return whether a parameter is true.

        Raises: UserError: it is neither true nor false.
        """
        text = self.text(name)
        if text.lower() in ("", "false", "0", "f"):
            return False
        if text.lower() in ("true", "1", "t"):
            return True
        raise mistake(name, text, "neither true nor false", "give one of them")

    def time_ms(self, name: str, default_ms: int | None = None) -> int:
        """Return a time in Unix milliseconds.

        Raises: UserError: it is none, or absent where there is no default.
        """
        text = self.text(name).strip()
        if not text and default_ms is not None:
            return default_ms
        if text in _ENDS_OF_TIME:
            return _ENDS_OF_TIME[text]
        if _NUMBER.fullmatch(text):
            milliseconds = float(text) * 1000
        elif _RFC_3339.fullmatch(text):
            milliseconds = _rfc3339_ms(name, text)
        else:
            raise mistake(name, text, "no time", "give Unix seconds or a time as in RFC 3339")
        if not abs(milliseconds) <= MAX_TIME_MS:
            raise mistake(name, text, "too far away", "give a time nearer to now")
        return round(milliseconds)

    def period_ms(self, *, default: bool) -> tuple[int, int]:
        """Return `start` and `end` in Unix milliseconds; all of time where they are absent and `default` is true."""
        start_ms = self.time_ms("start", -MAX_TIME_MS if default else None)
        return start_ms, self.time_ms("end", MAX_TIME_MS if default else None)

    def seconds(self, name: str, default: float | None = None) -> float:
        """Return a duration: seconds, or as Prometheus writes durations.

        Raises: UserError: it is none, or absent where there is no default.
        """
        text = self.text(name).strip()
        if not text and default is not None:
            return default
        try:
            seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
        except UserError:
            raise mistake(name, text, "no duration", "give seconds or a duration, such as 15s") from None
        if not abs(seconds) * 1000 <= MAX_TIME_MS:
            raise mistake(name, text, "too long", "give a shorter duration")
        return seconds

    def step_ms(self) -> int:
        """Return `step` in milliseconds, at least 1.

        Raises: UserError: it is no duration, or less than a millisecond.
        """
        seconds = self.seconds("step")
        if seconds < 0.001:
            raise mistake("step", self.text("step"), "less than a millisecond", "give at least 1ms")
        return round(seconds * 1000)

    def limit(self, name: str = "limit") -> int:
        """Return how much is wanted at most; 0 is no limit.

        Raises: UserError: it is no whole number of 0 or more.
        """
        text = self.text(name).strip()
        if not text:
            return 0
        if not _WHOLE.fullmatch(text) or int(text) < 0:
            raise mistake(name, text, "no limit", "give a whole number, 0 for no limit")
        return int(text)

    def selectors(self, name: str = "match[]") -> list[tuple[Matcher, ...]]:
        """Return the matchers of each selector given as `match[]`.

        Raises: UserError: one of them is no selector of series.
        """
        return [_matchers(name, text) for text in self.all(name)]


def mistake(name: str, text: str, what: str, remedy: str) -> UserError:
    """Return what to raise where a parameter's value is wrong."""
    shown = f'"{text[:60]}" is {what}' if text else "it is empty or missing"
    return UserError(f'invalid parameter "{name}": {shown}; {remedy}')


def wrong(name: str, error: UserError) -> UserError:
    """Return what to raise where a parameter is wrong for a reason that is already in words."""
    return UserError(f'invalid parameter "{name}": {error}')


def _rfc3339_ms(name: str, text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp() * 1000
    except (ValueError, OverflowError):
        raise mistake(name, text, "no time", "give a day and hour that exist") from None


def _matchers(name: str, text: str) -> tuple[Matcher, ...]:
    try:
        expression = parse(text)
    except UserError as error:
        raise wrong(name, error) from error
    root = expression.root
    if not isinstance(root, ast.VectorSelector) or root.offset_ms or root.at is not None:
        raise mistake(name, text, "no selector of series", 'give one, such as up{job="shop"}')
    return expression.selectors[0].matchers
