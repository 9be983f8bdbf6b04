"""Moments and local times over changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.local_time import local_time, moment_of

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
    "America/St_Johns", "Africa/Casablanca",
]  # fmt: skip
BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("local", "moment"),
    [
        ("2026-01-15 09:00", "2026-01-15 08:00"),
        ("2026-07-15 09:00", "2026-07-15 07:00"),
        ("2026-03-29 01:59", "2026-03-29 00:59"),
        ("2026-03-29 02:00", "2026-03-29 01:00"),  # skipped: the moment at which it is skipped
        ("2026-03-29 02:59", "2026-03-29 01:00"),
        ("2026-03-29 03:00", "2026-03-29 01:00"),
        ("2026-10-25 02:30", "2026-10-25 00:30"),  # comes twice: its first coming
        ("2026-10-25 03:00", "2026-10-25 02:00"),
    ],
)
def test_a_local_time_is_a_moment_also_where_the_clocks_jump(local: str, moment: str) -> None:
    assert moment_of(datetime.fromisoformat(local), BERLIN) == utc(moment)


def test_a_whole_day_that_a_place_skipped_is_one_moment() -> None:
    apia = ZoneInfo("Pacific/Apia")  # had no 30 December 2011
    skipped = {moment_of(datetime.fromisoformat(f"2011-12-30 {hour}:00"), apia) for hour in ("00", "12", "23")}
    assert skipped == {moment_of(datetime.fromisoformat("2011-12-31"), apia)}


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2037-01-01")),
    st.integers(0, 3 * 86_400),
)
def test_a_later_local_time_is_never_an_earlier_moment(zone: str, local: datetime, seconds: int) -> None:
    place, earlier = ZoneInfo(zone), local.replace(microsecond=0)
    first, second = moment_of(earlier, place), moment_of(earlier + timedelta(seconds=seconds), place)
    assert first <= second
    assert local_time(first, place) >= earlier


@given(st.sampled_from(ZONES), st.integers(946_684_800, 2_114_380_800))
def test_a_moment_is_its_local_time_or_the_second_coming_of_it(zone: str, moment: int) -> None:
    place = ZoneInfo(zone)
    back = moment_of(local_time(moment, place), place)
    assert back <= moment
    assert local_time(back, place) == local_time(moment, place)
