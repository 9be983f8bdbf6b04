"""Blocks of several times made into blocks of all times. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels
from metrics.storage import MISSING_BITS, Block, is_missing


def join(found: Iterable[tuple[str, Block]]) -> list[tuple[str, Block]]:
    """Return blocks with all that was found of each source, so that no series of a source is in two.

    Args:
        found: source and block; of one source the older ones first.
    """
    by_source: dict[str, list[Block]] = {}
    for source, block in found:
        by_source.setdefault(source, []).append(block)
    return [(source, block) for source, blocks in by_source.items() for block in _joined(blocks)]


def _joined(blocks: list[Block]) -> list[Block]:
    if len(blocks) == 1:
        return blocks
    if all(int(a.timestamps_ms[-1]) < int(b.timestamps_ms[0]) for a, b in pairwise(blocks)):
        return [_chain(blocks)]
    return _by_series(blocks)


def _chain(blocks: Sequence[Block]) -> Block:
    times = np.concatenate([block.timestamps_ms for block in blocks])
    first = blocks[-1].series
    if all(tuple(block.series) == tuple(first) for block in blocks):
        return Block(first, times, np.concatenate([block.values for block in blocks]))
    series = tuple(dict.fromkeys(labels for block in blocks for labels in block.series))
    column_of = {labels: column for column, labels in enumerate(series)}
    values = np.empty((len(times), len(series)), dtype=np.float64)
    values.view(np.uint64)[:] = MISSING_BITS
    row = 0
    for block in blocks:
        end = row + len(block.timestamps_ms)
        values[row:end, [column_of[labels] for labels in block.series]] = block.values
        row = end
    return Block(series, times, values)


def _by_series(blocks: Sequence[Block]) -> list[Block]:
    """Join series one by one, as those that bring their own times need it, and group what has equal times."""
    found: dict[Labels, list[tuple[TimeArray, FloatArray]]] = {}
    for block in blocks:
        there = ~is_missing(block.values)
        for column, labels in enumerate(block.series):
            rows = there[:, column].nonzero()[0]
            found.setdefault(labels, []).append((block.timestamps_ms[rows], block.values[rows, column]))
    groups: dict[bytes, list[tuple[Labels, TimeArray, FloatArray]]] = {}
    for labels, parts in found.items():
        times, first = np.unique(np.concatenate([times for times, _ in parts]), return_index=True)
        if len(times):
            values = np.concatenate([values for _, values in parts])[first]
            groups.setdefault(times.tobytes(), []).append((labels, times, values))
    return [
        Block(
            tuple(labels for labels, _, _ in group), group[0][1], np.stack([values for _, _, values in group], axis=1)
        )
        for group in groups.values()
    ]
