"""Searching and replacing by regular expressions, as Go does it, in bounded time whatever the pattern.

Python's re serves patterns with few choices on short texts. Others are run by a machine that follows all choices at
once and keeps, for each, where its groups began and ended: its time is the length of the text times that of the
pattern. Both prefer the same choice, so they find the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from typing import Any

from alerting.template.error import CallError
from metrics.pattern import MAX_STATES, character_test, count_choices, parse_pattern
from metrics.promql.regex import translate

_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_QUICK = 100_000
MAX_WORK = 200_000
"""So many combinations of a character and a place in the pattern are looked at for one text."""

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))", re.ASCII)

Spans = Sequence[int]
"""Begin and end of the match, then of each group; -1 where a group is not part of it."""


class Regex:
    """A pattern to search for. Threads may share it.

    Raises: CallError: the pattern is wrong, too large, or has what is not supported.
    """

    def __init__(self, pattern: str) -> None:
        try:
            plain = f"(?-s:{translate(pattern)})"
            tree = parse_pattern(plain)
            self._choices, self._is_nested = count_choices(tree)
            self._re = re.compile(plain)
            self._names = self._re.groupindex
            self._count = self._re.groups
            self._tree = tree
        except (ValueError, RecursionError) as error:
            raise CallError(f"pattern {pattern[:80]!r} cannot be used: {error}") from None

    def found_in(self, text: str) -> bool:
        """Return whether some part of a text matches."""
        return next(self._matches(text), None) is not None

    def replace(self, replacement: str, text: str) -> str:
        """Return a text with every match replaced; $1, ${1} and ${name} stand for groups, $$ for a dollar."""
        out: list[str] = []
        position = 0
        for spans in self._matches(text):
            out += (text[position : spans[0]], self._expand(replacement, text, spans))
            position = spans[1]
        return "".join((*out, text[position:]))

    def _expand(self, replacement: str, text: str, spans: Spans) -> str:
        def one(reference: re.Match[str]) -> str:
            if reference["dollar"]:
                return "$"
            name = reference["braced"] or reference["bare"]
            number = int(name[:9]) if name.isdigit() else self._names.get(name, -1)
            if not 0 <= number <= self._count or spans[2 * number] < 0:
                return ""
            return text[spans[2 * number] : spans[2 * number + 1]]

        return _REFERENCE.sub(one, replacement)

    def _matches(self, text: str) -> Iterator[Spans]:
        """Yield all matches, none of which overlaps with another; an empty one not right after the one before."""
        position, last_end = 0, -1
        search = self._search(text)
        while position <= len(text):
            spans = search(position)
            if spans is None:
                return
            if spans[1] > spans[0] or spans[0] != last_end:
                yield spans
            last_end = spans[1]
            position = spans[1] if spans[1] > spans[0] else spans[1] + 1

    def _search(self, text: str) -> Callable[[int], Spans | None]:
        """Return what finds the first match in a text from a position on."""
        # re's $ would also match before a line break at the end.
        is_plain = not self._is_nested and not text.endswith("\n")
        if is_plain and (len(text) + 1) ** (self._choices + 1) <= _QUICK:
            return lambda position: _spans(self._re.search(text, position))
        machine = self._machine
        work = _Work()
        return lambda position: machine.search(text, position, work)

    @cached_property
    def _machine(self) -> _Machine:
        try:
            return _Machine(self._tree, self._count)
        except ValueError as error:
            raise CallError(f"pattern {self._re.pattern[5:85]!r} cannot be used: {error}") from None


def _spans(match: re.Match[str] | None) -> Spans | None:
    return None if match is None else [place for group in match.regs for place in group]


@lru_cache(maxsize=200)
def regex(pattern: str) -> Regex:
    """Return a pattern, which may be known already.

    Raises: CallError: it cannot be used.
    """
    return Regex(pattern)


class _Work:
    """Counts what a machine does for one text."""

    def __init__(self) -> None:
        self._done = 0

    def add(self, count: int) -> None:
        """Note some work.

        Raises: CallError: that is too much.
        """
        self._done += count
        if self._done > MAX_WORK:
            raise CallError("the pattern takes too long on this text; make it simpler")


class _Machine:
    """A pattern as instructions: what a character must be, where to go on, what to note."""

    def __init__(self, tree: Any, groups: int) -> None:
        self._groups = groups
        self._program: list[tuple[str, Any, int]] = []
        end = self._add("match", None, 0)
        self._start = self._sequence(tree, self._add("save", 1, end), tree.state.flags)
        self._start = self._add("save", 0, self._start)

    def _add(self, kind: str, argument: Any, following: int) -> int:
        if len(self._program) >= MAX_STATES:
            raise ValueError("it is too large; write it with fewer repetitions")
        self._program.append((kind, argument, following))
        return len(self._program) - 1

    def _sequence(self, nodes: Any, following: int, flags: int) -> int:
        for code, argument in reversed(list(nodes)):
            following = self._node(code, argument, following, flags)
        return following

    def _node(self, code: Any, argument: Any, following: int, flags: int) -> int:
        if code in _REPEATS:
            return self._repeat(code, argument, following, flags)
        if code is sre.SUBPATTERN:
            group, added, removed, body = argument
            inner = (flags | added) & ~removed
            if group is None:
                return self._sequence(body, following, inner)
            end = self._add("save", 2 * group + 1, following)
            return self._add("save", 2 * group, self._sequence(body, end, inner))
        if code is sre.BRANCH:
            return self._add("choice", [self._sequence(part, following, flags) for part in argument[1]], 0)
        if code is sre.AT:
            return self._add("at", _anchor(argument, flags), following)
        return self._add("character", character_test(code, argument, flags), following)

    def _repeat(self, code: Any, argument: Any, following: int, flags: int) -> int:
        least, most, body = argument
        is_greedy = code is sre.MAX_REPEAT
        if most is sre.MAXREPEAT:
            loop = self._add("choice", [], 0)
            inside = self._sequence(body, loop, flags)
            self._program[loop][1].extend((inside, following) if is_greedy else (following, inside))
            start = loop
        else:
            start = following
            for _ in range(most - least):
                inside = self._sequence(body, start, flags)
                start = self._add("choice", [inside, following] if is_greedy else [following, inside], 0)
        for _ in range(least):
            start = self._sequence(body, start, flags)
        return start

    def search(self, text: str, position: int, work: _Work) -> Spans | None:
        """Return the first match at or after a position, as Perl would choose it.

        Raises: CallError: that takes too long.
        """
        empty = (-1,) * (2 * self._groups + 2)
        found: Spans | None = None
        threads: list[tuple[int, Spans]] = []
        for place in range(position, len(text) + 1):
            if not threads and found is not None:
                break
            seen: set[int] = set()
            now: list[tuple[int, Spans]] = []
            for state, spans in threads:
                self._follow(state, spans, text, place, seen, now)
            if found is None:
                self._follow(self._start, empty, text, place, seen, now)
            work.add(len(seen) + 1)
            threads = []
            for state, spans in now:
                kind, argument, following = self._program[state]
                if kind == "match":
                    found = spans
                    break  # what is left is preferred less
                if place < len(text) and argument(text[place]):
                    threads.append((following, spans))
        return found

    def _follow(
        self, state: int, spans: Spans, text: str, place: int, seen: set[int], now: list[tuple[int, Spans]]
    ) -> None:
        """Add the states in which a character is looked at, the preferred ones first."""
        waiting = [(state, spans)]
        while waiting:
            state, spans = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            kind, argument, following = self._program[state]
            if kind == "choice":
                waiting += [(one, spans) for one in reversed(argument)]
            elif kind == "save":
                waiting.append((following, (*spans[:argument], place, *spans[argument + 1 :])))
            elif kind == "at":
                if argument(text, place):
                    waiting.append((following, spans))
            else:
                now.append((state, spans))


def _anchor(kind: Any, flags: int) -> Any:
    lines = flags & re.MULTILINE
    if kind is sre.AT_BEGINNING_STRING or (kind is sre.AT_BEGINNING and not lines):
        return lambda _text, place: place == 0
    if kind is sre.AT_BEGINNING:
        return lambda text, place: place == 0 or text[place - 1] == "\n"
    if kind is sre.AT_END_STRING or (kind is sre.AT_END and not lines):
        return lambda text, place: place == len(text)
    if kind is sre.AT_END:
        return lambda text, place: place == len(text) or text[place] == "\n"
    wanted = kind is sre.AT_BOUNDARY
    return lambda text, place: (_is_word(text, place - 1) is not _is_word(text, place)) is wanted


def _is_word(text: str, place: int) -> bool:
    return 0 <= place < len(text) and (text[place].isalnum() or text[place] == "_")
