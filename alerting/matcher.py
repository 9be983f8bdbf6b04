"""Matchers of labels as routes, inhibitions and silences have them, in Alertmanager's two notations. Pure.

Classic: `severity=~"warn|page"`, quotes optional; names are of ASCII letters, digits and `_`. UTF-8: `"my label"=x`,
names may be quoted and quoted text has Go's escapes. A text that both can read is read as classic, as Alertmanager
decides where they disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from alerting.go_text import quote, unquote
from core.errors import UserError
from metrics.label import escape_value
from metrics.pattern import compile_pattern, literal_prefix
from metrics.promql.regex import translate
from metrics.storage import MatchOp

MAX_TEXT = 32_768
"""So many characters a text of matchers may have."""

_ORDER = {op: number for number, op in enumerate(MatchOp)}
_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL | re.ASCII)
_RESERVED = re.compile(r"[\s{}!=~,\\\"'`]")
_UTF8 = re.compile(r"\s*([^\s{}!=~,\\\"'`]+|\"(?:[^\"\\]|\\.)*\")\s*(=~|=|!=|!~)\s*"
                   r"([^\s{}!=~,\\\"'`]+|\"(?:[^\"\\]|\\.)*\")\s*", re.DOTALL)  # fmt: skip


@dataclass(frozen=True)
class Matcher:
    """One condition on a label; an absent label has the empty value.

    Attributes:
        value: text, or a regular expression (RE2) that must match the whole value of the label.
    """

    name: str
    op: MatchOp
    value: str

    def matches(self, value: str) -> bool:
        """Tell whether a label of this value satisfies the matcher."""
        return bool(self.test(value))

    @cached_property
    def test(self) -> Callable[[str], object]:
        """What returns something true for a value that satisfies the matcher; the quickest way to ask.

        Raises: ValueError: its value is no regular expression.
        """
        if self.op is MatchOp.EQUAL:
            return self.value.__eq__
        if self.op is MatchOp.NOT_EQUAL:
            return self.value.__ne__
        found = compile_pattern(self._pattern).fullmatch
        return found if self.op is MatchOp.REGEX else lambda value: not found(value)

    @property
    def prefix(self) -> str:
        """Text with which every value begins that satisfies the matcher; empty where none is certain."""
        if self.op is MatchOp.EQUAL:
            return self.value
        return literal_prefix(self._pattern) if self.op is MatchOp.REGEX else ""

    @property
    def _pattern(self) -> str:
        # Unlike PromQL's, Alertmanager's "." does not match a line break.
        return f"(?-s:{translate(self.value)})"

    @property
    def is_regex(self) -> bool:
        """Whether its value is a regular expression."""
        return self.op in (MatchOp.REGEX, MatchOp.NOT_REGEX)

    @property
    def is_equal(self) -> bool:
        """Whether it wants a label to be like its value, and not to be unlike it."""
        return self.op in (MatchOp.EQUAL, MatchOp.REGEX)

    @property
    def order(self) -> tuple[str, str, int]:
        """What Alertmanager sorts matchers by."""
        return self.name, self.value, _ORDER[self.op]

    def __str__(self) -> str:
        return format_matcher(self)


def new_matcher(name: str, op: MatchOp, value: str) -> Matcher:
    """Return a matcher that is known to work.

    Raises: UserError: the name is empty, or the value is no regular expression where it has to be one.
    """
    if not name:
        raise UserError("a matcher has an empty label name; write the name before the operator")
    matcher = Matcher(name, op, value)
    if matcher.is_regex:
        try:
            matcher.matches("")
        except ValueError as error:
            raise UserError(f"{value!r} is no regular expression that can be used: {error}; correct it") from None
    return matcher


def matches(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether labels satisfy every matcher."""
    for matcher in matchers:  # noqa: SIM110 - all() takes twice as long, and this runs for every alert and route
        if not matcher.test(labels.get(matcher.name, "")):
            return False
    return True


