"""Patterns of matchers: the same answers as re, and none that takes long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.pattern import MAX_LENGTH, Automaton, compile_pattern, count_choices, literal_prefix, parse_pattern

CATASTROPHIC = [
    "(a+)+b",
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+b",
    "(.*a){20}b",
    "(a?){50}a{50}b",
    ".*.*.*.*.*.*.*.*.*.*b",
    "a?" * 30 + "a" * 30 + "b",
    "(?i)(a|A)+b",
    "(a|a)" * 30 + "b",
    "([a-zA-Z]+)*b",
]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_pattern_that_re_would_never_finish_takes_no_time(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    value = "a" * 200

    start = time.process_time()
    found = compiled.fullmatch(value)

    assert not found
    assert time.process_time() - start < 1


@pytest.mark.parametrize("pattern", ["node-[0-9]+", ".*a.*", "a|b|c.*", "(eu|us)-.*", "a{3}"])
def test_pattern_with_few_choices_is_left_to_re(pattern: str) -> None:
    assert isinstance(compile_pattern(pattern), re.Pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a" * (MAX_LENGTH + 1), "characters"),
        ("a{1001}", "more than 1000 times"),
        ("(a{100}){11}", "more than 1000 times"),
        ("((abcdefghijklmnopqrstuvwxyz)*b*){1000}", "too large"),
        ("(", "unterminated"),
        (r"(a\b)*b*c*d*", "not supported in a pattern with that many choices"),
        ("(" * 5000 + ")" * 5000, "nested too deep"),
    ],
)
def test_pattern_that_is_refused_says_why(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("^a*b*$", ["", "a", "aab"], ["ba"]),
        ("(?i)(ab|cd)*", ["ABcd", ""], ["abc"]),
        ("(?s:a.)*(?:b|c)*", ["a\n", "axb"], ["a"]),
        ("(?-s:a.)*", ["ab"], ["a\n"]),
        (r"(\d+|\W)*[^0-9a]*", ["12-3", "b"], ["1a"]),
        ("(?:a|^b)*", ["b", "ba", "aa"], ["ab"]),
        ("(?i)[^a]*[b-d]*x?", ["B", "zX"], ["A"]),
        ("(a{2,4}?b){1,2}", ["aab", "aaaabaab"], ["ab", "aabaabaab"]),
        ("(ä|ß)+é*", ["äßé"], ["ae"]),
    ],
)
def test_automaton_knows_the_syntax(pattern: str, matching: list[str], other: list[str]) -> None:
    automaton = Automaton(parse_pattern(pattern))

    for value in matching:
        assert automaton.fullmatch(value), value
        assert re.compile(pattern, re.DOTALL).fullmatch(value), value
    for value in other:
        assert not automaton.fullmatch(value), value
        assert not re.compile(pattern, re.DOTALL).fullmatch(value), value


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", "ab", "(?i:a)", "\\.", "^", "$", ""])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.builds(lambda x, times: f"(?:{x}){times}", inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?"])),
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(PATTERNS, st.lists(st.text("abAB1.\n", max_size=6), min_size=1, max_size=6))
def test_automaton_agrees_with_re(pattern: str, values: list[str]) -> None:
    compiled, automaton = re.compile(pattern, re.DOTALL), Automaton(parse_pattern(pattern))

    for value in values:
        # Before a line break at the end, '$' is the end for re, but not for RE2; a whole match cannot tell.
        if "$" in pattern and "\n" in value:
            continue
        assert automaton.fullmatch(value) == (compiled.fullmatch(value) is not None), value


def test_many_combinations_of_states_are_forgotten_again() -> None:
    automaton = Automaton(parse_pattern("(a|b)*a(a|b){12}"))

    for number in range(6000):
        value = format(number, "016b").replace("0", "a").replace("1", "b")
        assert automaton.fullmatch(value) == (value[-13] == "a")


def test_choices_are_counted() -> None:
    assert count_choices(parse_pattern("a*b?(cd|e)")) == (3, False)
    assert count_choices(parse_pattern("(a*)*"))[1]
    assert count_choices(parse_pattern("(ab|c){2}"))[1]
    assert not count_choices(parse_pattern("(a*)?"))[1]


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("web-1.*", "web-1"),
        ("^web$", "web"),
        ("(?:web)-(1|2)", "web-"),
        ("web-1|web-2", "web-"),
        ("(?i:web)", ""),
        ("(?i)web", ""),
        ("ab?", "a"),
        ("a|b", ""),
        ("", ""),
        ("[a]b", "ab"),
    ],
)
def test_what_every_match_begins_with_is_found(pattern: str, prefix: str) -> None:
    assert literal_prefix(pattern) == prefix


@given(PATTERNS, st.lists(st.text("abAB1.\n", max_size=6), min_size=1, max_size=6))
def test_every_match_begins_with_what_was_found(pattern: str, values: list[str]) -> None:
    prefix, compiled = literal_prefix(pattern), re.compile(pattern, re.DOTALL)

    assert all(value.startswith(prefix) for value in values if compiled.fullmatch(value))
