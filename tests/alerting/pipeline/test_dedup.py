from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.pipeline.dedup import News, Sent, news

REPEAT = 3600.0
A, B = frozenset("a"), frozenset("b")
NONE: frozenset[str] = frozenset()

CASES: dict[str, tuple[Sent | None, frozenset[str], frozenset[str], bool, float, News | None]] = {
    "the first alert": (None, A, NONE, True, 0, "first"),
    "only ends of what was never told": (None, NONE, A, True, 0, None),
    "another alert": (Sent(A, NONE, 0), A | B, NONE, True, 1, "changed"),
    "nothing new": (Sent(A | B, NONE, 0), A, NONE, True, 1, None),
    "one has ended": (Sent(A | B, NONE, 0), A, B, True, 1, "changed"),
    "one has ended, but ends are not wanted": (Sent(A | B, NONE, 0), A, B, False, 1, None),
    "its end was told": (Sent(A, B, 0), A, B, True, 1, None),
    "all have ended": (Sent(A, NONE, 0), NONE, A, True, 1, "changed"),
    "all have ended where ends are not wanted": (Sent(A, NONE, 0), NONE, A, False, 1, "changed"),
    "all ended, and that was told": (Sent(NONE, A, 0), NONE, A, True, 1, None),
    "fires again after its end was told": (Sent(NONE, A, 0), A, NONE, True, 1, "changed"),
    "not yet time to repeat": (Sent(A, NONE, 0), A, NONE, True, REPEAT, None),
    "time to repeat": (Sent(A, NONE, 0), A, NONE, True, REPEAT + 0.001, "repeat"),
    "no repeating of ends": (Sent(NONE, A, 0), NONE, A, True, 2 * REPEAT, None),
    "refused just now": (Sent(A, NONE, 0, refusals=1), A, NONE, True, 59, None),
    "refused a minute ago": (Sent(A, NONE, 0, refusals=1), A, NONE, True, 60, "first"),
    "refused three times": (Sent(A, NONE, 0, refusals=3), A, NONE, True, 239, None),
    "refused, and news": (Sent(A, NONE, 0, refusals=3), A | B, NONE, True, 1, "changed"),
    "refused for ever": (Sent(A, NONE, 0, refusals=5000), A, NONE, True, REPEAT, "first"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_receiver_is_told_of(case: str) -> None:
    sent, firing, resolved, send_resolved, now, expected = CASES[case]
    found = news(sent, firing, resolved, send_resolved=send_resolved, repeat_interval=REPEAT, now=now)
    assert found == expected


IDENTITIES = st.frozensets(st.sampled_from("abcd"))


@given(st.lists(st.tuples(IDENTITIES, IDENTITIES), max_size=20), st.booleans())
def test_every_alert_that_fires_at_a_look_is_told_and_every_end_of_a_told_one_is_seen(
    looks: list[tuple[frozenset[str], frozenset[str]]], send_resolved: bool
) -> None:
    sent: Sent | None = None
    for at, (firing, others) in enumerate(looks):
        resolved = others - firing
        why = news(sent, firing, resolved, send_resolved=send_resolved, repeat_interval=REPEAT, now=at)
        if why is not None:
            sent = Sent(firing, resolved, at)
        told = sent.firing if sent is not None else frozenset()
        assert firing <= told
        if send_resolved:
            assert not resolved & told
        if not firing:
            assert not told


def test_what_left_the_group_untold_is_news_when_it_comes_back() -> None:
    sent = Sent(A | B, NONE, 0).without({"b"})
    assert sent.firing == A
    assert sent.without({"x"}) is sent
