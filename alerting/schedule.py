"""On-call schedules: who is on call when. Pure.

A schedule is made of layers, each a rotation of people in turns, perhaps only in some hours of the week. A later layer
goes before earlier ones wherever it has somebody, and an override before all. Turns change at a time of day of the
schedule's time zone, whatever its clocks do meanwhile. Moments are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from alerting.hours import Hours
from alerting.local_time import Zone, local_time, moment_of

_HORIZONS_DAYS = (8, 40, 370)
"""How far the next change is looked for: most hand-overs come within a week, and looking far costs more."""


@dataclass(frozen=True, slots=True)
class Layer:
    """People who take turns.

    Attributes:
        turns: who is on call in each turn, in order; after the last comes the first again.
        first: the local time at which the first turn begins.
        turn_seconds: how long a turn is on the clocks of the place.
        begins, ends: moments before and from which the layer has nobody; None for no such limit.
        hours: the only hours in which it has somebody; None for all.
    """

    turns: tuple[tuple[str, ...], ...]
    zone: Zone
    first: datetime
    turn_seconds: int
    begins: float | None = None
    ends: float | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody who stands in for a time.

    Attributes:
        instead_of: whose place it is; empty for that of all who are on call then.
        id: 0 for one that stands in the config file.
    """

    schedule: str
    person: str
    starts_at: float
    ends_at: float
    instead_of: str = ""
    id: int = 0
    created_by: str = ""
    comment: str = ""

    def holds(self, moment: float) -> bool:
        """Tell whether it counts at a moment."""
        return self.starts_at <= moment < self.ends_at


@dataclass(frozen=True, slots=True)
class Schedule:
    """Layers, the last of which goes first, and overrides, the last of which goes first."""

    name: str
    zone: Zone
    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Shift:
    """A time in which the same people are on call; nobody where `people` is empty."""

    starts_at: float
    ends_at: float
    people: tuple[str, ...]


def on_call(schedule: Schedule, moment: float) -> tuple[str, ...]:
    """Return who is on call at a moment."""
    people = next((found for layer in reversed(schedule.layers) if (found := _in_layer(layer, moment))), ())
    for override in schedule.overrides:
        if override.holds(moment):
            people = _stand_in(people, override)
    return tuple(dict.fromkeys(people))


def shifts(schedule: Schedule, start: float, end: float) -> list[Shift]:
    """Return who is on call from one moment to another, in order and without holes; at least one, if start < end."""
    found: list[Shift] = []
    moments = [*sorted({start, *_edges(schedule, start, end)}), end]
    for begin, finish in pairwise(moments):
        people = on_call(schedule, begin)
        if found and found[-1].people == people:
            found[-1] = Shift(found[-1].starts_at, finish, people)
        elif begin < finish:
            found.append(Shift(begin, finish, people))
    return found


def next_shift(schedule: Schedule, moment: float) -> Shift | None:
    """Return the shift that follows the one at a moment; None where the same people stay for a year.

    Its end is no later than a year after the moment, whoever is on call then.
    """
    for days in _HORIZONS_DAYS:
        coming = shifts(schedule, moment, moment + days * 86_400)
        if len(coming) > 2 or (days == _HORIZONS_DAYS[-1] and len(coming) == 2):
            return coming[1]
    return None


def turn_at(layer: Layer, moment: float) -> int:
    """Return the number of the turn at a moment, 0 for the first; below 0 before it."""
    passed = local_time(moment, layer.zone) - layer.first
    number = passed // timedelta(seconds=layer.turn_seconds)
    # Around a change of the clocks the division may be off by the hours that were skipped or came twice.
    while turn_start(layer, number + 1) <= moment:
        number += 1
    while turn_start(layer, number) > moment:
        number -= 1
    return number


def turn_start(layer: Layer, number: int) -> float:
    """Return the moment at which a turn begins."""
    return moment_of(layer.first + timedelta(seconds=number * layer.turn_seconds), layer.zone)


def _in_layer(layer: Layer, moment: float) -> tuple[str, ...]:
    if layer.begins is not None and moment < layer.begins:
        return ()
    if layer.ends is not None and moment >= layer.ends:
        return ()
    if layer.hours is not None and not layer.hours.contains(moment):
        return ()
    return layer.turns[turn_at(layer, moment) % len(layer.turns)]


def _stand_in(people: Sequence[str], override: Override) -> tuple[str, ...]:
    if not override.instead_of:
        return (override.person,)
    return tuple(override.person if person == override.instead_of else person for person in people)


def _edges(schedule: Schedule, start: float, end: float) -> Iterator[float]:
    """Yield, in no order, every moment between two at which somebody may come or go."""
    for layer in schedule.layers:
        yield from (edge for edge in (layer.begins, layer.ends) if edge is not None and start < edge < end)
        if layer.hours is not None:
            yield from layer.hours.edges(start, end)
        if len(layer.turns) > 1:
            yield from _hand_overs(layer, start, end)
    for override in schedule.overrides:
        yield from (edge for edge in (override.starts_at, override.ends_at) if start < edge < end)


def _hand_overs(layer: Layer, start: float, end: float) -> Iterator[float]:
    number = turn_at(layer, start) + 1
    while (moment := turn_start(layer, number)) < end:
        if moment > start:
            yield moment
        number += 1
