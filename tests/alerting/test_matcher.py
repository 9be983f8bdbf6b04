"""Matchers: what both notations say, how they are printed, what is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.go_text import quote, unquote
from alerting.matcher import (
    Matcher,
    format_matcher,
    format_matchers,
    matches,
    new_matcher,
    parse_matcher,
    parse_matchers,
    sorted_matchers,
)
from core.errors import UserError
from metrics.storage import MatchOp


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{foo = "bar", dings != "bums", }', '{foo="bar",dings!="bums"}'),
        ("foo=bar,dings!=bums", '{foo="bar",dings!="bums"}'),
        ("foo=bar, dings!=bums", '{foo="bar",dings!="bums"}'),
        ('statuscode=~"5.."', '{statuscode=~"5.."}'),
        ('tricky=~"[a,b]{1}"', '{tricky=~"[a,b]{1}"}'),
        ("a!~b|c", '{a!~"b|c"}'),
        ("foo=", '{foo=""}'),
        ('foo=""', '{foo=""}'),
        ("{}", "{}"),
        ("", "{}"),
        ("{foo=bar", '{foo="bar"}'),
        ("foo==bar", '{foo="=bar"}'),
        (r'foo="a\nb\"c\\d\e"', r'{foo="a\nb\"c\\d\\e"}'),
        ("foo=a\\", r'{foo="a\\"}'),
        ("a:b_1=x y", '{a:b_1="x y"}'),
        # Only the UTF-8 notation can read these.
        ('{"my label"="x"}', '{"my label"="x"}'),
        ("ü=x", '{ü="x"}'),
        ('"a\\u00e9"=~"\\x41+"', '{aé=~"A+"}'),
        (' { "a"="b" , c!=d , } ', '{a="b",c!="d"}'),
        ('"a,b"="}"', '{"a,b"="}"}'),
    ],
)
def test_a_text_is_read_in_either_notation(text: str, shown: str) -> None:
    assert format_matchers(parse_matchers(text)) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("foo", "'foo' is no matcher"),
        ("=x", "is no matcher"),
        ("foo=a,,bar=b", "is no matcher"),
        ('foo="a', "not closed"),
        ('foo=a"b', "has a quote inside"),
        ('foo="a"b"', "has a quote"),
        ("foo=~[", "no regular expression"),
        ('foo=~"a{2000}"', "no regular expression"),
        ('""=a', "no matcher"),
        ('"a\\q"=b', "no matcher"),
        ("a=b" * 20_000, "32768 are allowed"),
    ],
)
def test_a_text_that_is_no_matcher_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_matchers(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["{a=b}", "a=b,c=d", "", "a=b}"])
def test_one_matcher_is_asked_for_and_not_none_or_several(text: str) -> None:
    with pytest.raises(UserError):
        parse_matcher(text)
    assert parse_matcher("a=b") == Matcher("a", MatchOp.EQUAL, "b")


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a=b", "b", True),
        ("a=b", "", False),
        ("a=", "", True),
        ("a!=b", "", True),
        ("a!=b", "b", False),
        ("a=~b.*", "bc", True),
        ("a=~b", "abc", False),
        ("a=~", "", True),
        ("a=~.*", "", True),
        ("a=~.+", "x\ny", False),
        ("a=~(?s).+", "x\ny", True),
        ("a!~b|c", "d", True),
        ("a!~b|c", "c", False),
        ("a=~(?i)shop", "SHOP", True),
        ("a=~^shop$", "shop", True),
    ],
)
def test_a_matcher_compares_the_whole_value_and_an_absent_label_is_empty(text: str, value: str, expected: bool) -> None:
    labels = {"a": value} if value else {}
    assert matches(parse_matchers(text), labels) is expected


def test_a_pattern_that_would_take_for_ever_elsewhere_is_quick() -> None:
    matcher = new_matcher("a", MatchOp.REGEX, "(a*)*b")
    start = time.perf_counter()
    assert not matcher.matches("a" * 5_000)
    assert time.perf_counter() - start < 1.0


def test_matchers_are_sorted_by_name_value_and_kind() -> None:
    found = sorted_matchers(parse_matchers("b=x,a=~y,a!=x,a=x,a=y"))
    assert format_matchers(found) == '{a="x",a!="x",a="y",a=~"y",b="x"}'


NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True)
OPS = st.sampled_from([MatchOp.EQUAL, MatchOp.NOT_EQUAL])
MATCHERS = st.builds(Matcher, NAMES, OPS, st.text(max_size=8))


@given(st.lists(MATCHERS, max_size=4))
def test_what_is_printed_is_read_back(matchers: list[Matcher]) -> None:
    assert list(parse_matchers(format_matchers(matchers))) == matchers


@given(st.builds(Matcher, st.text("aé \"'\\=,{}", min_size=1, max_size=4), OPS, st.text(max_size=8)))
def test_what_is_printed_of_a_name_that_is_not_plain_is_read_back(matcher: Matcher) -> None:
    assert parse_matchers(format_matcher(matcher)) == (matcher,)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        for matcher in parse_matchers(text):
            matcher.matches("x")
    except UserError as error:
        assert str(error)


@given(st.text())
def test_quoted_text_is_read_back(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize("text", ['a"', '"', "'a'", r'"\400"', r'"\ud800"', r'"\U00110000"', '"\n"', r'"\xff"', r'"\"'])
def test_text_that_go_would_not_unquote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unquote(text)


def test_text_is_quoted_as_go_quotes_it() -> None:
    assert quote('a"\\\n\x00\x7f\u200bé\U000e0001') == r'"a\"\\\n\x00\x7f\u200bé\U000e0001"'
    assert unquote(r'"\101\x41\u0041\U00000041\xc3\xa9"') == "AAAAé"
