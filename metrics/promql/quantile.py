"""Quantiles of samples, with linear interpolation between neighbours; NaN is less than every number."""

from __future__ import annotations

import numpy as np

from metrics.frame import FloatArray
from metrics.promql.run import Run
from metrics.promql.window import IntArray, Parameter


def quantile_along(values: FloatArray, counts: IntArray, fraction: Parameter) -> FloatArray:
    """Return quantiles over axis 1.

    Args:
        values: shape (K, W, S), NaN where there is no sample.
        counts: how many samples there are, those that are NaN included; shape (K, S) or (K, 1).
        fraction: which quantile, a number or shape (K, 1); below 0 gives -Inf, above 1 +Inf, NaN gives NaN.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    nans = counts - (~np.isnan(ordered)).sum(axis=1)
    clipped = np.clip(np.nan_to_num(fraction), 0.0, 1.0)
    rank = clipped * (counts - 1)
    low = np.maximum(np.floor(rank), 0.0).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(counts - 1, 0))
    weight = rank - np.floor(rank)
    below, above = _pick(ordered, low - nans), _pick(ordered, high - nans)
    result = below * (1 - weight) + above * weight
    result = np.where(np.asarray(fraction) < 0, -np.inf, np.where(np.asarray(fraction) > 1, np.inf, result))
    return np.where(np.isnan(fraction), np.nan, result)


def check_fraction(run: Run, fraction: Parameter) -> None:
    """Warn where a fraction is outside 0 to 1."""
    if isinstance(fraction, float) and 0 <= fraction <= 1:
        return
    wrong = ~((np.asarray(fraction) >= 0) & (np.asarray(fraction) <= 1))
    if wrong.any():
        value = np.broadcast_to(fraction, wrong.shape)[wrong].flat[0]
        run.warn(f"quantile value should be between 0 and 1, got {value:g}")


def _pick(ordered: FloatArray, places: IntArray) -> FloatArray:
    shape = (ordered.shape[0], 1, ordered.shape[2])
    rows = np.broadcast_to(np.maximum(places, 0)[:, np.newaxis, :], shape)
    picked = np.take_along_axis(ordered, rows, axis=1)[:, 0]
    return np.where(places < 0, np.nan, picked)
