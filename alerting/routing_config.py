"""The sections of the config file that say who is told what: routes, inhibition, times. Alertmanager's, as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from alerting.inhibit import InhibitRule
from alerting.matcher import Matcher, new_matcher, parse_matchers, sorted_matchers
from alerting.time_interval import (
    TimeInterval,
    parse_days_of_month,
    parse_location,
    parse_months,
    parse_times,
    parse_weekdays,
    parse_years,
)
from core.config import Duration, SparseSection
from core.errors import UserError
from core.text import Text
from core.yaml_file import Path_
from metrics.storage import MatchOp

_ALL = "..."
_LEGACY_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def _checked(check: Callable[[str], object]) -> AfterValidator:
    """Keep a text as it is where a function can read it."""

    def keep(text: str) -> str:
        try:
            check(text)
        except UserError as error:
            raise ValueError(str(error)) from None
        return text

    return AfterValidator(keep)


def _legacy_name(name: str) -> None:
    if not _LEGACY_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no label name of letters, digits and '_'; name it under the key of matchers")


def _label_name(name: str) -> None:
    if not name:
        raise ValueError("a label name is empty; write it, or remove it")


Matchers = Annotated[Text, _checked(parse_matchers)]
Pattern = Annotated[Text, _checked(lambda text: new_matcher("x", MatchOp.REGEX, text))]
Value = Annotated[Text, BeforeValidator(lambda value: "" if value is None else value)]
LegacyName = Annotated[str, _checked(_legacy_name)]


class RouteSection(SparseSection):
    """Which receiver gets which alerts, and which alerts share a message. What a route below does not say, it has
    from the one above it; mute and active times are the exception."""

    receiver: str = Field("", description="The name of a receiver.", examples=["team-shop"])
    matchers: list[Matchers] = Field(
        default_factory=list,
        description="What an alert's labels must satisfy; not at the root.",
        examples=[['severity="critical"', "team=~shop|cart"]],
    )
    match: dict[LegacyName, Value] = Field(
        default_factory=dict, description="Labels an alert must have; the old way.", examples=[{"team": "shop"}]
    )
    match_re: dict[LegacyName, Pattern] = Field(
        default_factory=dict,
        description="Regular expressions its labels must match; the old way.",
        examples=[{"team": "shop|cart"}],
    )
    group_by: list[Text] = Field(
        default_factory=list,
        description="Alerts that agree in these labels share a message; ['...'] for all labels.",
        examples=[["alertname", "service"]],
    )
    group_wait: Duration | None = Field(
        None, ge=0, description="How long a new group waits for more alerts; 30s at the root.", examples=["10s"]
    )
    group_interval: Duration | None = Field(
        None, gt=0, description="How long news of a group wait after its last message; 5m at the root.", examples=["1m"]
    )
    repeat_interval: Duration | None = Field(
        None, gt=0, description="When a group without news is told again; 4h at the root.", examples=["12h"]
    )
    continue_: bool = Field(
        False, alias="continue", description="Whether later routes may get the alert too.", examples=[True]
    )
    mute_time_intervals: list[Text] = Field(
        default_factory=list, description="Names of times at which nothing is told.", examples=[["weekend"]]
    )
    active_time_intervals: list[Text] = Field(
        default_factory=list, description="Names of the only times at which something is told.", examples=[["office"]]
    )
    routes: list[RouteSection] = Field(
        default_factory=list,
        description="Routes below this one; the first that matches gets the alert.",
        examples=[[{"receiver": "team-db", "matchers": ["service=~mysql|postgres"]}]],
    )

    @field_validator("group_by")
    @classmethod
    def _check_names(cls, names: list[str]) -> list[str]:
        if _ALL in names and len(names) > 1:
            raise ValueError("'...' stands for all labels; do not name others beside it")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"label {twice!r} is named twice; remove one of them")
        for name in names:
            _label_name(name)
        return names

    @property
    def all_matchers(self) -> tuple[Matcher, ...]:
        """The matchers of all three keys."""
        return _matchers(self.match, self.match_re, self.matchers)


class InhibitRuleSection(SparseSection):
    """While an alert of the source side fires, those of the target side are not told."""

    name: Text = Field("", description="For people.", examples=["node down"])
    source_matchers: list[Matchers] = Field(
        default_factory=list,
        description="What the alert that explains others satisfies.",
        examples=[["alertname=Node"]],
    )
    source_match: dict[LegacyName, Value] = Field(
        default_factory=dict, description="The old way to say it.", examples=[{"alertname": "Node"}]
    )
    source_match_re: dict[LegacyName, Pattern] = Field(
        default_factory=dict, description="The old way, with regular expressions.", examples=[{"alertname": "Node.*"}]
    )
    target_matchers: list[Matchers] = Field(
        default_factory=list,
        description="What the alerts that are not told satisfy.",
        examples=[["severity!=critical"]],
    )
    target_match: dict[LegacyName, Value] = Field(
        default_factory=dict, description="The old way to say it.", examples=[{"severity": "warning"}]
    )
    target_match_re: dict[LegacyName, Pattern] = Field(
        default_factory=dict, description="The old way, with regular expressions.", examples=[{"severity": "warn.*"}]
    )
    equal: list[Text] = Field(
        default_factory=list, description="Labels in which both sides must agree.", examples=[["instance"]]
    )

    @field_validator("equal")
    @classmethod
    def _check_names(cls, names: list[str]) -> list[str]:
        for name in names:
            _label_name(name)
        return names

    @property
    def rule(self) -> InhibitRule:
        """The section as the inhibitor wants it."""
        source = _matchers(self.source_match, self.source_match_re, self.source_matchers)
        target = _matchers(self.target_match, self.target_match_re, self.target_matchers)
        return InhibitRule(source, target, tuple(dict.fromkeys(self.equal)), self.name)


class TimeRangeSection(SparseSection):
    """A part of each day."""

    start_time: Text = Field("", description="The first minute, HH:MM.", examples=["09:00"])
    end_time: Text = Field("", description="The minute after the last, up to 24:00.", examples=["17:00"])

    @model_validator(mode="after")
    def _check(self) -> TimeRangeSection:
        parse_times(self.start_time, self.end_time)
        return self


class TimePartSection(SparseSection):
    """A set of moments: every key that is given must contain one."""

    times: list[TimeRangeSection] | None = Field(
        None, description="Parts of the day.", examples=[[{"start_time": "09:00", "end_time": "17:00"}]]
    )
    weekdays: list[Annotated[Text, _checked(parse_weekdays)]] | None = Field(
        None, description="Days of the week, or ranges of them.", examples=[["monday:friday"]]
    )
    days_of_month: list[Annotated[Text, _checked(parse_days_of_month)]] | None = Field(
        None, description="Days of the month, or ranges; -1 is the last.", examples=[["1:5", "-3:-1"]]
    )
    months: list[Annotated[Text, _checked(parse_months)]] | None = Field(
        None, description="Months by name or number, or ranges.", examples=[["may:august", "december"]]
    )
    years: list[Annotated[Text, _checked(parse_years)]] | None = Field(
        None, description="Years, or ranges.", examples=[["2030:2032"]]
    )
    location: Annotated[Text, _checked(parse_location)] = Field(
        "UTC", description="The time zone; Local for the machine's own.", examples=["Europe/Berlin"]
    )

    @property
    def interval(self) -> TimeInterval:
        """The section as the pipeline wants it."""
        times = None if self.times is None else tuple(parse_times(t.start_time, t.end_time) for t in self.times)
        return TimeInterval(
            times=times,
            weekdays=_ranges(self.weekdays, parse_weekdays),
            days_of_month=_ranges(self.days_of_month, parse_days_of_month),
            months=_ranges(self.months, parse_months),
            years=_ranges(self.years, parse_years),
            zone=parse_location(self.location),
        )


class TimeIntervalSection(SparseSection):
    """Times under a name; a moment is in it where any of its parts contains it."""

    name: Text = Field(min_length=1, description="What routes call it.", examples=["office"])
    time_intervals: list[TimePartSection] = Field(
        default_factory=list, description="Its parts.", examples=[[{"weekdays": ["monday:friday"]}]]
    )

    @property
    def intervals(self) -> tuple[TimeInterval, ...]:
        """The section as the pipeline wants it."""
        return tuple(part.interval for part in self.time_intervals)


def route_mistakes(
    route: RouteSection, receivers: Collection[str], intervals: Collection[str]
) -> Iterator[tuple[Path_, str]]:
    """Yield what is wrong with a tree of routes, each with its path from the root.

    Args:
        receivers, intervals: the names that exist.
    """
    if not route.receiver:
        yield (), "the root has no 'receiver'; name the one that gets what no other route matches"
    if route.continue_:
        yield ("continue",), "has no meaning at the root; remove it"
    for key in ("matchers", "match", "match_re", "mute_time_intervals", "active_time_intervals"):
        if getattr(route, key):
            yield (key,), "is not allowed at the root, which takes every alert; move it to a route below"
    yield from _unknown_names(route, (), receivers, intervals)


def _unknown_names(
    route: RouteSection, path: Path_, receivers: Collection[str], intervals: Collection[str]
) -> Iterator[tuple[Path_, str]]:
    if route.receiver and route.receiver not in receivers:
        known = ", ".join(receivers) or "none; add it under 'receivers'"
        yield (*path, "receiver"), f"receiver {route.receiver!r} does not exist; known are: {known}"
    for key in ("mute_time_intervals", "active_time_intervals"):
        for index, name in enumerate(getattr(route, key)):
            if name not in intervals:
                known = ", ".join(intervals) or "none; add it under 'time_intervals'"
                yield (*path, key, index), f"time interval {name!r} does not exist; known are: {known}"
    for index, child in enumerate(route.routes):
        yield from _unknown_names(child, (*path, "routes", index), receivers, intervals)


def _matchers(equal: Mapping[str, str], regex: Mapping[str, str], texts: Iterable[str]) -> tuple[Matcher, ...]:
    found = [Matcher(name, MatchOp.EQUAL, value) for name, value in equal.items()]
    # Alertmanager keeps these with their anchors, which show in the keys of routes and groups.
    found += [Matcher(name, MatchOp.REGEX, f"^(?:{value})$") for name, value in regex.items()]
    return sorted_matchers([*found, *(matcher for text in texts for matcher in parse_matchers(text))])


def _ranges(texts: list[str] | None, parse: Callable[[str], tuple[int, int]]) -> tuple[tuple[int, int], ...] | None:
    return None if texts is None else tuple(map(parse, texts))
