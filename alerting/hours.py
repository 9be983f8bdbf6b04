"""Hours of the week, such as those in which an office is open. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from alerting.local_time import Zone, local_time, moment_of

DAY = timedelta(days=1)
_SEARCH_DAYS = 15
"""A window of one weekday may fall into an hour that the clocks skip; a week later it is there."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time of some days.

    Attributes:
        days: of the week on which it begins, 0 for Monday.
        start, end: minutes since midnight; an end that is not after the start is that of the next day.
    """

    days: frozenset[int]
    start: int
    end: int

    def on(self, day: date, zone: Zone) -> tuple[float, float] | None:
        """Return the moments between which it is open that begins on a day; None where it does not."""
        if day.weekday() not in self.days:
            return None
        midnight = datetime.combine(day, time())
        length = self.end - self.start + (1440 if self.end <= self.start else 0)
        start = midnight + timedelta(minutes=self.start)
        return moment_of(start, zone), moment_of(start + timedelta(minutes=length), zone)


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows in the time of one place; moments are Unix seconds."""

    windows: tuple[Window, ...]
    zone: Zone

    def contains(self, moment: float) -> bool:
        """Tell whether a moment lies in one of the windows."""
        return any(start <= moment < end for start, end in self._spans(moment, moment))

    def edges(self, start: float, end: float) -> Iterator[float]:
        """Yield, in no order, the moments between two at which a window begins or ends."""
        for span in self._spans(start, end):
            yield from (edge for edge in span if start < edge < end)

    def next_open(self, moment: float) -> float | None:
        """Return the first moment from this one on that lies in a window; None where none comes."""
        if self.contains(moment):
            return moment
        horizon = moment + _SEARCH_DAYS * 86_400
        starts = [start for start, end in self._spans(moment, horizon) if moment < start < end]
        return min(starts, default=None)

    def _spans(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        day = local_time(start, self.zone).date() - DAY
        last = local_time(end, self.zone).date() + DAY
        while day <= last:
            for window in self.windows:
                span = window.on(day, self.zone)
                if span is not None and span[0] < span[1]:
                    yield span
            day += DAY
