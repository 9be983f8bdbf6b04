"""Regular expressions of matchers: as quick as Python's where that is safe, and never worse than linear.

Python's re tries one choice after the other and can take exponential time; RE2, whose syntax matchers have, cannot. So
patterns with few choices, none inside another, are left to re, and the others are run by an automaton that follows all
choices at once: each character of a value is looked at once. Patterns are already in Python's syntax here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any, Protocol

MAX_LENGTH = 32_768
"""So many characters a pattern may have; expressions may have twice as many."""

MAX_REPEAT = 1000
"""The greatest n in {n} and {m,n}, as in RE2."""

MAX_STATES = 20_000
"""So large an automaton may be, once {n} is written out."""

SAFE_CHOICES = 3
"""With n choices, re takes at most about the length of the value to the power of n."""

_REMEMBERED = 2_000
"""So many combinations of states are remembered."""

_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)


class Pattern(Protocol):
    """A compiled pattern."""

    def fullmatch(self, value: str) -> object:
        """Return something true where the whole value matches."""


def compile_pattern(pattern: str) -> Pattern:
    """Return a pattern that takes at most linear or, with few choices, about cubic time.

    Raises: ValueError: with the reason; the pattern is wrong, or too large.
    """
    tree = parse_pattern(pattern)
    choices, nested = count_choices(tree)
    if choices <= SAFE_CHOICES and not nested:
        return re.compile(pattern, re.DOTALL)
    return Automaton(tree)


def parse_pattern(pattern: str) -> Any:
    """Return the tree of a pattern.

    Raises: ValueError: with the reason.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"it has {len(pattern)} characters; {MAX_LENGTH} are allowed")
    try:
        tree = sre_parser.parse(pattern, re.DOTALL)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except (re.error, OverflowError) as error:
        raise ValueError(str(error)) from None
    _check_repeats(tree, 1)
    return tree


def count_choices(tree: Any) -> tuple[int, bool]:
    """Return how many places of a pattern leave a choice, and whether one stands inside a repetition."""
    found = list(_choices(tree, inside=False))
    return len(found), any(found)


def literal_prefix(pattern: str) -> str:
    """Return text with which every value begins that a pattern matches as a whole; empty where none is certain.

    Raises: ValueError: the pattern is wrong.
    """
    tree = parse_pattern(pattern)
    return "" if tree.state.flags & re.IGNORECASE else _literal(tree)[0]


def _literal(tree: Any) -> tuple[str, bool]:
    """Return the literal text at the start of a tree, and whether the tree is nothing else."""
    text = ""
    for code, argument in tree:
        if code is sre.LITERAL:
            text += chr(argument)
        elif code is sre.SUBPATTERN and not argument[1] & re.IGNORECASE:
            inner, is_all = _literal(argument[3])
            text += inner
            if not is_all:
                return text, False
        elif code is not sre.AT:
            return text, False
    return text, True


def _choices(tree: Any, *, inside: bool) -> Iterator[bool]:
    for code, argument in tree:
        if code in _REPEATS:
            least, most, body = argument
            if least != most:
                yield inside
            yield from _choices(body, inside=inside or most > 1)
        else:
            if code is sre.BRANCH:
                yield inside
            for part in _parts(code, argument):
                yield from _choices(part, inside=inside)


def _parts(code: Any, argument: Any) -> Iterable[Any]:
    if code is sre.BRANCH:
        return tuple(argument[1])
    if code is sre.SUBPATTERN:
        return (argument[3],)
    return ()


def _check_repeats(tree: Any, times: int) -> None:
    for code, argument in tree:
        if code in _REPEATS:
            least, most, body = argument
            count = max(least, 0 if most is sre.MAXREPEAT else most)
            if count * times > MAX_REPEAT:
                raise ValueError(f"it repeats something more than {MAX_REPEAT} times")
            _check_repeats(body, times * max(count, 1))
        for part in _parts(code, argument):
            _check_repeats(part, times)


_Test = Callable[[str], bool]


@dataclass(slots=True)
class _Place:
    """A state of the automaton: where a character leads, or where one gets without any."""

    test: _Test | None = None
    target: int = 0
    free: list[int] = field(default_factory=list)
    at_start: list[int] = field(default_factory=list)
    at_end: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Combination:
    """All states that the text so far may lead to. `following` fills up as characters are met."""

    places: frozenset[int]
    accepts: bool
    following: dict[str, _Combination] = field(default_factory=dict)


