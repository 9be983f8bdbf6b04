"""The notation of series in rule tests: `http_requests{code="200"}` and `1+1x4 _x2 stale NaN`. Pure."""

from __future__ import annotations

import re

import numpy as np

from core.errors import UserError
from metrics.frame import STALE, FloatArray
from metrics.label import METRIC_NAME, Labels, labels_of
from metrics.storage import MISSING

MAX_VALUES = 1_000_000
"""How many values one series may have: what a typing mistake may cost."""

_NAME = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*", re.ASCII)
_PAIR = re.compile(
    r"""\s*(?:([a-zA-Z_][a-zA-Z0-9_]*)|("(?:[^"\\\n]|\\.)*"))\s*=\s*"""
    r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)\s*(,?)\s*""",
    re.ASCII,
)
_NUMBER = r"(?:inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_ITEM = re.compile(
    rf"(?:(?P<blank>_)|(?P<stale>stale)|(?P<first>[+-]?{_NUMBER}))(?P<step>[+-]{_NUMBER})?(?:x(?P<times>\d+))?",
    re.IGNORECASE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)


class NotationError(UserError):
    """A series or its values are not written as they must be; the message says what is wrong."""


def parse_metric(text: str) -> Labels:
    """Return the labels that `name{label="value"}` stands for; an empty text has none.

    Raises: NotationError: it is not of that form.
    """
    match = _NAME.match(text)
    assert match is not None  # both of its parts are optional
    pairs: dict[str, str] = {METRIC_NAME: match[1]} if match[1] else {}
    rest = text[match.end() :].strip()
    if not rest:
        return labels_of(pairs)
    if not (rest.startswith("{") and rest.endswith("}")):
        raise _no_metric(text)
    body, position = rest[1:-1], 0
    while body[position:].strip():
        pair = _PAIR.match(body, position)
        if pair is None or (not pair[4] and pair.end() != len(body)):
            raise _no_metric(text)
        name = pair[1] or _unquote(pair[2])
        pairs[name] = _unquote(pair[3])
        position = pair.end()
    return labels_of(pairs)


def _no_metric(text: str) -> NotationError:
    return NotationError(f'{text[:200]!r} is no series; write it as name{{label="value"}}')


def _unquote(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    return _ESCAPE.sub(_escaped, text[1:-1])


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        return chr(int(code, 16))
    return chr(int(match[4], 8)) if match[4] else _ESCAPES.get(match[5], match[5])


def parse_values(text: str) -> FloatArray:
    """Return the values, one for each interval, with MISSING where there is none and STALE where the series ends.

    Raises: NotationError: they are not written as they must be, or are too many.
    """
    values: list[FloatArray] = []
    count = 0
    for word in text.split():
        if "{{" in word:
            raise NotationError("native histograms are not supported; give the values of _bucket, _sum and _count")
        match = _ITEM.fullmatch(word)
        if match is None or (match["step"] and not match["times"]) or (match["step"] and not match["first"]):
            raise NotationError(f"{word[:80]!r} is no value; write numbers such as 1, 1x5, 0+10x5, _, _x3 or stale")
        item = _item(match)
        count += len(item)
        if count > MAX_VALUES:
            raise NotationError(f"there are more than {MAX_VALUES} values; write fewer")
        values.append(item)
    return np.concatenate(values) if values else np.empty(0)


def _item(match: re.Match[str]) -> FloatArray:
    times = int(match["times"]) if match["times"] is not None else None
    if times is not None and times > MAX_VALUES:
        raise NotationError(f"there are more than {MAX_VALUES} values; write fewer")
    if match["blank"]:
        return np.full(1 if times is None else times, MISSING)
    # A repeated value has one more than its number says: the one at the start.
    count = 1 if times is None else times + 1
    if match["stale"]:
        return np.full(count, STALE)
    first, step = float(match["first"]), float(match["step"] or "0")
    value, out = first, np.empty(count)
    for index in range(count):  # added up one by one, as promtool does, for the same last digit
        out[index] = value
        value += step
    return out
