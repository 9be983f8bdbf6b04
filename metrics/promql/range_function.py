"""What range functions compute from the samples of a window; see Prometheus' documentation, "Functions"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.frame import FloatArray
from metrics.promql.error import QueryError
from metrics.promql.quantile import quantile_along
from metrics.promql.summation import mean_along, sum_along
from metrics.promql.value import BoolArray
from metrics.promql.window import Kernel, Parameter, Window


@dataclass(frozen=True, slots=True)
class RangeFunction:
    """How a range function is evaluated.

    Attributes:
        minimum: how many samples a window needs.
        range_argument: which argument the range vector is; the others are scalars, in order.
        follows_steps: it looks at the evaluation time itself.
        wants_counter: it makes sense only for counters.
    """

    kernel: Kernel
    minimum: int = 1
    range_argument: int = 0
    keeps_name: bool = False
    follows_steps: bool = False
    wants_counter: bool = False


def _rate(window: Window) -> FloatArray:
    change, factor = _extrapolated(window, _increments(window), is_counter=True)
    return change * (factor / window.seconds)


def _increase(window: Window) -> FloatArray:
    change, factor = _extrapolated(window, _increments(window), is_counter=True)
    return change * factor


def _delta(window: Window) -> FloatArray:
    change, factor = _extrapolated(window, window.back(0)[0] - window.values[:, 0], is_counter=False)
    return change * factor


def _extrapolated(window: Window, change: FloatArray, *, is_counter: bool) -> tuple[FloatArray, Parameter]:
    """Return a change between the first and the last sample, and the factor that extends it to the whole window.

    Where the samples end near the window's edge (within 1.1 of their mean distance) the series is taken to go on up
    to the edge, else half a distance further; and a counter never goes below zero.

    Source: Prometheus, promql/functions.go, extrapolatedRate.
    """
    one = window.full and window.times.size == window.values.shape[1]
    sampled, to_start, to_end = _one_extension(window) if one else _extensions(window)
    if is_counter:
        first = window.values[:, 0]
        from_zero = first * sampled < change * to_start
        if from_zero.any():
            to_start = np.where(from_zero & (first >= 0), sampled * (first / change), to_start)
    return change, (sampled + to_start + to_end) / sampled


def _extensions(window: Window) -> tuple[Parameter, Parameter, Parameter]:
    """Return the seconds between first and last sample, and how far to go on before and after them."""
    first_time, last_time = window.times[:, 0], window.back(0)[1]
    sampled = (last_time - first_time) / 1000.0
    distance = sampled / np.maximum(window.counts - 1, 1)
    to_start = (first_time - window.starts) / 1000.0
    to_end = (window.ends - last_time) / 1000.0
    return (
        sampled,
        np.where(to_start >= distance * 1.1, distance / 2, to_start),
        np.where(to_end >= distance * 1.1, distance / 2, to_end),
    )


def _one_extension(window: Window) -> tuple[float, float, float]:
    """Return the same for a single window over series with the same times: a dozen array operations fewer."""
    first_time, last_time = window.times[0, 0, 0].item(), window.times[0, -1, 0].item()
    sampled = (last_time - first_time) / 1000.0
    distance = sampled / (window.times.shape[1] - 1)
    to_start = (first_time - window.starts.item()) / 1000.0
    to_end = (window.ends.item() - last_time) / 1000.0
    return (
        sampled,
        distance / 2 if to_start >= distance * 1.1 else to_start,
        distance / 2 if to_end >= distance * 1.1 else to_end,
    )


def _increments(window: Window) -> FloatArray:
    """Return how much counters grew from the first to the last sample, going on after each reset."""
    change: FloatArray = window.back(0)[0] - window.values[:, 0]
    drops = _drops(window)
    if not drops.any():
        return change
    columns = np.logical_or.reduce(drops, axis=(0, 1)).nonzero()[0]
    lost = np.where(drops[:, :, columns], window.values[:, :-1, columns], 0.0).sum(axis=1)
    change[:, columns] += lost
    return change


def _drops(window: Window) -> BoolArray:
    drops: BoolArray = window.values[:, 1:] < window.values[:, :-1]
    return drops if window.full else drops & window.valid()[:, 1:]


def _irate(window: Window) -> FloatArray:
    (last, last_time), (before, before_time) = window.back(0), window.back(1)
    change = np.where(last < before, last, last - before)
    return change / ((last_time - before_time) / 1000.0)


def _idelta(window: Window) -> FloatArray:
    return window.back(0)[0] - window.back(1)[0]


def _resets(window: Window) -> FloatArray:
    resets: FloatArray = _drops(window).sum(axis=1, dtype=np.float64)
    return resets


def _changes(window: Window) -> FloatArray:
    after, before = window.values[:, 1:], window.values[:, :-1]
    differs = (after != before) & ~(np.isnan(after) & np.isnan(before))
    if not window.full:
        differs &= window.valid()[:, 1:]
    changes: FloatArray = differs.sum(axis=1, dtype=np.float64)
    return changes


def _sum(window: Window) -> FloatArray:
    return sum_along(window.filled(0.0))


def _mean(window: Window) -> FloatArray:
    return mean_along(window.filled(0.0), window.counts)


def _minimum(window: Window) -> FloatArray:
    least: FloatArray = np.fmin.reduce(window.filled(np.nan), axis=1)
    return least


def _maximum(window: Window) -> FloatArray:
    greatest: FloatArray = np.fmax.reduce(window.filled(np.nan), axis=1)
    return greatest


def _count(window: Window) -> FloatArray:
    return np.broadcast_to(window.counts.astype(np.float64), window.shape)


def _last(window: Window) -> FloatArray:
    return window.back(0)[0]


def _present(window: Window) -> FloatArray:
    return np.ones(window.shape)


def _variance(window: Window) -> FloatArray:
    # Taken from the first value, equal values give exactly 0.
    deviations = window.values - window.values[:, :1]
    if not window.full:
        deviations = np.where(window.valid(), deviations, 0.0)
    centered = deviations - (deviations.sum(axis=1) / window.counts)[:, np.newaxis]
    if not window.full:
        centered = np.where(window.valid(), centered, 0.0)
    variance: FloatArray = (centered * centered).sum(axis=1) / window.counts
    return variance


def _deviation(window: Window) -> FloatArray:
    return np.sqrt(_variance(window))


def _quantile(window: Window, fraction: Parameter) -> FloatArray:
    return quantile_along(window.filled(np.nan), window.counts, fraction)


def _median_deviation(window: Window) -> FloatArray:
    median = quantile_along(window.filled(np.nan), window.counts, 0.5)
    distances = np.abs(window.filled(np.nan) - median[:, np.newaxis])
    return quantile_along(distances, window.counts, 0.5)


def _derivative(window: Window) -> FloatArray:
    return _line(window, window.times[:, :1])[0]


def _predict(window: Window, seconds: Parameter) -> FloatArray:
    slope, intercept = _line(window, window.steps[:, :, np.newaxis])
    return slope * seconds + intercept


def _line(window: Window, origin: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> tuple[FloatArray, FloatArray]:
    """Return slope per second and value at `origin` of the least-squares line through each window's samples.

    A constant series has exactly slope 0. Source: Prometheus, promql/functions.go, linearRegression.
    """
    x = np.broadcast_to((window.times - origin) / 1000.0, window.values.shape)
    x = x if window.full else np.where(window.valid(), x, 0.0)
    y = window.filled(0.0)
    sum_x, sum_y = sum_along(x), sum_along(y)
    covariance = sum_along(x * y) - sum_x * sum_y / window.counts
    variance = sum_along(x * x) - sum_x * sum_x / window.counts
    slope = covariance / variance
    intercept = sum_y / window.counts - slope * sum_x / window.counts
    first = window.values[:, 0]
    differs = window.values != window.values[:, :1]
    constant = ~(differs if window.full else differs & window.valid()).any(axis=1)
    infinite = np.isinf(first)
    slope = np.where(constant, np.where(infinite, np.nan, 0.0), slope)
    return slope, np.where(constant, np.where(infinite, np.nan, first), intercept)


def _smoothed(window: Window, smoothing: Parameter, trend: Parameter) -> FloatArray:
    """Smooth exponentially, twice: once the values, once their trend (Holt's method without seasons)."""
    for name, factor in (("smoothing", smoothing), ("trend", trend)):
        wrong = ~((np.asarray(factor) > 0) & (np.asarray(factor) < 1))
        if wrong.any():
            value = np.broadcast_to(factor, wrong.shape)[wrong].flat[0]
            raise QueryError(f"the {name} factor of double_exponential_smoothing is {value:g}; give 0 < factor < 1")
    before, level = np.zeros(window.shape), window.values[:, 0].copy()
    slope = window.values[:, 1] - window.values[:, 0]
    for place in range(1, window.values.shape[1]):
        here = place < window.counts
        if place > 1:
            slope = np.where(here, trend * (level - before) + (1 - trend) * slope, slope)
        smoothed = smoothing * window.values[:, place] + (1 - smoothing) * (level + slope)
        before, level = np.where(here, level, before), np.where(here, smoothed, level)
    return level


RANGE_FUNCTIONS: dict[str, RangeFunction] = {
    "avg_over_time": RangeFunction(_mean),
    "changes": RangeFunction(_changes),
    "count_over_time": RangeFunction(_count),
    "delta": RangeFunction(_delta, minimum=2),
    "deriv": RangeFunction(_derivative, minimum=2),
    "double_exponential_smoothing": RangeFunction(_smoothed, minimum=2),
    "idelta": RangeFunction(_idelta, minimum=2),
    "increase": RangeFunction(_increase, minimum=2, wants_counter=True),
    "irate": RangeFunction(_irate, minimum=2, wants_counter=True),
    "last_over_time": RangeFunction(_last, keeps_name=True),
    "mad_over_time": RangeFunction(_median_deviation),
    "max_over_time": RangeFunction(_maximum),
    "min_over_time": RangeFunction(_minimum),
    "predict_linear": RangeFunction(_predict, minimum=2, follows_steps=True),
    "present_over_time": RangeFunction(_present),
    "quantile_over_time": RangeFunction(_quantile, range_argument=1),
    "rate": RangeFunction(_rate, minimum=2, wants_counter=True),
    "resets": RangeFunction(_resets),
    "stddev_over_time": RangeFunction(_deviation),
    "stdvar_over_time": RangeFunction(_variance),
    "sum_over_time": RangeFunction(_sum),
}
"""By name. absent_over_time is elsewhere: it yields one series for all."""
