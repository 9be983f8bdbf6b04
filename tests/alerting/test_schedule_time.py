"""Moments as people write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.schedule_time import parse_moment
from core.errors import UserError

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_767_571_200.0  # 2026-01-05 00:00 UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("+8h", NOW + 8 * 3600),
        ("2026-01-05 09:00", NOW + 8 * 3600),
        ("2026-01-05T09:00:00Z", NOW + 9 * 3600),
        ("2026-01-05T09:00:00+02:00", NOW + 7 * 3600),
        ("2026-01-05", NOW - 3600),
        ("1767571200", NOW),
    ],
)
def test_a_moment_can_be_written_in_many_ways(text: str, moment: float) -> None:
    assert parse_moment(text, BERLIN, NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "+", "+8", "nan", "inf", "-5", "9e99", "0001-01-01", "9999-12-31 23:59"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_moment(text, BERLIN, NOW)


@given(st.text(max_size=20))
def test_no_text_is_a_surprise(text: str) -> None:
    try:
        assert parse_moment(text, BERLIN, NOW) >= 0
    except UserError as error:
        assert "; " in str(error)
