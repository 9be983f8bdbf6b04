"""The sections of the config file about people and on-call schedules."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from alerting.time_interval import parse_location, parse_time, parse_weekdays
from core.config import Section
from core.duration import parse_duration
from core.errors import Problem, UserError
from core.yaml_file import Document, Path_

if TYPE_CHECKING:
    from alerting.hours import Hours
    from alerting.schedule import Layer, Override, Schedule

SHORTEST_TURN_SECONDS = 3600
_FIRST_MONDAY = date(2024, 1, 1)
"""Where turns are counted from that have no `start`."""

_MOMENT_EXAMPLE = "2026-12-24 09:00"


def weekday_of(text: str) -> int:
    """Return the number of a weekday, 0 for Monday.

    Raises: ValueError: it is none.
    """
    first, last = parse_weekdays(text)
    if first != last:
        raise ValueError(f"{text!r} is more than one weekday; write one such as monday")
    return (first - 1) % 7  # 0 is Sunday in time intervals


def weekdays_of(text: str) -> list[int]:
    """Return the numbers of the weekdays that `monday` or `monday:friday` stands for, also around the week's end."""
    first, _, last = text.partition(":")
    start, end = weekday_of(first), weekday_of(last or first)
    return [day % 7 for day in range(start, end + 1 + (7 if end < start else 0))]


def _check_days(days: list[str]) -> list[str]:
    for text in days:
        weekdays_of(text)
    return days


def _check_zone(name: str) -> str:
    parse_location(name)
    return name


def _check_time(text: str) -> str:
    parse_time(text)
    return text


