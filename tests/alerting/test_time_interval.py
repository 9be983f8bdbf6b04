"""Times at which routes are mute or active."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting import time_interval
from alerting.routing_config import TimePartSection
from alerting.time_interval import TimeInterval, muting_intervals


def part(**keys: Any) -> TimeInterval:
    return TimePartSection.model_validate(keys).interval


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


OFFICE = {"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:00"}]}


@pytest.mark.parametrize(
    ("keys", "moment", "expected"),
    [
        ({}, "2030-01-01T00:00:00Z", True),
        (OFFICE, "2030-01-04T09:00:00Z", True),
        (OFFICE, "2030-01-04T16:59:59Z", True),
        (OFFICE, "2030-01-04T17:00:00Z", False),
        (OFFICE, "2030-01-05T12:00:00Z", False),
        ({"weekdays": ["saturday", "Sunday"]}, "2030-01-06T23:59:59Z", True),
        ({"times": [{"start_time": "22:00", "end_time": "24:00"}]}, "2030-01-06T23:59:59Z", True),
        ({"days_of_month": ["-1"]}, "2030-02-28T12:00:00Z", True),
        ({"days_of_month": ["-1"]}, "2028-02-28T12:00:00Z", False),
        ({"days_of_month": ["-1"]}, "2028-02-29T12:00:00Z", True),
        ({"days_of_month": [-3]}, "2030-01-29T12:00:00Z", True),
        ({"days_of_month": ["-3:-1"]}, "2030-01-28T12:00:00Z", False),
        ({"days_of_month": ["1:5", "31"]}, "2030-01-31T12:00:00Z", True),
        ({"days_of_month": ["31"]}, "2030-02-28T12:00:00Z", False),
        ({"days_of_month": ["-31:3"]}, None, False),
        ({"days_of_month": ["20:-1"]}, "2030-02-20T12:00:00Z", True),
        ({"months": ["january:march", "may", 7]}, "2030-07-01T12:00:00Z", True),
        ({"months": ["january:march"]}, "2030-04-01T00:00:00Z", False),
        ({"years": ["2030:2031", 2033]}, "2033-01-01T00:00:00Z", True),
        ({"years": [2030]}, "2031-01-01T00:00:00Z", False),
        ({"times": []}, "2030-01-01T00:00:00Z", False),
        ({**OFFICE, "location": "Australia/Sydney"}, "2030-01-06T22:30:00Z", True),
        ({**OFFICE, "location": "Australia/Sydney"}, "2030-01-04T09:00:00Z", False),
        # The clocks of Berlin go forward at 01:00 UTC on 2030-03-31, and back at 01:00 UTC on 2030-10-27.
        ({"times": [{"start_time": "02:00", "end_time": "03:00"}], "location": "Europe/Berlin"},
         "2030-03-31T01:30:00Z", False),
        ({"times": [{"start_time": "02:00", "end_time": "03:00"}], "location": "Europe/Berlin"},
         "2030-10-27T01:30:00Z", True),
        ({"times": [{"start_time": "02:00", "end_time": "03:00"}], "location": "Europe/Berlin"},
         "2030-10-27T00:30:00Z", True),
        ({"days_of_month": ["-1"], "location": "Europe/Berlin"}, "2030-03-31T12:00:00Z", True),
        ({**OFFICE}, "2030-01-04T18:00:00+09:00", True),
    ],
)  # fmt: skip
def test_a_moment_is_in_an_interval_or_not(keys: dict[str, Any], moment: str | None, expected: bool) -> None:
    if moment is None:
        with pytest.raises(ValueError, match="use one kind"):
            part(**keys)
    else:
        assert part(**keys).contains(at(moment)) is expected


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (time_interval.parse_time, "9:00", "no time of day"),
        (time_interval.parse_time, "24:01", "no time of day"),
        (time_interval.parse_time, "23:60", "no time of day"),
        (time_interval.parse_weekdays, "mon", "no day of the week"),
        (time_interval.parse_weekdays, "friday:monday", "ends before it starts"),
        (time_interval.parse_weekdays, "a:b:c", "no range"),
        (time_interval.parse_days_of_month, "0", "no day of the month"),
        (time_interval.parse_days_of_month, "32", "no day of the month"),
        (time_interval.parse_days_of_month, "x", "no day of the month"),
        (time_interval.parse_days_of_month, "10:5", "swap"),
        (time_interval.parse_days_of_month, "-1:-3", "swap"),
        (time_interval.parse_months, "13", "no month"),
        (time_interval.parse_months, "mai", "no month"),
        (time_interval.parse_months, "may:april", "ends before it starts"),
        (time_interval.parse_years, "2031:2030", "swap"),
        (time_interval.parse_years, "soon", "no year"),
        (time_interval.parse_location, "Mars/Phobos", "no time zone"),
        (time_interval.parse_location, "../etc/passwd", "no time zone"),
    ],
)
def test_a_mistake_is_named(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(("start", "end"), [("17:00", "09:00"), ("09:00", "09:00"), ("", "09:00")])
def test_a_range_of_times_ends_after_it_starts(start: str, end: str) -> None:
    with pytest.raises(ValueError, match=r"end it later|no time of day"):
        part(times=[{"start_time": start, "end_time": end}])


def test_a_range_of_times_needs_both_ends() -> None:
    with pytest.raises(ValueError, match="no time of day"):
        part(times=[{"start_time": "09:00"}])


@given(st.integers(0, 3_000_000_000), st.integers(1, 31), st.integers(0, 30))
def test_days_from_the_end_are_days_from_the_start_of_the_next_month(seconds: int, first: int, more: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    last = max(1, first - more)
    interval = TimeInterval(days_of_month=((-first, -last),))
    days_left = 1
    while (moment + timedelta(days=days_left)).month == moment.month:
        days_left += 1
    assert interval.contains(moment) is (last <= days_left <= first)


def test_a_route_is_mute_in_its_mute_times_and_outside_its_active_ones() -> None:
    intervals = {"office": (part(**OFFICE),), "weekend": (part(weekdays=["saturday", "sunday"]),)}
    friday_noon, friday_night, saturday = at("2030-01-04T12:00Z"), at("2030-01-04T22:00Z"), at("2030-01-05T12:00Z")
    assert muting_intervals(["weekend"], [], intervals, friday_night) == ()
    assert muting_intervals(["weekend"], [], intervals, saturday) == ("weekend",)
    assert muting_intervals([], ["office"], intervals, friday_noon) == ()
    assert muting_intervals([], ["office"], intervals, friday_night) == ("office",)
    assert muting_intervals([], ["office", "weekend"], intervals, saturday) == ()
    assert muting_intervals(["weekend"], ["office"], intervals, saturday) == ("weekend", "office")
