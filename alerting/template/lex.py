"""Cuts a template into text and the tokens of its actions."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from alerting.template.error import TemplateError

MAX_LENGTH = 262_144
"""So many characters a template may have."""

_SPACE = " \t\r\n"
_SPACE_SET = frozenset(_SPACE)
_TOKEN = re.compile(
    r"""(?P<SPACE>[ \t\r\n]+)
    |(?P<STRING>"(?:[^"\\\n]|\\[^\n])*")
    |(?P<RAW>`[^`]*`)
    |(?P<CHARACTER>'(?:[^'\\\n]|\\[^\n])+')
    |(?P<NUMBER>[+-]?(?:\d|\.\d)(?:[eEpP][+-]|[0-9A-Za-z_.])*)
    |(?P<FIELD>\.[^\W\d]\w*)
    |(?P<VARIABLE>\$\w*)
    |(?P<WORD>[^\W\d]\w*)
    |(?P<SYMBOL>:=|[=|(),.])""",
    re.VERBOSE,
)
_ENDS_WORD = frozenset(_SPACE + ".,|:)(=")
_WORDS = frozenset({"FIELD", "VARIABLE", "WORD", "NUMBER", "CHARACTER"})


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    OPEN = auto()
    CLOSE = auto()
    SPACE = auto()
    STRING = auto()
    RAW = auto()
    CHARACTER = auto()
    NUMBER = auto()
    FIELD = auto()
    VARIABLE = auto()
    WORD = auto()
    SYMBOL = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template; `position` is its first character's place."""

    kind: Kind
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Source:
    """A template's text and what it is called, for the places of mistakes."""

    text: str
    name: str = ""

    def place(self, position: int) -> str:
        """Return `NAME:LINE:COLUMN`, both counting from 1."""
        line = self.text.count("\n", 0, position) + 1
        column = position - (self.text.rfind("\n", 0, position) + 1) + 1
        return f"{self.name}:{line}:{column}" if self.name else f"{line}:{column}"

    def error(self, position: int, message: str) -> TemplateError:
        """Return a mistake at a place."""
        return TemplateError(f"{self.place(position)}: {message}")


def tokens(source: Source) -> Iterator[Token]:
    """Yield the tokens of a template; text next to a trim marker is trimmed, comments are left out.

    Raises: TemplateError: an action is never closed, or has what no token is.
    """
    text = source.text
    if len(text) > MAX_LENGTH:
        raise source.error(0, f"the template has {len(text)} characters; {MAX_LENGTH} are allowed")
    position, trims = 0, False
    while True:
        start = text.find("{{", position)
        plain = text[position:] if start < 0 else text[position:start]
        trims_before = start >= 0 and text[start + 2 : start + 3] == "-" and text[start + 3 : start + 4] in _SPACE_SET
        trimmed = plain.lstrip(_SPACE) if trims else plain
        trimmed = trimmed.rstrip(_SPACE) if trims_before else trimmed
        if trimmed:
            yield Token(Kind.TEXT, trimmed, position)
        if start < 0:
            yield Token(Kind.END, "", len(text))
            return
        inside = start + (4 if trims_before else 2)
        if text.startswith("/*", inside):
            position, trims = _comment(source, start, inside)
        else:
            yield Token(Kind.OPEN, "{{", start)
            position = yield from _action(source, start, inside)
            trims = text[position - 3] == "-" and text[position - 4] in _SPACE_SET
            yield Token(Kind.CLOSE, "}}", position - 2)


def _comment(source: Source, start: int, inside: int) -> tuple[int, bool]:
    end = source.text.find("*/", inside + 2)
    if end < 0:
        raise source.error(start, "a comment is never closed; end it with '*/}}'")
    rest = source.text[end + 2 : end + 6]
    if rest.startswith("}}"):
        return end + 4, False
    if len(rest) == 4 and rest[0] in _SPACE_SET and rest.endswith("-}}"):
        return end + 6, True
    raise source.error(end, "a comment must end with '*/}}', or with '*/ -}}'")


def _closes(text: str, position: int) -> int:
    """Return how long the end of an action at a position is; 0 where none is."""
    if text.startswith("}}", position):
        return 2
    is_trim = text[position : position + 1] in _SPACE_SET and text.startswith("-}}", position + 1)
    return 4 if is_trim else 0


def _action(source: Source, start: int, position: int) -> Generator[Token, None, int]:
    """Yield the tokens of an action; return where it ends."""
    text = source.text
    while True:
        length = _closes(text, position)
        if length:
            return position + length
        match = _TOKEN.match(text, position)
        if match is None:
            raise _stray(source, start, position)
        kind = Kind[match.lastgroup or ""]
        end = match.end()
        if kind is Kind.SPACE:
            # The space of ` -}}` belongs to the end of the action.
            end = end - 1 if text.startswith("-}}", end) else end
            if end > position:
                yield Token(kind, " ", position)
            position = end
            continue
        _check_end(source, kind, end)
        yield Token(kind, match[0], position)
        position = end


def _check_end(source: Source, kind: Kind, end: int) -> None:
    following = source.text[end : end + 1]
    if kind.name in _WORDS and following and following not in _ENDS_WORD and not source.text.startswith("}}", end):
        raise source.error(end, f"unexpected {following!r}; separate words by spaces")


def _stray(source: Source, start: int, position: int) -> TemplateError:
    character = source.text[position : position + 1]
    if not character:
        return source.error(start, "'{{' is never closed; add '}}'")
    if character in "\"`'":
        return source.error(position, f"a text is never closed; add {character}")
    if source.text.startswith("{{", position):
        return source.error(position, "'{{' stands inside an action; close the one before with '}}'")
    return source.error(position, f"unexpected {character!r} in an action")
