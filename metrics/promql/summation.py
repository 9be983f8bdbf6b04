"""Sums that lose nothing by cancellation, as Prometheus' compensated sums do not."""

from __future__ import annotations

import numpy as np

from metrics.frame import FloatArray
from metrics.promql.window import IntArray

_CANCELLED = 16.0
"""A sum whose terms are, without their signs, this many times greater is added up again with care."""


def sum_along(values: FloatArray) -> FloatArray:
    """Return the sums over axis 1 of values of shape (K, W, S): shape (K, S)."""
    plain: FloatArray = values.sum(axis=1)
    size = np.abs(values).sum(axis=1)
    cancelled = (size > np.abs(plain) * _CANCELLED) & np.isfinite(size)
    if cancelled.any():
        columns = cancelled.any(axis=0)
        plain[:, columns] = np.where(cancelled[:, columns], _compensated(values[:, :, columns]), plain[:, columns])
    return plain


def mean_along(values: FloatArray, counts: IntArray) -> FloatArray:
    """Return the means over axis 1 of values (K, W, S), of which `counts` count and the others are 0."""
    sums = sum_along(values)
    overflown = np.isinf(sums)
    means: FloatArray = sums / counts
    if overflown.any():
        # The mean of great values is finite although their sum is not.
        scaled = (values / counts[:, np.newaxis, :]).sum(axis=1)
        means = np.where(overflown & np.isfinite(values).all(axis=1), scaled, means)
    return means


def sum_groups(values: FloatArray, starts: np.ndarray[tuple[int], np.dtype[np.intp]]) -> FloatArray:
    """Return the sums of groups of neighbouring columns: values (T, S), groups from `starts` (G,) on, sums (T, G)."""
    sums: FloatArray = np.add.reduceat(values, starts, axis=1)
    size = np.add.reduceat(np.abs(values), starts, axis=1)
    cancelled = (size > np.abs(sums) * _CANCELLED) & np.isfinite(size)
    if cancelled.any():
        ends = np.append(starts[1:], values.shape[1])
        for row, group in zip(*cancelled.nonzero(), strict=True):
            members = values[row, starts[group] : ends[group]]
            sums[row, group] = _compensated(members[np.newaxis, :, np.newaxis])[0, 0]
    return sums


def _compensated(values: FloatArray) -> FloatArray:
    """Add up pairs, pairs of pairs and so on, together with what each addition rounded away (Knuth's two-sum)."""
    lost = np.zeros((values.shape[0], values.shape[2]))
    while values.shape[1] > 1:
        odd = values[:, -1:] if values.shape[1] % 2 else None
        left, right = values[:, 0 : values.shape[1] - 1 : 2], values[:, 1::2]
        total = left + right
        part = total - left
        lost += ((left - (total - part)) + (right - part)).sum(axis=1)
        values = total if odd is None else np.concatenate([total, odd], axis=1)
    return values[:, 0] + lost
