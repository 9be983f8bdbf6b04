"""Numbers as people read them: Prometheus' humanize functions."""

from __future__ import annotations

import math
from collections.abc import Mapping

from alerting.template.error import CallError
from alerting.template.go_time import SECOND, Duration, Time
from alerting.template.value import Function, type_name

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")


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


def four(value: float) -> str:
    """Return a number with four digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.4g}"


def _scaled(value: float, base: float, prefixes: tuple[str, ...]) -> str:
    prefix = ""
    for larger in prefixes:
        if abs(value) < base:
            break
        prefix, value = larger, value / base
    return four(value) + prefix


def _small(value: float) -> str:
    prefix = ""
    for smaller in _SMALL:
        if abs(value) >= 1:
            break
        prefix, value = smaller, value * 1000
    return four(value) + prefix


def humanize(number: object) -> str:
    """Return a number with a metric prefix: 1.235M."""
    value = to_number(number)
    if value == 0 or not math.isfinite(value):
        return four(value)
    return _scaled(value, 1000, _LARGE) if abs(value) >= 1 else _small(value)


def humanize_1024(number: object) -> str:
    """Return a number with a binary prefix: 1.5ki."""
    value = to_number(number)
    return four(value) if abs(value) <= 1 or not math.isfinite(value) else _scaled(value, 1024, _BINARY)


def humanize_percentage(number: object) -> str:
    """Return a ratio as a percentage."""
    return four(to_number(number) * 100) + "%"


def humanize_duration(number: object) -> str:
    """Return seconds, or a duration, as 1d 2h 3m 4s."""
    value = to_number(number)
    if not math.isfinite(value):
        return four(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        return _small(value) + "s"
    whole = int(abs(value))
    days, hours, minutes, seconds = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    sign = "-" if value < 0 else ""
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{four(value)}s"


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
    return Time(round(value * 1000) * 1_000_000)


HUMANIZE_FUNCTIONS: Mapping[str, Function] = {
    "humanize": Function(humanize, ("any",)),
    "humanize1024": Function(humanize_1024, ("any",)),
    "humanizeDuration": Function(humanize_duration, ("any",)),
    "humanizePercentage": Function(humanize_percentage, ("any",)),
    "humanizeTimestamp": Function(humanize_timestamp, ("any",)),
    "toTime": Function(to_time, ("any",)),
}
