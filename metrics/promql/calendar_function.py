"""Functions that read a Unix time as a date in UTC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metrics.frame import FloatArray

_DAY = 86_400
_Seconds = NDArray[np.int64]
_Numbers = NDArray[np.int64]


def _days(seconds: _Seconds) -> NDArray[np.datetime64]:
    return (seconds // _DAY).astype("datetime64[D]")


def _year(seconds: _Seconds) -> _Numbers:
    years: _Numbers = _days(seconds).astype("datetime64[Y]").astype(np.int64) + 1970
    return years


def _month(seconds: _Seconds) -> _Numbers:
    months: _Numbers = _days(seconds).astype("datetime64[M]").astype(np.int64) % 12 + 1
    return months


def _day_of_month(seconds: _Seconds) -> _Numbers:
    days = _days(seconds)
    number: _Numbers = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    return number


def _day_of_year(seconds: _Seconds) -> _Numbers:
    days = _days(seconds)
    number: _Numbers = (days - days.astype("datetime64[Y]")).astype(np.int64) + 1
    return number


def _days_in_month(seconds: _Seconds) -> _Numbers:
    months = _days(seconds).astype("datetime64[M]")
    first, following = months.astype("datetime64[D]"), (months + 1).astype("datetime64[D]")
    count: _Numbers = (following - first).astype(np.int64)
    return count


def _of_dates(part: Callable[[_Seconds], _Numbers]) -> Callable[[FloatArray], FloatArray]:
    def compute(values: FloatArray) -> FloatArray:
        # NaN has no date, and numpy has none beyond some hundred million years.
        known = np.abs(values) < 1e15
        seconds = np.where(known, values, 0.0).astype(np.int64)
        return np.where(known, part(seconds).astype(np.float64), np.nan)

    return compute


CALENDAR: dict[str, Callable[[FloatArray], FloatArray]] = {
    "day_of_month": _of_dates(_day_of_month),
    "day_of_week": _of_dates(lambda seconds: (seconds // _DAY + 4) % 7),
    "day_of_year": _of_dates(_day_of_year),
    "days_in_month": _of_dates(_days_in_month),
    "hour": _of_dates(lambda seconds: seconds // 3600 % 24),
    "minute": _of_dates(lambda seconds: seconds // 60 % 60),
    "month": _of_dates(_month),
    "year": _of_dates(_year),
}
"""By name: Unix seconds to the part of the date; fractions are cut off towards zero."""
