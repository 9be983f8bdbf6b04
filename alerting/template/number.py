"""Numbers as text, as Go prints them, and as people read them: Prometheus' humanize functions."""

from __future__ import annotations

import math
from decimal import Decimal

_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")


def format_number(value: float) -> str:
    """Return a number as Go prints it: the fewest digits that tell it apart, an exponent below 1e-4 and from 1e6 on.

    Source: strconv.FormatFloat(value, 'g', -1, 64).
    """
    return special(value) or shortest(value)


def shortest(value: float) -> str:
    """Return a finite number in its shortest form."""
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    power = len(digits) + exponent - 1
    text = "".join(map(str, digits))
    if power < -4 or power >= 6:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        shown = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    else:
        shown = format(Decimal((0, digits, exponent)), "f")
    return ("-" if sign else "") + shown


def special(value: float) -> str:
    """Return what Go prints for what is no finite number; empty for others."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return ""


def four(value: float) -> str:
    """Return a number with four digits."""
    return special(value) or f"{value:.4g}"


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


def humanize(value: float) -> str:
    """Return a number with a metric prefix: 1.235M."""
    if value == 0 or not math.isfinite(value):
        return four(value)
    return _scaled(value, 1000, _LARGE) if abs(value) >= 1 else _small(value)


def humanize_1024(value: float) -> str:
    """Return a number with a binary prefix: 1.5ki."""
    return four(value) if abs(value) <= 1 or not math.isfinite(value) else _scaled(value, 1024, _BINARY)


def humanize_percentage(value: float) -> str:
    """Return a ratio as a percentage."""
    return four(value * 100) + "%"


def humanize_duration(value: float) -> str:
    """Return seconds, or a duration, as 1d 2h 3m 4s."""
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
