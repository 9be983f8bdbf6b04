"""A linear look at an expression before it is parsed: limits, brackets, strings, and what is likely wrong.

The parser that follows overflows the C stack on deep or long input and often says no more than "invalid"; this scan
keeps such input away from it and finds words for the common mistakes. It does not decide what is valid.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from metrics.promql.error import ExpressionError
from metrics.promql.reason import reword

MAX_LENGTH = 65_536
MAX_NESTING = 100
MAX_OPERATORS = 250
"""Operators make a tree as deep as a chain of them is long, for the parser and for everything after it."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+(?:ms|[smhdwy])(?![a-zA-Z]))+|(?:[0-9]+(?:ms|[smhdwy]))+(?![a-zA-Z_])
                   |(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<mark>==|!=|=~|!~|<=|>=|[-+*/%^<>=@,(){}\[\]])""",
    re.VERBOSE,
)
_LARGE_TIME = re.compile(r"0[xX]|[0-9_]{12}|.*[eE]", re.ASCII)
_CLOSES = {")": "(", "}": "{", "]": "["}
_SIGNS = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">="})
_WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})
_MODIFIERS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_KEYWORDS = _WORD_OPERATORS | _MODIFIERS | {"bool", "offset"}
AGGREGATORS = frozenset(
    [
        "sum",
        "avg",
        "min",
        "max",
        "count",
        "group",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "quantile",
        "count_values",
        "limitk",
        "limit_ratio",
    ]
)
_RENAMED = {"holt_winters": "double_exponential_smoothing"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `inside` is the innermost bracket that is open there, `lists_labels` tells that a bracket
    belongs to a modifier such as `by (…)`."""

    kind: str
    text: str
    position: int
    inside: str = ""
    lists_labels: bool = False

    @property
    def word(self) -> str:
        """The text in lower case where it is a word, else empty."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def is_operator(self) -> bool:
        """Whether it stands between two operands."""
        return self.inside not in ("{", "[") and (
            (self.kind == "mark" and self.text in _SIGNS) or self.word in _WORD_OPERATORS
        )

    @property
    def ends_operand(self) -> bool:
        """Whether an operator may follow it."""
        if self.kind == "word":
            return self.word not in _KEYWORDS
        return self.kind in ("number", "string") or (self.text in (")", "]", "}") and not self.lists_labels)


def scan(text: str, functions: Collection[str]) -> list[Token]:
    """Return the tokens of an expression that is safe to parse.

    Raises: ExpressionError: it is too long, too deep or has too many operators, a bracket or quote has no partner, a
        character means nothing in the language, or a function does not exist.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text)} characters; {MAX_LENGTH} are allowed")
    tokens = _tokens(text)
    if not tokens:
        raise ExpressionError("the expression is empty; write one, such as up == 0")
    operators = sum(token.is_operator for token in tokens)
    if operators > MAX_OPERATORS:
        raise ExpressionError(
            f"the expression has {operators} operators, {MAX_OPERATORS} are allowed; split it by recording rules"
        )
    _check_functions(text, tokens, functions)
    _check_times(text, tokens)
    return tokens


def explain(text: str, tokens: Sequence[Token], reason: str) -> ExpressionError:
    """Return the best explanation of why the parser refused a scanned expression, for which it gave `reason`."""
    for before, token in zip((None, *tokens), tokens, strict=False):
        found = _mistake(before, token)
        if found:
            return ExpressionError(found, text, token.position)
    last = tokens[-1]
    if last.is_operator or last.word in _KEYWORDS:
        return ExpressionError(f"nothing follows {last.text!r}; give it a right side", text, last.position)
    return ExpressionError(reword(reason))


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    stack: list[tuple[str, int, bool]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position] == ":" and stack and stack[-1][0] == "[":
                position += 1
                continue
            raise _strange(text, position)
        kind, piece = match.lastgroup or "", match.group()
        if kind == "word" and stack and stack[-1][0] == "[" and piece.startswith(":"):
            position += 1
            continue
        if kind != "space":
            tokens.append(_token(text, kind, piece, position, stack, tokens))
        position = match.end()
    if stack:
        bracket, start, _ = stack[-1]
        raise ExpressionError(f"{bracket!r} is never closed", text, start)
    return tokens


def _token(
    text: str, kind: str, piece: str, position: int, stack: list[tuple[str, int, bool]], before: list[Token]
) -> Token:
    lists_labels = False
    if kind == "mark" and piece in "({[":
        lists_labels = bool(before) and before[-1].word in _MODIFIERS and (not stack or stack[-1][0] == "(")
        stack.append((piece, position, lists_labels))
        if len(stack) > MAX_NESTING:
            raise ExpressionError(f"brackets are nested more than {MAX_NESTING} deep", text, position)
    elif kind == "mark" and piece in _CLOSES:
        if not stack or stack[-1][0] != _CLOSES[piece]:
            raise ExpressionError(f"{piece!r} closes nothing", text, position)
        lists_labels = stack.pop()[2]
    return Token(kind, piece, position, stack[-1][0] if stack else "", lists_labels)


