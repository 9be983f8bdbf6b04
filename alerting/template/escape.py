"""Escapes for media whose texts have marks of their own: what a value says stays text there."""

from __future__ import annotations

import re

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~#])")


def escape_slack(text: str) -> str:
    """Return a text for Slack: it mentions nobody and links to nothing.

    Source: Slack, Formatting text for app surfaces, "Escaping text".
    """
    return text.translate(_SLACK)


def escape_markdown(text: str) -> str:
    """Return a text for Markdown (Discord, Teams): its signs are no marks.

    An address stays as it is, so that it can still be followed.
    """
    return " ".join(
        word if word.startswith(("http://", "https://")) else _MARKDOWN.sub(r"\\\1", word) for word in text.split(" ")
    )