def local_moment(text: str) -> datetime:
    """Return a local time that is written as `2026-12-24` or `2026-12-24 09:00`, also with a T between.

    Raises: ValueError: it is none, or has a zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None or moment.microsecond or not 1970 < moment.year < 2200:
        raise ValueError(f"{text!r} is no local time; write one such as {_MOMENT_EXAMPLE}")
    return moment


def _check_moment(text: str) -> str:
    local_moment(text)
    return text


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


TimeOfDay = Annotated[str, AfterValidator(_check_time)]
ZoneName = Annotated[str, AfterValidator(_check_zone)]
LocalTime = Annotated[str, AfterValidator(_check_moment)]
Weekdays = Annotated[list[str], BeforeValidator(_one_or_more), AfterValidator(_check_days)]
Turn = Annotated[list[str], BeforeValidator(_one_or_more), Field(min_length=1)]


class PersonSection(Section):
    """Somebody who can be on call."""

    name: str = Field(min_length=1, description="What schedules and policies call the person.", examples=["ana"])
    receiver: str = Field(description="The receiver that reaches the person.", examples=["ana-phone"])


class WindowSection(Section):
    """A time of some days of the week."""

    days: Weekdays = Field(
        default_factory=lambda: ["monday:sunday"],
        min_length=1,
        description="Days on which it begins; ranges with a colon.",
        examples=[["monday:friday"]],
    )
    from_: TimeOfDay = Field("00:00", alias="from", description="When it begins.", examples=["09:00"])
    to: TimeOfDay = Field(
        "24:00",
        description="When it ends; on the next day where that is not later than its begin.",
        examples=["17:30"],
    )


class HoursSection(Section):
    """Hours of the week, such as those of an office."""

    time_zone: ZoneName | None = Field(
        None, description="Whose clocks count; those of the schedule, or UTC, where absent.", examples=["Europe/Berlin"]
    )
    windows: list[WindowSection] = Field(
        min_length=1,
        description="The times; one is enough.",
        examples=[[{"days": ["monday:friday"], "from": "09:00", "to": "17:30"}]],
    )

    def build(self, time_zone: str = "UTC") -> Hours:
        """Return the hours, in a time zone unless they name their own."""
        from alerting.hours import Hours, Window  # noqa: PLC0415 - only where a schedule is

        windows = tuple(
            Window(
                frozenset(day for text in one.days for day in weekdays_of(text)),
                parse_time(one.from_),
                parse_time(one.to),
            )
            for one in self.windows
        )
        return Hours(windows, parse_location(self.time_zone or time_zone))


class LayerSection(Section):
    """People who take turns."""

    people: list[Turn] = Field(
        min_length=1,
        description="Who is on call, turn by turn; a list within the list is on call together.",
        examples=[["ana", "ben"], [["ana", "ben"], "cem"]],
    )
    rotate: str = Field(
        "weekly",
        description="How long a turn is: daily, weekly, or a duration of an hour or more.",
        examples=["weekly", "12h", "14d"],
    )
    hand_over: str = Field(
        "00:00",
        description="When turns change: a time of day, for weekly turns with a weekday before it.",
        examples=["09:00", "monday 09:00"],
    )
    start: str | None = Field(
        None,
        description="The day of the first turn; nobody is on call before it. Absent: as if since 2024-01-01, a Monday.",
        examples=["2026-01-05"],
    )
    until: LocalTime | None = Field(
        None, description="When the layer ends, in the schedule's time.", examples=["2026-07-01"]
    )
    hours: HoursSection | None = Field(
        None,
        description="The only hours in which the layer has somebody.",
        examples=[{"windows": [{"days": ["monday:friday"], "from": "09:00", "to": "17:00"}]}],
    )

    @field_validator("rotate")
    @classmethod
    def _check_rotate(cls, rotate: str) -> str:
        seconds = _turn_seconds(rotate)
        if seconds < SHORTEST_TURN_SECONDS or seconds % 60 or seconds > 366 * 86_400:
            raise ValueError(f"{rotate!r} is no length of a turn; write one from 1h to 366d, in whole minutes")
        return rotate

    @field_validator("hand_over")
    @classmethod
    def _check_hand_over(cls, hand_over: str, info: ValidationInfo) -> str:
        weekday, minutes = _hand_over(hand_over)
        rotate = info.data.get("rotate")
        if minutes == 1440:
            raise ValueError("24:00 is 00:00 of the next day; write that")
        if weekday is not None and rotate is not None and _turn_seconds(rotate) % (7 * 86_400):
            raise ValueError(f"turns of {rotate} do not change on the same weekday; leave the weekday out")
        return hand_over

    @field_validator("start")
    @classmethod
    def _check_start(cls, start: str | None, info: ValidationInfo) -> str | None:
        if start is None:
            return None
        day = _day(start)
        weekday, _ = _hand_over(info.data.get("hand_over", "00:00"))
        if weekday is not None and weekday != day.weekday():
            raise ValueError(f"{start} is a {day:%A}, but 'hand_over' names another weekday; change one of them")
        return start

    def build(self, time_zone: str) -> Layer:
        """Return the layer of a schedule in a time zone."""
        from alerting.local_time import moment_of  # noqa: PLC0415 - only where a schedule is
        from alerting.schedule import Layer  # noqa: PLC0415

        zone = parse_location(time_zone)
        weekday, minutes = _hand_over(self.hand_over)
        day = _FIRST_MONDAY + timedelta(days=weekday or 0) if self.start is None else _day(self.start)
        first = datetime.combine(day, time()) + timedelta(minutes=minutes)
        return Layer(
            turns=tuple(tuple(turn) for turn in self.people),
            zone=zone,
            first=first,
            turn_seconds=_turn_seconds(self.rotate),
            begins=None if self.start is None else moment_of(first, zone),
            ends=None if self.until is None else moment_of(local_moment(self.until), zone),
            hours=None if self.hours is None else self.hours.build(time_zone),
        )


class OverrideSection(Section):
    """Somebody who stands in for a time; others can be added while the daemon runs."""

    person: str = Field(description="Who stands in.", examples=["cem"])
    instead_of: str | None = Field(
        None, description="Whose place it is; that of all who are on call then, where absent.", examples=["ana"]
    )
    from_: LocalTime = Field(
        alias="from", description="Since when, in the schedule's time.", examples=[_MOMENT_EXAMPLE]
    )
    to: LocalTime = Field(description="Until when, in the schedule's time.", examples=["2026-12-27 09:00"])

    @model_validator(mode="after")
    def _in_order(self) -> OverrideSection:
        if local_moment(self.to) <= local_moment(self.from_):
            raise ValueError(f"ends at {self.to}, which is not after its begin at {self.from_}; correct one of them")
        return self


class ScheduleSection(Section):
    """Who is on call when."""

    name: str = Field(min_length=1, description="What policies call it.", examples=["primary"])
    time_zone: ZoneName = Field("UTC", description="Whose clocks count.", examples=["Europe/Berlin"])
    layers: list[LayerSection] = Field(
        min_length=1,
        description="Rotations; a later one goes before earlier ones wherever it has somebody.",
        examples=[[{"people": ["ana", "ben"], "rotate": "weekly", "hand_over": "monday 09:00"}]],
    )
    overrides: list[OverrideSection] = Field(
        default_factory=list,
        description="Who stands in when; the last that holds counts.",
        examples=[[{"person": "cem", "from": _MOMENT_EXAMPLE, "to": "2026-12-27 09:00"}]],
    )

    def build(self) -> Schedule:
        """Return the schedule."""
        from alerting.schedule import Schedule  # noqa: PLC0415

        zone = parse_location(self.time_zone)
        layers = tuple(layer.build(self.time_zone) for layer in self.layers)
        return Schedule(self.name, zone, layers, tuple(map(self._override, self.overrides)))

    def _override(self, section: OverrideSection) -> Override:
        from alerting.local_time import moment_of  # noqa: PLC0415
        from alerting.schedule import Override  # noqa: PLC0415

        zone = parse_location(self.time_zone)
        starts_at, ends_at = (moment_of(local_moment(text), zone) for text in (section.from_, section.to))
        return Override(self.name, section.person, starts_at, ends_at, section.instead_of or "")

    def names(self) -> list[tuple[Path_, str]]:
        """Return every person that it names, each with the place inside the section."""
        found: list[tuple[Path_, str]] = []
        for number, layer in enumerate(self.layers):
            for index, turn in enumerate(layer.people):
                found += [(("layers", number, "people", index), name) for name in turn]
        for number, override in enumerate(self.overrides):
            found.append((("overrides", number, "person"), override.person))
            if override.instead_of is not None:
                found.append((("overrides", number, "instead_of"), override.instead_of))
        return found


def schedule_problems(
    people: list[PersonSection], schedules: list[ScheduleSection], receivers: Collection[str], document: Document
) -> list[Problem]:
    """Return the mistakes that show only between people, schedules and receivers."""
    problems = []
    for index, person in enumerate(people):
        if person.receiver not in receivers:
            known = ", ".join(receivers) or "none; add it under 'receivers'"
            message = f"receiver {person.receiver!r} does not exist; known are: {known}"
            problems.append(document.problem(("people", index, "receiver"), message))
    names = {person.name for person in people}
    for index, schedule in enumerate(schedules):
        for path, name in schedule.names():
            if name not in names:
                problems.append(document.problem(("schedules", index, *path), unknown_name("person", name, names)))
    return problems


def unknown_name(kind: str, name: str, known: Collection[str]) -> str:
    """Return the message about a name that nothing bears."""
    remedy = f"known are: {', '.join(sorted(known))}" if known else "none is configured"
    return f"{kind} {name!r} does not exist; {remedy}"


def check_unique(names: list[str], kind: str) -> None:
    """Refuse two things of one name.

    Raises: ValueError.
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{kind} {twice!r} is defined twice; rename one of them")


def _turn_seconds(rotate: str) -> int:
    if rotate in ("daily", "weekly"):
        return 86_400 if rotate == "daily" else 7 * 86_400
    try:
        return int(parse_duration(rotate))
    except UserError:
        raise ValueError(f"{rotate!r} is no length of a turn; write daily, weekly or a duration such as 12h") from None


def _hand_over(text: str) -> tuple[int | None, int]:
    weekday, _, clock = text.strip().rpartition(" ")
    return (weekday_of(weekday) if weekday else None), parse_time(clock)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day; write one such as 2026-01-05") from None
