"""Local time of a place, turned into moments and back, over every change of its clocks. Pure.

A local time that the clocks skip is the moment at which they skip it; one that comes twice is its first coming. So a
later local time is never an earlier moment, and what ends at a local time is what begins at it.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TypeAlias

Zone: TypeAlias = tzinfo | None
"""None for the machine's own, as alerting.time_interval.parse_location has it."""


def local_time(moment: float, zone: Zone) -> datetime:
    """Return what clocks show at a moment (Unix seconds), without a zone."""
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None)


def moment_of(local: datetime, zone: Zone) -> float:
    """Return the moment at which clocks show a local time of whole seconds."""
    after = local.replace(tzinfo=zone, fold=0).timestamp()
    if local_time(after, zone) == local:
        return after
    return _skip(local.replace(tzinfo=zone, fold=1).timestamp(), after, local, zone)


def _skip(before: float, after: float, local: datetime, zone: Zone) -> float:
    """Return the moment between two at which the clocks jump over a local time."""
    low, high = round(before), round(after)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if local_time(middle, zone) < local else (low, middle)
    return float(high)