class Automaton:
    """Follows all choices of a pattern at once. Threads may share it.

    Raises: ValueError: the pattern is too large, or has what an automaton does not know.
    """

    def __init__(self, tree: Any) -> None:
        self._places: list[_Place] = []
        self._end = self._new()
        start = self._sequence(list(tree), self._end, tree.state.flags)
        self._combinations: dict[frozenset[int], _Combination] = {}
        self._start = self._combination(self._closed([start], at_start=True), at_start=True)

    def fullmatch(self, value: str) -> bool:
        """Return whether the whole value matches."""
        here = self._start
        for character in value:
            following = here.following.get(character)
            if following is None:
                following = here.following[character] = self._step(here, character)
            here = following
            if not here.places:
                return False
        return here.accepts

    def _step(self, here: _Combination, character: str) -> _Combination:
        targets = []
        for number in here.places:
            place = self._places[number]
            if place.test is not None and place.test(character):
                targets.append(place.target)
        return self._combination(self._closed(targets))

    def _combination(self, places: frozenset[int], *, at_start: bool = False) -> _Combination:
        known = None if at_start else self._combinations.get(places)
        if known is None:
            accepts = self._end in self._closed(places, at_start=at_start, at_end=True)
            known = _Combination(places, accepts)
            if len(self._combinations) >= _REMEMBERED:
                self._combinations = {}
                self._start.following = {}
            if not at_start:
                self._combinations[places] = known
        return known

    def _closed(self, places: Iterable[int], *, at_start: bool = False, at_end: bool = False) -> frozenset[int]:
        """Return the states that one gets to from some without a character."""
        found: set[int] = set()
        waiting = list(places)
        while waiting:
            number = waiting.pop()
            if number in found:
                continue
            found.add(number)
            place = self._places[number]
            waiting += place.free
            waiting += place.at_start if at_start else ()
            waiting += place.at_end if at_end else ()
        return frozenset(found)

    def _new(self) -> int:
        if len(self._places) >= MAX_STATES:
            raise ValueError("it is too large; write it with fewer repetitions")
        self._places.append(_Place())
        return len(self._places) - 1

    def _sequence(self, nodes: Any, end: int, flags: int) -> int:
        """Add what matches nodes one after the other and then goes on at `end`; return where it begins."""
        for code, argument in reversed(list(nodes)):
            end = self._node(code, argument, end, flags)
        return end

    def _node(self, code: Any, argument: Any, end: int, flags: int) -> int:
        if code in _REPEATS:
            least, most, body = argument
            return self._repeat(least, most, body, end, flags)
        if code is sre.SUBPATTERN:
            _, added, removed, body = argument
            return self._sequence(body, end, (flags | added) & ~removed)
        start = self._new()
        place = self._places[start]
        if code is sre.BRANCH:
            place.free = [self._sequence(part, end, flags) for part in argument[1]]
        elif code is sre.AT:
            self._anchor(place, argument, end, flags)
        else:
            place.test, place.target = character_test(code, argument, flags), end
        return start

    def _anchor(self, place: _Place, kind: Any, end: int, flags: int) -> None:
        if kind is sre.AT_BEGINNING_STRING or (kind is sre.AT_BEGINNING and not flags & re.MULTILINE):
            place.at_start = [end]
        elif kind is sre.AT_END_STRING or (kind is sre.AT_END and not flags & re.MULTILINE):
            place.at_end = [end]
        else:
            raise ValueError("\\b, \\B and the flag m are not supported in a pattern with that many choices")

    def _repeat(self, least: int, most: Any, body: Any, end: int, flags: int) -> int:
        if most is sre.MAXREPEAT:
            loop = self._new()
            self._places[loop].free = [self._sequence(body, loop, flags), end]
            end = loop
        else:
            last = end
            for _ in range(most - least):
                option = self._new()
                self._places[option].free = [self._sequence(body, end, flags), last]
                end = option
        for _ in range(least):
            end = self._sequence(body, end, flags)
        return end


def character_test(code: Any, argument: Any, flags: int) -> _Test:
    """Return what tells whether a character may stand in a place."""
    if code is sre.ANY:
        return (lambda _character: True) if flags & re.DOTALL else (lambda character: character != "\n")
    if code in (sre.LITERAL, sre.NOT_LITERAL):
        items, negated = [(sre.LITERAL, argument)], code is sre.NOT_LITERAL
    elif code is sre.IN:
        negated = argument[0][0] is sre.NEGATE
        items = argument[1:] if negated else argument
    else:
        raise ValueError(f"{str(code).lower()} is not supported")
    belongs = [_belongs(*item) for item in items]
    cases = (lambda c: {c, c.lower(), c.upper()}) if flags & re.IGNORECASE else (lambda c: (c,))
    return lambda character: any(test(case) for case in cases(character) for test in belongs) is not negated


def _belongs(code: Any, argument: Any) -> _Test:
    if code is sre.LITERAL:
        literal = chr(argument)
        return lambda character: character == literal
    if code is sre.RANGE:
        low, high = chr(argument[0]), chr(argument[1])
        return lambda character: low <= character <= high
    name = str(argument).removeprefix("CATEGORY_")
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.removeprefix("NOT_")]
    pattern = re.compile("\\" + (letter.upper() if name.startswith("NOT_") else letter))
    return lambda character: pattern.match(character) is not None