def sorted_matchers(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Return matchers in Alertmanager's order: by name, value and kind."""
    return tuple(sorted(matchers, key=lambda matcher: matcher.order))


def format_matcher(matcher: Matcher) -> str:
    """Return a matcher as Alertmanager prints it: `team="shop"`; a name that is not plain is quoted."""
    if _RESERVED.search(matcher.name):
        return f"{quote(matcher.name)}{matcher.op.value}{quote(matcher.value)}"
    return f'{matcher.name}{matcher.op.value}"{escape_value(matcher.value)}"'


def format_matchers(matchers: Sequence[Matcher]) -> str:
    """Return matchers as Alertmanager prints them: `{severity="page",team="shop"}`."""
    return "{" + ",".join(map(format_matcher, matchers)) + "}"


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers that a text names, in its order; braces around them are optional.

    Raises: UserError: it is of neither notation.
    """
    if len(text) > MAX_TEXT:
        raise UserError(f"matchers are {len(text)} characters long; {MAX_TEXT} are allowed")
    try:
        return _parse_classic(text)
    except UserError as classic:
        try:
            return _parse_utf8(text)
        except UserError:
            raise classic from None


def parse_matcher(text: str) -> Matcher:
    """Return the one matcher that a text names, without braces.

    Raises: UserError: it is none, or several.
    """
    if text.startswith("{") or text.endswith("}"):
        raise UserError(f'{text!r} has a brace; write one matcher without braces, such as team="shop"')
    found = parse_matchers(text)
    if len(found) != 1:
        raise UserError(f'{text!r} is {len(found)} matchers; write one, such as team="shop"')
    return found[0]


def _parse_classic(text: str) -> tuple[Matcher, ...]:
    return tuple(map(_classic, _split(text.removeprefix("{").removesuffix("}"))))


def _split(text: str) -> list[str]:
    """Return the parts of a text between commas that are not in quotes; an empty last one is left out."""
    parts, start, is_quoted, is_escaped = [], 0, False, False
    for position, character in enumerate(text):
        if character == "," and not is_quoted:
            parts.append(text[start:position])
            start = position + 1
        elif character == '"' and not is_escaped:
            is_quoted = not is_quoted
        is_escaped = character == "\\" and not is_escaped
    return [*parts, text[start:]] if text[start:].strip() else parts


def _classic(text: str) -> Matcher:
    match = _CLASSIC.fullmatch(text)
    if match is None:
        raise UserError(f'{text.strip()!r} is no matcher; write a label, one of = != =~ !~, and a value: team="shop"')
    name, operator, value = match.groups()
    return new_matcher(name, MatchOp(operator), _classic_value(value))


def _classic_value(text: str) -> str:
    """Return what a value stands for; a backslash before anything but `n`, `"` and itself is a backslash."""
    is_quoted = text.startswith('"')
    inner = text[1:] if is_quoted else text
    if is_quoted and not re.fullmatch(r'(?:[^"\\]|\\.)*"', inner, re.DOTALL):
        raise UserError(f'the value {text} has a quote that is not closed, or one inside; write it as \\"')
    inner = inner[:-1] if is_quoted else inner
    if re.search(r'(?<!\\)(?:\\\\)*"', inner):
        raise UserError(f'the value {text} has a quote inside; write it as \\"')
    escapes = {"n": "\n", '"': '"', "\\": "\\"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[0]), inner, flags=re.DOTALL)


def _parse_utf8(text: str) -> tuple[Matcher, ...]:
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}") or inner == "{":
        raise UserError(f"{text!r} has a brace without its other half; close it or remove it")
    inner = inner[1:-1] if inner.startswith("{") else inner
    found, position = [], 0
    while inner[position:].strip():
        match = _UTF8.match(inner, position)
        end = match.end() if match else 0
        if match is None or (end < len(inner) and inner[end] != ","):
            raise UserError(f"{inner[position:]!r} is no matcher")
        found.append(new_matcher(_utf8_text(match[1]), MatchOp(match[2]), _utf8_text(match[3])))
        position = end + 1
    return tuple(found)


def _utf8_text(text: str) -> str:
    try:
        return unquote(text) if text.startswith('"') else text
    except ValueError as error:
        raise UserError(f"{error}; correct it") from None
