"""Times of the week, month and year at which routes are mute or active. Pure.

As Alertmanager's `time_intervals`: every part that is given must contain the moment, in the interval's own time zone
(UTC without one).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias

Range: TypeAlias = tuple[int, int]
"""First and last, both included."""

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """A set of moments; a part that is None does not matter, and one that is empty contains nothing.

    Attributes:
        times: minutes of the day, each with its first and the one after its last.
        weekdays: 0 for Sunday.
        days_of_month: negative ones count from the end: -1 is the last day.
        months: 1 for January.
        zone: None for the machine's own.
    """

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    zone: tzinfo | None = UTC

    def contains(self, moment: datetime) -> bool:
        """Tell whether a moment, which knows its time zone, is in it."""
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        days = monthrange(local.year, local.month)[1]
        dates = _from_start(self.days_of_month, days)
        return (
            (self.times is None or any(first <= minute < end for first, end in self.times))
            and _is_in(self.weekdays, local.isoweekday() % 7)
            and _is_in(dates, local.day)
            and _is_in(self.months, local.month)
            and _is_in(self.years, local.year)
        )


TimeIntervals: TypeAlias = Mapping[str, Sequence[TimeInterval]]
"""The named intervals of a config; a moment is in one of them where any of its parts contains it."""


def muting_intervals(
    mute: Sequence[str], active: Sequence[str], intervals: TimeIntervals, moment: datetime
) -> tuple[str, ...]:
    """Return the names of intervals for which a route is mute now; empty where it may speak.

    Args:
        mute, active: the names that the route gives. Outside all of its active ones a route is mute for each of them.
    """
    muting = tuple(name for name in mute if _any_contains(intervals, name, moment))
    if active and not any(_any_contains(intervals, name, moment) for name in active):
        muting += tuple(active)
    return muting


def _any_contains(intervals: TimeIntervals, name: str, moment: datetime) -> bool:
    return any(interval.contains(moment) for interval in intervals.get(name, ()))


def _is_in(ranges: Sequence[Range] | None, value: int) -> bool:
    return ranges is None or any(first <= value <= last for first, last in ranges)


def _from_start(ranges: Sequence[Range] | None, days: int) -> Sequence[Range] | None:
    if ranges is None:
        return None
    return [(first if first > 0 else days + first + 1, last if last > 0 else days + last + 1) for first, last in ranges]


def parse_time(text: str) -> int:
    """Return the minute of the day that `HH:MM` is, up to 24:00.

    Raises: ValueError: it is none.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is no time of day; write it as 09:00, up to 24:00")
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def parse_times(start: str, end: str) -> Range:
    """Return the minutes from `start` to before `end`.

    Raises: ValueError: one is no time, or the end is not after the start.
    """
    first, last = parse_time(start), parse_time(end)
    if first >= last:
        raise ValueError(f"starts at {start} and ends at {end}; end it later, and write a night as two ranges")
    return first, last


def parse_weekdays(text: str) -> Range:
    """Return the days that `monday` or `monday:friday` names.

    Raises: ValueError: it names none.
    """
    first, last = _range(text, _weekday)
    if first > last:
        raise ValueError(f"{text!r} ends before it starts; a week starts on sunday: write two ranges")
    return first, last


def parse_days_of_month(text: str) -> Range:
    """Return the days that `1`, `1:7` or `-3:-1` names.

    Raises: ValueError: it names none, or ends before it starts in every month.
    """
    first, last = _range(text, lambda part: _number(part, "day of the month"))
    for day in (first, last):
        if day == 0 or not -31 <= day <= 31:
            raise ValueError(f"{day} is no day of the month; write 1 to 31, or -1 for the last to -31")
    if first < 0 < last:
        raise ValueError(f"{text!r} starts with a day from the end and ends with one from the start; use one kind")
    shortest = 28
    if (first if first > 0 else shortest + first) > (last if last > 0 else shortest + last):
        raise ValueError(f"{text!r} ends before it starts; swap its days")
    return first, last


def parse_months(text: str) -> Range:
    """Return the months that `may`, `5` or `may:august` names.

    Raises: ValueError: it names none.
    """
    first, last = _range(text, _month)
    if first > last:
        raise ValueError(f"{text!r} ends before it starts; a year starts with january: write two ranges")
    return first, last


def parse_years(text: str) -> Range:
    """Return the years that `2030` or `2030:2032` names.

    Raises: ValueError: it names none.
    """
    first, last = _range(text, lambda part: _number(part, "year"))
    if first > last:
        raise ValueError(f"{text!r} ends before it starts; swap its years")
    return first, last


def parse_location(text: str) -> tzinfo | None:
    """Return the time zone of a name such as `Europe/Berlin` or `UTC`; None for `Local`, the machine's own.

    Raises: ValueError: there is none of that name.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - most configs name none

    if text == "Local":
        return None
    if text in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone; write a name such as Europe/Berlin, UTC or Local") from None


def _range(text: str, member: Callable[[str], int]) -> Range:
    parts = text.lower().split(":")
    if len(parts) > 2:
        raise ValueError(f"{text!r} is no range; write one value, or two with a colon between them")
    return member(parts[0].strip()), member(parts[-1].strip())


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        raise ValueError(f"{text!r} is no day of the week; write it as monday or monday:friday")
    return WEEKDAYS.index(text)


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    number = _number(text, "month")
    if not 1 <= number <= 12:
        raise ValueError(f"{text!r} is no month; write january to december, or 1 to 12")
    return number


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", text):
        raise ValueError(f"{text!r} is no {what}; write a number")
    return int(text)
