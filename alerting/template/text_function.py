"""Functions on texts that both Prometheus and Alertmanager have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from alerting.template.regex import regex
from alerting.template.value import Function, SafeHtml

_WORD_START = re.compile(r"(?:(?<=^)|(?<=[^\w'\u2019]))[^\W\d_]", re.MULTILINE)


def title(text: str) -> str:
    """Return a text with its words beginning with capital letters; other letters stay as they are."""
    return _WORD_START.sub(lambda match: match[0].upper(), text)


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
