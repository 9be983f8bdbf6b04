"""Silences: their states, what is refused, and what a change comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.matcher import Matcher, parse_matchers
from alerting.silence import Silence, SilenceState, decide, ended, validate
from core.errors import UserError
from metrics.storage import MatchOp

NOW = 1_700_000_000.0


def silence(
    matchers: str = 'team="shop"',
    *,
    id_: str = "",
    start: float = NOW,
    end: float = NOW + 3600,
    created_by: str = "ana",
    comment: str = "maintenance",
) -> Silence:
    return Silence(id_, parse_matchers(matchers), start, end, created_by=created_by, comment=comment)


def test_a_silence_is_pending_then_active_then_expired() -> None:
    one = silence()
    states = [one.state(NOW + seconds) for seconds in (-1, 0, 3599, 3600)]
    assert states == [SilenceState.PENDING, SilenceState.ACTIVE, SilenceState.ACTIVE, SilenceState.EXPIRED]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (silence("{}"), "at least one matcher required"),
        (silence('team=""'), "must not match the empty string"),
        (silence('team=~".*",job=""'), "must not match the empty string"),
        (silence(comment=" "), "has no comment; say why"),
        (silence(created_by=""), "has no author; say who"),
        (silence(comment="x" * 10_001), "10001 characters"),
        (silence(end=NOW), "start time must be before end time"),
        (silence(start=NOW - 7200, end=NOW - 3600), "end time can't be in the past"),
        (replace(silence(), matchers=(Matcher("a", MatchOp.REGEX, "["),)), "no regular expression"),
        (replace(silence(), matchers=(Matcher("", MatchOp.EQUAL, "x"),)), "empty label name"),
        (replace(silence(), matchers=silence().matchers * 101), "101 matchers"),
    ],
)
def test_a_silence_that_cannot_be_kept_is_refused_with_the_reason(wrong: Silence, words: str) -> None:
    with pytest.raises(UserError, match=words):
        validate(wrong, NOW)


@pytest.mark.parametrize("matchers", ['team!="shop"', 'team!~"a.*"', 'a="",b="x"'])
def test_a_silence_may_have_matchers_that_an_absent_label_satisfies(matchers: str) -> None:
    validate(silence(matchers), NOW)


def test_a_new_silence_starts_now_at_the_earliest() -> None:
    change = decide(None, silence(start=NOW - 600), NOW, "new")
    assert (change.saved.id, change.saved.starts_at, change.saved.updated_at) == ("new", NOW, NOW)
    assert change.is_new
    assert decide(None, silence(start=0.0), NOW, "new").saved.starts_at == NOW


@pytest.mark.parametrize(
    ("previous", "wanted"),
    [
        (silence(id_="a", start=NOW - 60), silence(id_="a", start=NOW - 60, end=NOW + 9000, comment="longer")),
        (silence(id_="a", start=NOW - 60), silence(id_="a", start=NOW - 59.5)),
        (silence(id_="a", start=NOW + 60), silence(id_="a", start=NOW + 120)),
        (silence('a="b",c="d"', id_="a", start=NOW - 60), silence('c="d",a="b"', id_="a", start=NOW - 60)),
    ],
)
def test_a_change_that_leaves_the_past_alone_keeps_the_id(previous: Silence, wanted: Silence) -> None:
    change = decide(previous, wanted, NOW, "new")
    assert (change.saved.id, change.is_new, change.ended) == ("a", False, None)
    assert change.saved.ends_at == wanted.ends_at


@pytest.mark.parametrize(
    ("previous", "wanted"),
    [
        (silence(id_="a", start=NOW - 60), silence('team="cart"', id_="a", start=NOW - 60)),
        (silence(id_="a", start=NOW - 60), silence(id_="a", start=NOW - 30)),
        (silence(id_="a", start=NOW + 60), silence(id_="a", start=NOW - 30)),
    ],
)
def test_a_change_of_the_past_ends_the_silence_and_makes_another(previous: Silence, wanted: Silence) -> None:
    change = decide(previous, wanted, NOW, "new")
    assert (change.saved.id, change.is_new) == ("new", True)
    assert change.ended is not None
    assert (change.ended.id, change.ended.state(NOW)) == ("a", SilenceState.EXPIRED)


def test_a_silence_that_is_over_is_made_again_under_another_id() -> None:
    change = decide(silence(id_="a", start=NOW - 60, end=NOW - 30), silence(id_="a"), NOW, "new")
    assert (change.saved.id, change.ended) == ("new", None)


@given(start=st.floats(-1e4, 1e4), length=st.floats(0.001, 1e4))
def test_an_ended_silence_is_expired_and_lasted_no_longer_than_planned(start: float, length: float) -> None:
    before = silence(id_="a", start=NOW + start, end=NOW + start + length)
    after = ended(before, NOW)
    assert after.state(NOW) is SilenceState.EXPIRED
    assert after.starts_at <= after.ends_at <= max(before.ends_at, NOW)
    assert ended(after, NOW + 1) == after
