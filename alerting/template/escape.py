"""Escapes for media whose texts have marks of their own: what a value says stays text there."""

from __future__ import annotations

import re

_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# An underscore inside a word is none of the marks, and names of metrics are full of them.
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>|~#]|(?<!\w)_|_(?!\w))")
_MENTION = re.compile(r"@(?=everyone|here|[!&]?\d)")
_TELEGRAM = re.compile(r"([_*`\[])")
_TELEGRAM_V2 = re.compile(r"([_*\[\]()~`>#+\-=|{}.!\\])")


def escape_slack(text: str) -> str:
    """Return a text for Slack: it mentions nobody and links to nothing.

    Source: Slack, Formatting text for app surfaces, "Escaping text".
    """
    return text.translate(_SLACK)


def escape_markdown(text: str) -> str:
    """Return a text for Markdown (Teams): its signs are no marks.

    An address stays as it is, so that it can still be followed.
    """
    return " ".join(
        word if word.startswith(("http://", "https://")) else _MARKDOWN.sub(r"\\\1", word) for word in text.split(" ")
    )


def escape_discord(text: str) -> str:
    """Return a text for Discord's Markdown that mentions nobody, either."""
    return _MENTION.sub("@\u200b", escape_markdown(text))


def escape_telegram(text: str) -> str:
    """Return a text for Telegram's older Markdown. Source: core.telegram.org/bots/api#markdown-style."""
    return _TELEGRAM.sub(r"\\\1", text)


def escape_telegram_v2(text: str) -> str:
    """Return a text for Telegram's MarkdownV2, which refuses a message for one stray sign.

    Source: core.telegram.org/bots/api#markdownv2-style.
    """
    return _TELEGRAM_V2.sub(r"\\\1", text)
