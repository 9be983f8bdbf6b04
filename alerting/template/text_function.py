"""Functions on texts that both Prometheus and Alertmanager have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from alerting.template.regex import regex
from alerting.template.value import Function, SafeHtml

_AFTER_SIGN = re.compile(r"(?<!\w)[^\W\d_]")
_WORD = re.compile(r"\w+(?:(?<=[^\W\d_])['.:\u2019\u00b7](?=[^\W\d_])\w+|(?<=\d)[.,';](?=\d)\w+)*")
_LETTER = re.compile(r"[^\W\d_]")


def title(text: str) -> str:
    """Return a text with each letter that follows no letter, digit or _ as a capital, as Prometheus has it."""
    return _AFTER_SIGN.sub(lambda match: match[0].title(), text)


def title_words(text: str) -> str:
    """Return a text with the first letter of each word as a capital and the others small, as Alertmanager has it."""
    return _WORD.sub(lambda match: _LETTER.sub(lambda first: first[0].title(), match[0].lower(), count=1), text)


def upper(text: str) -> str:
    """Return a text in capitals, letter by letter: ß stays, as in Go."""
    return "".join(one.upper() if len(one.upper()) == 1 else one for one in text)


def lower(text: str) -> str:
    """Return a text in small letters, letter by letter."""
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


TEXT_FUNCTIONS: Mapping[str, Function] = {
    "title": Function(title, ("string",)),
    "toUpper": Function(upper, ("string",)),
    "toLower": Function(lower, ("string",)),
    "trimSpace": Function(lambda text: text.strip(), ("string",)),
    "match": Function(lambda pattern, text: regex(pattern).found_in(text), ("string", "string")),
    "reReplaceAll": Function(
        lambda pattern, replacement, text: regex(pattern).replace(replacement, text), ("string", "string", "string")
    ),
    "safeHtml": Function(SafeHtml, ("string",)),
}
