"""Text between quotes as Go writes and reads it (strconv.Quote, strconv.Unquote): keys of groups, UTF-8 matchers."""

from __future__ import annotations

import re

_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_ESCAPES = {character: f"\\{letter}" for letter, character in _SHORT.items()}
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|([^\\\"\n])|(.)", re.DOTALL
)


def quote(text: str, *, is_ascii: bool = False) -> str:
    """Return text in double quotes with Go's escapes, as its `%q` prints it; `is_ascii` escapes what is not ASCII."""
    if text.isprintable() and '"' not in text and "\\" not in text and (text.isascii() or not is_ascii):
        return f'"{text}"'
    return '"' + "".join(_ESCAPES.get(c) or (c if _is_plain(c, is_ascii) else _escaped(c)) for c in text) + '"'


def _is_plain(character: str, is_ascii: bool) -> bool:
    return character.isprintable() and (character.isascii() or not is_ascii)


def unquote(text: str) -> str:
    """Return what text in double quotes stands for.

    Raises: ValueError: it is not in quotes, has an escape that Go does not know, or is no UTF-8 then.
    """
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError(f"{text} is not in double quotes")
    return b"".join(_bytes(match, text) for match in _ESCAPE.finditer(text, 1, len(text) - 1)).decode()


def _bytes(match: re.Match[str], text: str) -> bytes:
    short, hexadecimal, octal, basic, wide, plain, wrong = match.groups()
    if wrong is not None:
        raise ValueError(f"{text} has a wrong escape or a line break")
    if hexadecimal or octal:
        return bytes([int(hexadecimal, 16) if hexadecimal else _octet(octal, text)])
    if basic or wide:
        return _rune(int(basic or wide, 16), text).encode()
    return (_SHORT[short] if short else plain).encode()


def _octet(digits: str, text: str) -> int:
    if (value := int(digits, 8)) > 255:
        raise ValueError(f"{text} has an octal escape above 377")
    return value


def _rune(code: int, text: str) -> str:
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError(f"{text} has an escape that is no Unicode character")
    return chr(code)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
