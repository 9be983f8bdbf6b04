"""histogram_quantile() of classic histograms: series with cumulative counts, one for each upper bound `le`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.frame import FloatArray
from metrics.label import Labels, label_value, metric_name
from metrics.promql.function import scalar_of, vector_of
from metrics.promql.quantile import check_fraction
from metrics.promql.run import Operator, Run
from metrics.promql.value import IndexArray, Memo, VectorValue, empty
from metrics.promql.window import Parameter

_SMALL = 1e-12
"""Relative differences of neighbouring buckets up to this are rounding errors, as in Prometheus."""

_TOLD = 10
"""How many malformed values of `le` are told of."""

_NUMBER = re.compile(r"[+-]?(?:inf(?:inity)?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class _Alike:
    """Histograms with the same bounds.

    Attributes:
        bounds: ascending, shape (B,).
        columns: where their buckets are, shape (G, B).
        places: where their results go, shape (G,).
    """

    bounds: FloatArray
    columns: IndexArray
    places: IndexArray


@dataclass(frozen=True, slots=True, eq=False)
class _Histograms:
    """All histograms of a vector: their labels without `le`, in sets that are alike.

    `malformed` says which series have no number as `le`; only the first few.
    """

    series: tuple[Labels, ...]
    alike: tuple[_Alike, ...]
    malformed: tuple[str, ...]


class HistogramQuantile:
    """Evaluates histogram_quantile()."""

    def __init__(self, fraction: Operator, vector: Operator) -> None:
        self._fraction = fraction
        self._vector = vector
        self._memo: Memo[_Histograms] = Memo()

    def evaluate(self, run: Run) -> VectorValue:
        """Return one value per histogram."""
        fraction = scalar_of(self._fraction.evaluate(run))
        check_fraction(run, fraction)
        vector = vector_of(self._vector.evaluate(run))
        run.check_time()
        found = self._memo.get((vector.series,), lambda: _find(vector.series))
        for warning in found.malformed:
            run.warn(warning)
        if not found.series:
            return empty(run.steps)
        values = np.full((run.steps, len(found.series)), np.nan)
        present = np.zeros(values.shape, dtype=np.bool_)
        mask = vector.mask()
        fixed = False
        for alike in found.alike:
            counts, there = vector.values[:, alike.columns], mask[:, alike.columns]
            whole = there.all(axis=2)
            part, mended = quantile_of_buckets(fraction, alike.bounds, counts)
            values[:, alike.places] = part
            present[:, alike.places] = there.any(axis=2)
            fixed |= bool((mended & whole).any())
            for step, number in np.argwhere(there.any(axis=2) & ~whole):
                some = there[step, number]
                at_step = fraction if isinstance(fraction, float) else fraction[step : step + 1]
                one, mended = quantile_of_buckets(
                    at_step, alike.bounds[some], counts[step, number, some][np.newaxis, np.newaxis]
                )
                values[step, alike.places[number]] = one[0, 0]
                fixed |= bool(mended.any())
        if fixed:
            run.inform(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/"
                f"prometheus/latest/querying/functions/#histogram_quantile){_for(metric_name(vector.series[0]))}"
            )
        return VectorValue(found.series, values, present, nameless=True)


def _for(name: str) -> str:
    return f' for metric name "{name}"' if name else ""


def _find(series: Sequence[Labels]) -> _Histograms:
    buckets: dict[Labels, list[tuple[float, int]]] = {}
    malformed: dict[str, None] = {}
    for column, labels in enumerate(series):
        text = label_value(labels, "le")
        if _NUMBER.fullmatch(text):
            rest = tuple(pair for pair in labels if pair[0] != "le")
            buckets.setdefault(rest, []).append((float(text), column))
        elif len(malformed) < _TOLD:
            name = _for(metric_name(labels))
            malformed[f'bucket label "le" is missing or has a malformed value of "{text}"{name}'] = None
    alike: dict[tuple[float, ...], list[tuple[int, list[int]]]] = {}
    for place, pairs in enumerate(buckets.values()):
        pairs.sort(key=lambda pair: pair[0])
        alike.setdefault(tuple(bound for bound, _ in pairs), []).append((place, [column for _, column in pairs]))
    sets = tuple(
        _Alike(
            np.array(bounds),
            np.array([columns for _, columns in members], dtype=np.intp),
            np.array([place for place, _ in members], dtype=np.intp),
        )
        for bounds, members in alike.items()
    )
    return _Histograms(tuple(buckets), sets, tuple(malformed))


def quantile_of_buckets(
    fraction: Parameter, bounds: FloatArray, counts: FloatArray
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Return quantiles of histograms by linear interpolation inside a bucket, and whether counts had to be mended.

    Args:
        fraction: a number or shape (T, 1).
        bounds: upper bounds, ascending, shape (B,); the same bound may be there twice.
        counts: cumulative, shape (T, G, B).
    Returns: two arrays of shape (T, G).
    Source: Prometheus, promql/quantile.go, BucketQuantile.
    """
    shape = counts.shape[:2]
    none = np.zeros(shape, dtype=np.bool_)
    fractions = np.broadcast_to(fraction, shape)
    outside = np.where(fractions < 0, -np.inf, np.where(fractions > 1, np.inf, np.nan))
    unique, starts = np.unique(bounds, return_index=True)
    if len(unique) < 2 or not np.isposinf(unique[-1]):
        return outside, none
    counts, mended = _monotonic(np.add.reduceat(counts, starts, axis=2))
    total = counts[:, :, -1]
    rank = fractions * total
    place = (~(counts[:, :, :-1] >= rank[:, :, np.newaxis])).sum(axis=2)
    last = len(unique) - 1
    before = np.maximum(place - 1, 0)
    below = np.where(place > 0, np.take_along_axis(counts, before[:, :, np.newaxis], axis=2)[:, :, 0], 0.0)
    start = np.where(place > 0, unique[before], 0.0)
    inside = np.take_along_axis(counts, place[:, :, np.newaxis], axis=2)[:, :, 0] - below
    result = start + (unique[place] - start) * ((rank - below) / inside)
    result = np.where((place == 0) & (unique[0] <= 0), unique[0], result)
    result = np.where(place == last, unique[last - 1], result)
    result = np.where(total == 0, np.nan, result)
    return np.where((fractions >= 0) & (fractions <= 1), result, outside), mended


def _monotonic(counts: FloatArray) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Return counts that never fall, and where they fell by more than rounding explains."""
    counts = counts.copy()
    mended = np.zeros(counts.shape[:2], dtype=np.bool_)
    for place in range(1, counts.shape[2]):
        before, here = counts[:, :, place - 1], counts[:, :, place]
        alike = np.abs(here - before) <= _SMALL * (np.abs(here) + np.abs(before))
        falls = (here < before) & ~alike
        mended |= falls
        counts[:, :, place] = np.where(alike | falls, before, here)
    return counts, mended
