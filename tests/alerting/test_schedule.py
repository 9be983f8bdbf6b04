"""Who is on call when: turns, layers, hours, overrides, and all of it over changes of the clocks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.hours import Hours, Window
from alerting.local_time import local_time, moment_of
from alerting.schedule import Layer, Override, Schedule, next_shift, on_call, shifts, turn_start
from alerting.schedule_config import ScheduleSection
from core.config import validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400


def schedule(text: str) -> Schedule:
    return validate(
        parse_yaml(f"{{name: primary, time_zone: Europe/Berlin, {text}}}", "w.yml"), ScheduleSection
    ).build()


local = datetime.fromisoformat


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return moment_of(datetime.fromisoformat(text), zone)


def told(plan: Schedule, start: str, end: str) -> list[str]:
    """Return shifts as `01-05 09:00 ana+ben`."""
    return [
        f"{local_time(shift.starts_at, plan.zone):%m-%d %H:%M} {'+'.join(shift.people) or '-'}"
        for shift in shifts(plan, at(start), at(end))
    ]


WEEKLY = "layers: [{people: [ana, ben, cem], hand_over: 'monday 09:00'}]"


def test_weekly_turns_change_on_their_day_at_their_time() -> None:
    plan = schedule(WEEKLY)
    assert told(plan, "2026-01-05 08:00", "2026-01-27") == [
        "01-05 08:00 cem", "01-05 09:00 ana", "01-12 09:00 ben", "01-19 09:00 cem", "01-26 09:00 ana"
    ]  # fmt: skip
    assert on_call(plan, at("2026-01-12 09:00") - 1) == ("ana",)
    assert on_call(plan, at("2026-01-12 09:00")) == ("ben",)


def test_a_hand_over_stays_at_its_time_of_day_when_the_clocks_change() -> None:
    plan = schedule("layers: [{people: [ana, ben], rotate: daily, hand_over: '09:00'}]")
    spring = shifts(plan, at("2026-03-27 09:00"), at("2026-03-31 09:00"))
    assert [shift.ends_at - shift.starts_at for shift in spring] == [DAY, DAY - 3600, DAY, DAY]
    autumn = shifts(plan, at("2026-10-23 09:00"), at("2026-10-27 09:00"))
    assert [shift.ends_at - shift.starts_at for shift in autumn] == [DAY, DAY + 3600, DAY, DAY]


def test_turns_of_hours_change_at_the_same_times_on_every_day() -> None:
    plan = schedule("layers: [{people: [day, night], rotate: 12h, hand_over: '08:00', start: 2026-03-28}]")
    assert told(plan, "2026-03-28 08:00", "2026-03-30 12:00") == [
        "03-28 08:00 day", "03-28 20:00 night", "03-29 08:00 day", "03-29 20:00 night", "03-30 08:00 day"
    ]  # fmt: skip


def test_a_turn_that_the_clocks_skip_is_left_out() -> None:
    plan = schedule("layers: [{people: [ana, ben, cem], rotate: 1h, start: 2026-03-29}]")
    assert told(plan, "2026-03-29", "2026-03-29 05:00") == [
        "03-29 00:00 ana", "03-29 01:00 ben", "03-29 03:00 ana", "03-29 04:00 ben"
    ]  # fmt: skip


def test_nobody_is_on_call_before_the_start_and_after_the_end_of_a_layer() -> None:
    plan = schedule("layers: [{people: [ana], start: 2026-01-05, hand_over: '09:00', until: '2026-02-01 18:00'}]")
    assert told(plan, "2026-01-01", "2026-03-01") == ["01-01 00:00 -", "01-05 09:00 ana", "02-01 18:00 -"]


def test_a_later_layer_goes_first_where_it_has_somebody() -> None:
    plan = schedule(
        "layers: [{people: [ana]}, {people: [ben], hours: {windows: [{days: ['monday:friday'], from: '09:00', to: "
        "'17:00'}]}}]"
    )
    assert told(plan, "2026-01-09 12:00", "2026-01-12 12:00") == [
        "01-09 12:00 ben", "01-09 17:00 ana", "01-12 09:00 ben"
    ]  # fmt: skip


def test_hours_may_go_over_midnight_and_over_the_end_of_the_week() -> None:
    plan = schedule(
        "layers: [{people: [ana], hours: {windows: [{days: ['friday:saturday', sunday], from: '22:00', to: '06:00'}]}}]"
    )
    assert told(plan, "2026-01-09", "2026-01-13") == [
        "01-09 00:00 -", "01-09 22:00 ana", "01-10 06:00 -", "01-10 22:00 ana", "01-11 06:00 -", "01-11 22:00 ana",
        "01-12 06:00 -",
    ]  # fmt: skip


def test_several_people_may_share_a_turn_and_one_of_them_may_be_stood_in_for() -> None:
    plan = schedule(
        "layers: [{people: [[ana, ben], cem], hand_over: 'monday 00:00', start: 2026-01-05}],"
        "overrides: [{person: dia, instead_of: ben, from: 2026-01-06, to: 2026-01-07},"
        " {person: eva, from: 2026-01-08, to: '2026-01-08 12:00'}]"
    )
    assert told(plan, "2026-01-05", "2026-01-13") == [
        "01-05 00:00 ana+ben", "01-06 00:00 ana+dia", "01-07 00:00 ana+ben", "01-08 00:00 eva", "01-08 12:00 ana+ben",
        "01-12 00:00 cem",
    ]  # fmt: skip


def test_the_last_override_that_holds_counts() -> None:
    plan = schedule(WEEKLY)
    first = Override("primary", "x", at("2026-01-06"), at("2026-01-08"))
    second = Override("primary", "y", at("2026-01-07"), at("2026-01-09"))
    assert told(replace(plan, overrides=(first, second)), "2026-01-06", "2026-01-09 01:00") == [
        "01-06 00:00 x", "01-07 00:00 y", "01-09 00:00 ana"
    ]  # fmt: skip


def test_the_next_shift_is_found_however_far_it_is_and_not_where_nobody_takes_over() -> None:
    coming = next_shift(schedule(WEEKLY), at("2026-01-06"))
    assert coming is not None
    assert (coming.people, coming.starts_at, coming.ends_at) == (
        ("ben",),
        at("2026-01-12 09:00"),
        at("2026-01-19 09:00"),
    )
    far = next_shift(schedule("layers: [{people: [ana, ben], rotate: 180d, start: 2026-01-01}]"), at("2026-01-02"))
    assert far is not None
    assert (far.people, far.starts_at) == (("ben",), at("2026-06-30"))
    assert next_shift(schedule("layers: [{people: [ana]}]"), at("2026-01-06")) is None


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("layers: []", "layers"),
        ("layers: [{people: []}]", "people"),
        ("layers: [{people: [ana], rotate: fortnightly}]", "is no length of a turn; write daily, weekly or a duration"),
        ("layers: [{people: [ana], rotate: 5m}]", "write one from 1h to 366d"),
        ("layers: [{people: [ana], hand_over: '9'}]", "is no time of day; write it as 09:00"),
        ("layers: [{people: [ana], hand_over: '24:01'}]", "is no time of day"),
        ("layers: [{people: [ana], hand_over: 'someday 09:00'}]", "is no day of the week; write it as monday"),
        ("layers: [{people: [ana], rotate: daily, hand_over: 'monday 09:00'}]", "do not change on the same weekday"),
        ("layers: [{people: [ana], hand_over: 'monday 09:00', start: 2026-01-06}]", "is a Tuesday, but 'hand_over'"),
        ("layers: [{people: [ana], start: tomorrow}]", "is no day; write one such as 2026-01-05"),
        ("layers: [{people: [ana], until: '2026-01-05 09:00Z'}]", "is no local time; write one such as"),
        ("layers: [{people: [ana], hours: {windows: []}}]", "windows"),
        ("layers: [{people: [ana], hours: {windows: [{days: [funday]}]}}]", "is no day of the week"),
        (
            "layers: [{people: [ana]}], overrides: [{person: b, from: 2026-01-02, to: 2026-01-01}]",
            "not after its begin",
        ),
    ],
)
def test_every_mistake_is_named_with_its_remedy(text: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        schedule(text)
    assert mistake in str(caught.value)
    assert str(caught.value).startswith("w.yml:1:")


def test_an_unknown_time_zone_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="is no time zone; write a name such as"):
        validate(parse_yaml("{name: p, time_zone: Mars/Base, layers: [{people: [ana]}]}", "w.yml"), ScheduleSection)


# Properties, in places whose clocks change by an hour, by half an hour, by a whole day and twice around Ramadan.

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"]
NAMES = st.sampled_from(["ana", "ben", "cem", "dia"])
MOMENTS = st.integers(round(at("2011-12-20")), round(at("2027-01-01")))


@st.composite
def layers(draw: st.DrawFn, zone: ZoneInfo) -> Layer:
    first = draw(st.datetimes(local("2011-01-01"), local("2026-01-01"))).replace(second=0, microsecond=0)
    windows = draw(
        st.none()
        | st.lists(
            st.builds(
                Window,
                st.frozensets(st.integers(0, 6), min_size=1),
                st.integers(0, 1439),
                st.integers(1, 1440),
            ),
            min_size=1,
            max_size=2,
        )
    )
    return Layer(
        turns=tuple(draw(st.lists(st.lists(NAMES, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3))),
        zone=zone,
        first=first,
        turn_seconds=draw(st.sampled_from([3600, 8 * 3600, 12 * 3600, DAY, 7 * DAY, 10 * DAY + 5400])),
        begins=draw(st.none() | st.just(moment_of(first, zone))),
        ends=draw(st.none() | MOMENTS.map(float)),
        hours=None if windows is None else Hours(tuple(windows), zone),
    )


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, float, float]:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    start = float(draw(MOMENTS))
    found = []
    for name in draw(st.lists(NAMES, max_size=3)):
        begin = start + draw(st.integers(-2 * DAY, 10 * DAY))
        found.append(Override("s", name, begin, begin + draw(st.integers(60, 5 * DAY)), draw(NAMES | st.just(""))))
    plan = Schedule("s", zone, tuple(draw(st.lists(layers(zone), min_size=1, max_size=3))), tuple(found))
    return plan, start, start + draw(st.integers(1, 10 * DAY))


@settings(max_examples=60, deadline=None)
@given(schedules(), st.lists(st.integers(0, 999), max_size=20))
def test_shifts_leave_no_hole_and_say_what_each_moment_says(
    case: tuple[Schedule, float, float], when: list[int]
) -> None:
    plan, start, end = case
    found = shifts(plan, start, end)
    assert (found[0].starts_at, found[-1].ends_at) == (start, end)
    for before, after in pairwise(found):
        assert before.ends_at == after.starts_at
        assert before.people != after.people
    for part in when:
        moment = start + (end - start) * part / 1000
        (shift,) = [one for one in found if one.starts_at <= moment < one.ends_at]
        assert shift.people == on_call(plan, moment)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 1439), st.integers(0, 5800))
def test_every_daily_hand_over_shows_its_time_or_is_the_moment_that_skips_it(zone: str, minute: int, day: int) -> None:
    place = ZoneInfo(zone)
    layer = Layer((("ana",), ("ben",)), place, local("2011-01-01") + timedelta(minutes=minute), DAY)
    begin, end = turn_start(layer, day), turn_start(layer, day + 1)
    planned = layer.first + timedelta(days=day)
    shown = local_time(begin, place)
    assert shown == planned or (shown > planned and local_time(begin - 1, place) < planned)
    assert 0 <= end - begin <= 25 * 3600 + 1800
    if begin < end:
        assert on_call(Schedule("s", place, (layer,)), begin) == layer.turns[day % 2]
        assert on_call(Schedule("s", place, (layer,)), end - 1) == layer.turns[day % 2]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(ZONES[:4]), st.integers(2, 5))
def test_over_a_year_everyone_has_the_same_number_of_turns(zone: str, people: int) -> None:
    place = ZoneInfo(zone)
    layer = Layer(tuple((str(each),) for each in range(people)), place, local("2025-01-01 09:00"), DAY)
    start = turn_start(layer, 0)
    turns = Counter(
        shift.people for shift in shifts(Schedule("s", place, (layer,)), start, turn_start(layer, 60 * people))
    )
    assert set(turns.values()) == {60}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_next_opening_is_the_first_moment_that_is_inside(data: st.DataObject) -> None:
    zone = ZoneInfo(data.draw(st.sampled_from(ZONES)))
    window = Window(
        data.draw(st.frozensets(st.integers(0, 6), min_size=1)),
        data.draw(st.integers(0, 1439)),
        data.draw(st.integers(1, 1440)),
    )
    hours, moment = Hours((window,), zone), float(data.draw(MOMENTS))
    opens = hours.next_open(moment)
    assert opens is not None
    assert hours.contains(opens)
    if opens > moment:
        assert not any(hours.contains(moment + (opens - moment) * part / 50) for part in range(50))
