"""Times and durations as templates see them: Go's time.Time and time.Duration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar

from alerting.template.error import CallError
from alerting.template.value import Function, Object

SECOND = 1_000_000_000
"""Nanoseconds."""

_MINUTE, _HOUR = 60 * SECOND, 3600 * SECOND
_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": SECOND, "m": _MINUTE, "h": _HOUR}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = -62_135_596_800 * SECOND
"""Go's zero time, the beginning of the year 1."""

_LAYOUT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|01|02|03|04|05|06|15|PM|pm"
    r"|[-Z]07:00:00|[-Z]070000|[-Z]07:00|[-Z]0700|[-Z]07|[.,](?:0+|9+)(?!\d)|[12345]"
)


def _round(number: int, unit: int, *, up: bool) -> int:
    """Return a number as a multiple of a unit: the next towards zero, or (`up`) the nearest, halves away from it."""
    if unit <= 0:
        return number
    whole = (abs(number) + (unit // 2 if up else 0)) // unit * unit
    return whole if number >= 0 else -whole


@dataclass(frozen=True, slots=True, order=True)
class Duration(Object):
    """A span of time; prints as 1h2m3.5s."""

    template_number: int
    """Nanoseconds."""

    def template_text(self) -> str:
        """Return it as Go prints it."""
        rest = abs(self.template_number)
        if rest < SECOND:
            return ("-" if self.template_number < 0 else "") + _small(rest)
        hours, rest = divmod(rest, _HOUR)
        minutes, rest = divmod(rest, _MINUTE)
        shown = f"{hours}h" if hours else ""
        shown += f"{minutes}m" if hours or minutes else ""
        return ("-" if self.template_number < 0 else "") + shown + _decimal(rest, SECOND) + "s"

    @property
    def seconds(self) -> float:
        """In seconds."""
        return self.template_number / SECOND

    template_type: ClassVar[str] = "time.Duration"
    template_methods: ClassVar[Mapping[str, Function]]


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0").rstrip(".")


def _small(nanoseconds: int) -> str:
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 1000:
        return f"{nanoseconds}ns"
    if nanoseconds < 1_000_000:
        return _decimal(nanoseconds, 1000) + "µs"
    return _decimal(nanoseconds, 1_000_000) + "ms"


def parse_go_duration(text: str) -> Duration:
    """Return the duration that a text such as 1h30m means.

    Raises: CallError: it means none.
    """
    match = re.fullmatch(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)", text)
    if match is None or len(text) > 100:
        raise CallError(f"{text[:80]!r} is no duration; write it as 1h30m")
    total = 0.0
    for number, unit in re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", match[2]):
        total += float(number) * _UNITS[unit]
    return Duration(round(-total if match[1] == "-" else total))


_DURATION_METHODS: dict[str, Function] = {
    "Nanoseconds": Function(lambda d: d.template_number),
    "Microseconds": Function(lambda d: _round(d.template_number, 1000, up=False) // 1000),
    "Milliseconds": Function(lambda d: _round(d.template_number, 1_000_000, up=False) // 1_000_000),
    "Seconds": Function(lambda d: d.template_number / SECOND),
    "Minutes": Function(lambda d: d.template_number / _MINUTE),
    "Hours": Function(lambda d: d.template_number / _HOUR),
    "Abs": Function(lambda d: Duration(abs(d.template_number))),
    "String": Function(lambda d: d.template_text()),
    "Round": Function(lambda d, u: Duration(_round(d.template_number, u.template_number, up=True)), ("duration",)),
    "Truncate": Function(lambda d, u: Duration(_round(d.template_number, u.template_number, up=False)), ("duration",)),
}
Duration.template_methods = _DURATION_METHODS


@dataclass(frozen=True, slots=True)
class Named(Object):
    """A month or a day of the week: a number with a name."""

    template_number: int
    name: str
    template_type: ClassVar[str] = "time.Month"
    template_methods: ClassVar[Mapping[str, Function]] = {"String": Function(lambda one: one.name)}

    def template_text(self) -> str:
        """Return its name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Time(Object):
    """A moment, in a time zone."""

    nanoseconds: int
    zone: tzinfo = UTC

    template_type: ClassVar[str] = "time.Time"
    template_methods: ClassVar[Mapping[str, Function]]

    @classmethod
    def of(cls, seconds: float | None) -> Time:
        """Return the time of Unix seconds, to the millisecond; Go's zero time for None."""
        return cls(_ZERO if seconds is None else round(seconds * 1000) * 1_000_000)

    @property
    def moment(self) -> datetime:
        """It without what is below a second.

        Raises: CallError: before the year 1 or after 9999.
        """
        try:
            return (_EPOCH + timedelta(seconds=self.nanoseconds // SECOND)).astimezone(self.zone)
        except OverflowError:
            raise CallError("a time lies outside of the years 1 to 9999") from None

    def template_text(self) -> str:
        """Return it as Go prints it."""
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def format(self, layout: str) -> str:
        """Return it in a layout that shows how Monday, 2 January 2006, 15:04:05 would be written."""
        moment = self.moment
        nanosecond = self.nanoseconds % SECOND
        return _LAYOUT.sub(lambda match: _part(match[0], moment, nanosecond), layout)

    def add(self, duration: Duration) -> Time:
        """Return the time so much later."""
        return Time(self.nanoseconds + duration.template_number, self.zone)

    def sub(self, other: Time) -> Duration:
        """Return how much later it is than another."""
        limit = (1 << 63) - 1
        return Duration(max(-limit - 1, min(limit, self.nanoseconds - other.nanoseconds)))


def _part(part: str, moment: datetime, nanosecond: int) -> str:
    if part[0] in ".,":
        digits = f"{nanosecond:09d}"[: len(part) - 1].ljust(len(part) - 1, "0")
        shown = digits if part[1] == "0" else digits.rstrip("0")
        return part[0] + shown if shown else ""
    if part[0] in "-Z":
        return _offset(part, moment)
    return _PARTS[part](moment)


def _offset(part: str, moment: datetime) -> str:
    seconds = round((moment.utcoffset() or timedelta()).total_seconds())
    if part[0] == "Z" and seconds == 0:
        return "Z"
    sign, seconds = "-" if seconds < 0 else "+", abs(seconds)
    numbers = [f"{seconds // 3600:02d}", f"{seconds // 60 % 60:02d}", f"{seconds % 60:02d}"]
    count = {3: 1, 5: 2, 6: 2, 7: 3, 9: 3}[len(part)]
    return sign + (":" if ":" in part else "").join(numbers[:count])


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or ""
    return name if name and not name.startswith("UTC+") and not name.startswith("UTC-") else _offset("-07", moment)


_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()  # noqa: SIM905 - reads better
_PARTS: Mapping[str, Callable[[datetime], str]] = {
    "January": lambda t: _MONTHS[t.month - 1],
    "Jan": lambda t: _MONTHS[t.month - 1][:3],
    "Monday": lambda t: _DAYS[t.weekday()],
    "Mon": lambda t: _DAYS[t.weekday()][:3],
    "MST": _zone_name,
    "2006": lambda t: f"{t.year:04d}",
    "06": lambda t: f"{t.year % 100:02d}",
    "01": lambda t: f"{t.month:02d}",
    "1": lambda t: f"{t.month}",
    "02": lambda t: f"{t.day:02d}",
    "_2": lambda t: f"{t.day:2d}",
    "2": lambda t: f"{t.day}",
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3d}",
    "15": lambda t: f"{t.hour:02d}",
    "03": lambda t: f"{(t.hour - 1) % 12 + 1:02d}",
    "3": lambda t: f"{(t.hour - 1) % 12 + 1}",
    "04": lambda t: f"{t.minute:02d}",
    "4": lambda t: f"{t.minute}",
    "05": lambda t: f"{t.second:02d}",
    "5": lambda t: f"{t.second}",
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
}


def in_zone(time: Time, name: str) -> Time:
    """Return a time as the clocks of a time zone show it.

    Raises: CallError: there is no such zone.
    """
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few templates need it

    if name in ("", "UTC"):
        return Time(time.nanoseconds)
    try:
        return Time(time.nanoseconds, ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise CallError(f"{name[:80]!r} is no time zone; write it as Europe/Paris") from None


def _number(get: Callable[[datetime], int]) -> Function:
    return Function(lambda t: get(t.moment))


_TIME_METHODS: dict[str, Function] = {
    "Format": Function(lambda t, layout: t.format(layout), ("string",)),
    "String": Function(lambda t: t.template_text()),
    "Add": Function(lambda t, duration: t.add(duration), ("duration",)),
    "Sub": Function(lambda t, other: t.sub(other), ("time",)),
    "After": Function(lambda t, other: t.nanoseconds > other.nanoseconds, ("time",)),
    "Before": Function(lambda t, other: t.nanoseconds < other.nanoseconds, ("time",)),
    "Equal": Function(lambda t, other: t.nanoseconds == other.nanoseconds, ("time",)),
    "IsZero": Function(lambda t: t.nanoseconds == _ZERO),
    "Unix": Function(lambda t: t.nanoseconds // SECOND),
    "UnixMilli": Function(lambda t: t.nanoseconds // 1_000_000),
    "UnixMicro": Function(lambda t: t.nanoseconds // 1000),
    "UnixNano": Function(lambda t: t.nanoseconds),
    "UTC": Function(lambda t: Time(t.nanoseconds)),
    "Local": Function(lambda t: Time(t.nanoseconds, t.moment.astimezone().tzinfo or UTC)),
    "Year": _number(lambda moment: moment.year),
    "Day": _number(lambda moment: moment.day),
    "Hour": _number(lambda moment: moment.hour),
    "Minute": _number(lambda moment: moment.minute),
    "Second": _number(lambda moment: moment.second),
    "Nanosecond": Function(lambda t: t.nanoseconds % SECOND),
    "YearDay": _number(lambda moment: moment.timetuple().tm_yday),
    "Month": Function(lambda t: Named(t.moment.month, _MONTHS[t.moment.month - 1])),
    "Weekday": Function(lambda t: Named(t.moment.isoweekday() % 7, _DAYS[t.moment.weekday()])),
    "Round": Function(lambda t, unit: _rounded(t, unit, up=True), ("duration",)),
    "Truncate": Function(lambda t, unit: _rounded(t, unit, up=False), ("duration",)),
}
Time.template_methods = _TIME_METHODS


def _rounded(time: Time, unit: Duration, *, up: bool) -> Time:
    """Return a time as a multiple of a unit since Go's zero time."""
    since = time.nanoseconds - _ZERO
    return Time(_round(since, unit.template_number, up=up) + _ZERO, time.zone)
