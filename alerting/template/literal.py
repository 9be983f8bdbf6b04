"""Numbers, characters and strings as Go writes them."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:x(?P<hex>[0-9A-Fa-f]{2})|u(?P<short>[0-9A-Fa-f]{4})|U(?P<long>[0-9A-Fa-f]{8})"
    r"|(?P<octal>[0-7]{3})|(?P<plain>[abfnrtv\\\"'])|(?P<wrong>.))",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9](?:_?\d)*)")
_BASED = re.compile(r"(?P<sign>[+-]?)0(?P<base>[xX]|[oO]|[bB]|)_?(?P<digits>[0-9A-Fa-f]+(?:_[0-9A-Fa-f]+)*)")
_FLOAT = re.compile(r"[+-]?(?:\d(?:_?\d)*)?(?:\.(?:\d(?:_?\d)*)?)?(?:[eE][+-]?\d+)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX][0-9A-Fa-f]*\.?[0-9A-Fa-f]*[pP][+-]?\d+")
_BASES = {"x": 16, "o": 8, "b": 2, "": 8}


def read_number(text: str) -> int | float:
    """Return the number that a literal means.

    Raises: ValueError: it is none, or a whole number that 64 bits do not hold.
    """
    number = _whole(text)
    if number is not None:
        if not -(1 << 63) <= number < 1 << 63:
            raise ValueError(f"{text} is too large for a whole number; write it with a decimal point")
        return number
    if _HEX_FLOAT.fullmatch(text):
        value = float.fromhex(text)
    elif _FLOAT.fullmatch(text) and any(character.isdigit() for character in text):
        value = float(text)
    else:
        raise ValueError(f"{text!r} is no number")
    if value in (float("inf"), -float("inf")):
        raise ValueError(f"{text} is too large for a number")
    return value


def _whole(text: str) -> int | None:
    if _DECIMAL.fullmatch(text):
        return int(text)
    based = _BASED.fullmatch(text)
    if based is None:
        return None
    try:
        number = int(based["digits"].replace("_", ""), _BASES[based["base"].lower()])
    except ValueError:
        return None
    return -number if based["sign"] == "-" else number


def read_string(quoted: str) -> str:
    """Return the text of a quoted or raw string.

    Raises: ValueError: with the reason.
    """
    if quoted[0] == "`":
        return quoted[1:-1].replace("\r", "")
    if "\\" not in quoted:
        return quoted[1:-1]
    return _unescape(quoted[1:-1], wrong_quote="'")


def read_character(quoted: str) -> int:
    """Return the number of a character in single quotes.

    Raises: ValueError: with the reason.
    """
    text = _unescape(quoted[1:-1], wrong_quote='"')
    if len(text) != 1:
        raise ValueError(f"{quoted} must hold one character; write texts in double quotes")
    return ord(text)


def _unescape(text: str, *, wrong_quote: str) -> str:
    """Return a text with its escapes replaced; bytes that are no UTF-8 become U+FFFD."""
    out = bytearray()
    position = 0
    for match in _ESCAPE.finditer(text):
        out += text[position : match.start()].encode("utf-8", "surrogatepass")
        out += _escaped(match, wrong_quote)
        position = match.end()
    return (out + text[position:].encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _escaped(match: re.Match[str], wrong_quote: str) -> bytes:
    if match["hex"]:
        return bytes([int(match["hex"], 16)])
    if match["octal"] and int(match["octal"], 8) < 256:
        return bytes([int(match["octal"], 8)])
    if match["short"] or match["long"]:
        number = int(match["short"] or match["long"], 16)
        if number <= 0x10FFFF and not 0xD800 <= number < 0xE000:
            return chr(number).encode()
    elif match["plain"] and match["plain"] != wrong_quote:
        return _PLAIN.get(match["plain"], match["plain"]).encode()
    raise ValueError(f"{match[0]!r} is no escape; write a backslash as '\\\\'")