def _strange(text: str, position: int) -> ExpressionError:
    character = text[position]
    if character in "\"'`":
        return ExpressionError(f"the text that begins with {character} is never closed", text, position)
    remedy = {"&": "; write 'and'", "|": "; write 'or'", "!": "; write != or !~, or 'unless'"}.get(character, "")
    return ExpressionError(f"{character!r} means nothing here{remedy}", text, position)


def _check_functions(text: str, tokens: Sequence[Token], functions: Collection[str]) -> None:
    before: Token | None = None
    for token, following in pairwise(tokens):
        name = token.word
        called = name and following.text == "(" and token.inside not in ("{", "[") and name not in _KEYWORDS
        names_time = before is not None and before.text == "@" and name in ("start", "end")
        names_labels = before is not None and before.word in _MODIFIERS
        before = token
        if not called or names_time or names_labels or name in AGGREGATORS or token.text in functions:
            continue
        near = difflib.get_close_matches(name, [*functions, *AGGREGATORS], n=1)
        suggestion = _RENAMED.get(name) or (near[0] if near else "")
        remedy = f"; did you mean {suggestion!r}?" if suggestion else ""
        raise ExpressionError(f"there is no function {token.text!r}{remedy}", text, token.position)


def _check_times(text: str, tokens: Sequence[Token]) -> None:
    """The parser fails badly on times after '@' that its date type cannot hold."""
    for token, following in pairwise(tokens):
        if token.text != "@" or token.inside == "{":
            continue
        if following.text == "-":
            raise ExpressionError("a time after '@' cannot be before 1970", text, following.position)
        if following.kind == "number" and _LARGE_TIME.match(following.text):
            raise ExpressionError("a time after '@' is in Unix seconds, up to 99999999999", text, following.position)


def _mistake(before: Token | None, token: Token) -> str:
    """Return what is wrong between two neighbours; empty where nothing is."""
    if token.inside == "{":
        return _bad_matcher(before, token)
    if before is not None and before.word in _MODIFIERS and not before.word.startswith("group_") and token.text != "(":
        return f"{before.text!r} needs labels in parentheses, such as {before.text} (job)"
    if token.word == "for" and before is not None and before.ends_operand:
        return "'for' is no part of an expression; it stands beside it in the rule"
    if token.inside == "[" or token.text in ("{", "[", "("):
        return _bad_duration(before, token) or _missing_operator(before, token)
    if token.text == "=":
        return "'=' compares nothing; write == to compare, or {label=\"value\"} to match"
    if token.text in ("=~", "!~"):
        return f'{token.text!r} belongs between braces: write {{label{token.text}"pattern"}}'
    no_operand = before is None or before.is_operator or before.text == "("
    if token.is_operator and token.text not in ("+", "-") and no_operand:
        return f"nothing stands before {token.text!r}; give it a left side"
    if token.text == ")" and before is not None and before.is_operator:
        return f"nothing follows {before.text!r}; give it a right side"
    return _bad_duration(before, token) or _missing_operator(before, token)


def _bad_matcher(before: Token | None, token: Token) -> str:
    after = "" if before is None else before.text
    if token.text == "==":
        return "a matcher has one '=': write label=\"value\""
    if after in ("=", "!=", "=~", "!~") and token.kind != "string":
        return f'the value of a matcher stands in quotes: write label{after}"value"'
    if before is not None and before.kind == "string" and token.kind in ("word", "string"):
        return "a comma is missing between two matchers"
    return ""


def _bad_duration(before: Token | None, token: Token) -> str:
    glued = before is not None and before.kind == "number" and before.position + len(before.text) == token.position
    if glued and token.kind == "word" and before is not None:
        return f"{before.text + token.text!r} is no duration; write a number and a unit, such as 30s, 5m, 1h30m or 7d"
    wants_duration = before is not None and before.word == "offset" and token.text != "-"
    if wants_duration and token.kind != "number":
        return "'offset' needs a duration, such as offset 5m"
    return ""


def _missing_operator(before: Token | None, token: Token) -> str:
    if before is None or not before.ends_operand or before.inside in ("{", "["):
        return ""
    starts = token.kind in ("number", "string") or (token.kind == "word" and token.word not in _KEYWORDS)
    opens = token.text in ("(", "{") and before.kind != "word"
    if starts or opens:
        return f"an operator is missing between {before.text!r} and {token.text!r}"
    return ""
