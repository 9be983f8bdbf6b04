"""Prometheus' functions on numbers and times."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from alerting.template.error import CallError
from alerting.template.go_time import SECOND, Duration, Time
from alerting.template.number import four, humanize, humanize_1024, humanize_duration, humanize_percentage
from alerting.template.value import Function, type_name


def to_number(value: object) -> float:
    """Return the number that a value is or, for a text, reads as.

    Raises: CallError: it is none.
    """
    if isinstance(value, Duration):
        return value.seconds
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise CallError(f"a {type_name(value)} is no number")
    try:
        # Python also reads digits of other scripts and spaces around; Go does not.
        if value.isascii() and value == value.strip():
            return float(value)
    except ValueError:
        pass
    raise CallError(f"{value[:80]!r} is no number")


def humanize_timestamp(number: object) -> str:
    """Return Unix seconds as a time in UTC."""
    value = to_number(number)
    return to_time(value).template_text() if math.isfinite(value) else four(value)


def to_time(number: object) -> Time:
    """Return the time of Unix seconds.

    Raises: CallError: no time can be that.
    """
    value = to_number(number)
    if not abs(value) * SECOND < 1 << 63:
        raise CallError(f"{value:g} is no time")
    return Time(int(value * SECOND / 1_000_000) * 1_000_000)


def _of_number(show: Callable[[float], str]) -> Function:
    return Function(lambda value: show(to_number(value)), ("any",))


HUMANIZE_FUNCTIONS: Mapping[str, Function] = {
    "humanize": _of_number(humanize),
    "humanize1024": _of_number(humanize_1024),
    "humanizeDuration": _of_number(humanize_duration),
    "humanizePercentage": _of_number(humanize_percentage),
    "humanizeTimestamp": Function(humanize_timestamp, ("any",)),
    "toTime": Function(to_time, ("any",)),
}
