"""Texts cut to what a service takes, with `…` where something is missing. Pure."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)[^>]*>")
_TOKEN = re.compile(r"<[^>]*>|&[^;\s]{1,10};|.", re.DOTALL)


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cut_bytes(text: str, limit: int) -> str:
    """Return a text of at most `limit` bytes in UTF-8, not cut inside a character."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"


def cut_html(text: str, limit: int) -> str:
    """Return HTML of at most `limit` characters, not cut inside a tag, and with every tag that it opens closed."""
    if len(text) <= limit:
        return text
    kept: list[str] = []
    opened: list[str] = []
    length = 0
    for token in _TOKEN.findall(text):
        tag = _TAG.fullmatch(token)
        after = _after(opened, tag)
        if length + len(token) + sum(len(name) + 3 for name in after) + 1 > limit:
            break
        kept.append(token)
        length += len(token)
        opened = after
    return "".join(kept) + "…" + "".join(f"</{name}>" for name in reversed(opened))


def _after(opened: list[str], tag: re.Match[str] | None) -> list[str]:
    if tag is None:
        return opened
    if not tag[1]:
        return [*opened, tag[2]]
    return opened[:-1] if opened and opened[-1] == tag[2] else opened
