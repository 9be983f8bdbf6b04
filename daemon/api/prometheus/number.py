"""Numbers and times as Prometheus writes them into JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

_NEVER = "0001-01-01T00:00:00Z"
"""How Go writes a time that was never set."""


def format_number(value: float) -> str:
    """Return a number with the shortest digits that read back as the same float.

    Source: prometheus/util/jsonutil, MarshalFloat (exponent below 1e-6 and from 1e21, of at least two digits).
    """
    text = repr(value)
    if text[-2:] == ".0":
        return text[:-2]
    if "e" not in text:
        return text if math.isfinite(value) else _no_number(value)
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return text


def format_scalar(value: float) -> str:
    """Return the value of a scalar, which never has an exponent.

    Source: prometheus/promql, Scalar.MarshalJSON.
    """
    text = format_number(value)
    return format(Decimal(text), "f") if "e" in text else text


def format_numbers(values: Sequence[float]) -> list[str]:
    """Return many numbers as `format_number` does, in less time: a million a second."""
    if not values:
        return []
    # The list is written as a whole, in C; only what needs an exponent, or is no number, is looked at again.
    text = f"{values!r}"[1:-1] + ", "
    texts = text.replace(".0, ", ", ").split(", ")
    texts.pop()
    if "e" in text or "n" in text:
        for place, known in enumerate(texts):
            if "e" in known or "n" in known:
                texts[place] = format_number(values[place])
    return texts


def format_scientific(value: float) -> str:
    """Return a number with an exponent, as an alert's value is written: `8.42e+01`."""
    if not math.isfinite(value):
        return _no_number(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    power = len(text) - 1 + exponent if text else 0
    text = text.rstrip("0") or "0"
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"


def format_milliseconds(milliseconds: int) -> str:
    """Return a time as seconds: whole, or with three digits after the point."""
    sign, rest = ("-", -milliseconds) if milliseconds < 0 else ("", milliseconds)
    seconds, fraction = divmod(rest, 1000)
    return f"{sign}{seconds}.{fraction:03d}" if fraction else f"{sign}{seconds}"


def format_moment(seconds: float | None) -> str:
    """Return a Unix time as RFC 3339 writes it; None is the time that Go writes for "never"."""
    if seconds is None:
        return _NEVER
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00").rstrip("0").rstrip(".") + "Z"


def _no_number(value: float) -> str:
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
