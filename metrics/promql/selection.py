"""Selectors: from a store's blocks to the newest sample of each series at each step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics.frame import FloatArray, TimeArray, is_stale
from metrics.label import Labels
from metrics.promql.ast import VectorSelector
from metrics.promql.run import Run
from metrics.promql.value import BoolArray, IndexArray, Memo, VectorValue, empty, join
from metrics.storage import MISSING, Block, Matcher, is_missing


class Reader:
    """Reads the blocks of one selector; no series is in two of them."""

    def __init__(self, matchers: tuple[Matcher, ...]) -> None:
        self._matchers = matchers
        self._unique: Memo[bool] = Memo()
        self._merged: Memo[tuple[Labels, ...]] = Memo()
        self._joined: Memo[tuple[Labels, ...]] = Memo()
        self._lists: dict[int, tuple[Labels, ...]] = {}

    def read(self, run: Run, start_ms: int, end_ms: int, *, newest: bool = False) -> list[Block]:
        """Return what the store has with start_ms < time <= end_ms; `newest`: older samples of a series may lack."""
        select = run.select_newest if newest else run.select
        blocks = select(self._matchers, start_ms + 1, end_ms)
        if len(blocks) == 1 and isinstance(blocks[0].series, tuple):
            return blocks
        blocks = [self._settled(n, b) for n, b in enumerate(blocks)]
        if len(blocks) > 1:
            sources = tuple(block.series for block in blocks)
            if not self._unique.get(sources, lambda: _all_differ(sources)):
                return [self._merge(blocks, sources)]
        return blocks

    def _settled(self, number: int, block: Block) -> Block:
        """Return a block whose series are the tuple of the last time, where they are equal but made anew."""
        if isinstance(block.series, tuple):
            return block
        series = tuple(block.series)
        known = self._lists.setdefault(number, series)
        if known != series:
            self._lists[number] = known = series
        return Block(known, block.timestamps_ms, block.values)

    def series(self, blocks: Sequence[Block]) -> tuple[Labels, ...]:
        """Return the series of the blocks in a row: the same tuple as long as the blocks' series stay the same."""
        first = blocks[0].series
        if len(blocks) == 1 and isinstance(first, tuple):
            return first
        sources = tuple(block.series for block in blocks)
        return self._joined.get(sources, lambda: tuple(labels for series in sources for labels in series))

    def _merge(self, blocks: Sequence[Block], sources: tuple[Sequence[Labels], ...]) -> Block:
        """Return one block of all; where two have a sample of a series at the same time, the later block's counts."""
        series = self._merged.get(
            sources, lambda: tuple(dict.fromkeys(labels for series in sources for labels in series))
        )
        times = np.unique(np.concatenate([block.timestamps_ms for block in blocks]))
        values = np.full((len(times), len(series)), MISSING)
        column_of = {labels: column for column, labels in enumerate(series)}
        for block in blocks:
            columns = np.array([column_of[labels] for labels in block.series], dtype=np.intp)
            cells = np.ix_(np.searchsorted(times, block.timestamps_ms), columns)
            values[cells] = np.where(is_missing(block.values), values[cells], block.values)
        return Block(series, times, values)


def _all_differ(sources: Sequence[Sequence[Labels]]) -> bool:
    return len({labels for series in sources for labels in series}) == sum(len(series) for series in sources)


class Select:
    """Evaluates an instant vector selector.

    A series is present at a step when its newest sample is younger than the lookback and is no staleness marker.

    Args:
        gives_times: yield the samples' Unix times in seconds instead of their values, as timestamp() wants.
    """

    def __init__(self, node: VectorSelector, matchers: tuple[Matcher, ...], *, gives_times: bool = False) -> None:
        self._reader = Reader(matchers)
        self._offset_ms = node.offset_ms
        self._at = node.at
        self._gives_times = gives_times

    def evaluate(self, run: Run) -> VectorValue:
        """Return the series; their names stay unless it gives times."""
        look = run.shifted(self._offset_ms, self._at) if self._offset_ms or self._at is not None else run
        lookback_ms = run.shared.lookback_ms
        blocks = [
            block
            for block in self._reader.read(look, look.first - lookback_ms, look.last, newest=look.steps == 1)
            if len(block.timestamps_ms) and len(block.series)
        ]
        if not blocks:
            return empty(run.steps)
        series = self._reader.series(blocks)
        if self._gives_times:
            vector = join([_with_times(block, look.times, lookback_ms) for block in blocks], series)
            vector.nameless = True
        elif look.steps == 1:
            vector = _newest(blocks, series)
        else:
            run.shared.touch(look.steps * len(series))
            vector = join([_newest_at(block, look.times, lookback_ms) for block in blocks], series)
        return vector if look.steps == run.steps else spread(vector, run.steps)


def spread(vector: VectorValue, steps: int) -> VectorValue:
    """Return a vector of one step repeated at `steps` of them."""
    shape = (steps, len(vector.series))
    present = None if vector.present is None else np.broadcast_to(vector.present, shape)
    return VectorValue(vector.series, np.broadcast_to(vector.values, shape), present, vector.nameless)


def _newest(blocks: Sequence[Block], series: tuple[Labels, ...]) -> VectorValue:
    """Return the newest samples of blocks that hold nothing outside the lookback."""
    rows = [block.values[-1] for block in blocks]
    row = rows[0] if len(rows) == 1 else np.concatenate(rows)
    total = row.item() if len(row) == 1 else row.sum()
    if total == total:  # noqa: PLR0124 - false exactly for NaN, which holes and markers are: nothing to look for
        return VectorValue(series, row[np.newaxis])
    rows = [_fill_from_above(block) for block in blocks]
    row = rows[0] if len(rows) == 1 else np.concatenate(rows)
    return VectorValue(series, row[np.newaxis], ~(is_missing(row) | is_stale(row))[np.newaxis])


def _fill_from_above(block: Block) -> FloatArray:
    """Return the last row of a block, its holes filled with the newest sample above them."""
    row: FloatArray = block.values[-1]
    holes = is_missing(row).nonzero()[0]
    if len(holes) == 0 or len(block.timestamps_ms) == 1:
        return row
    above = block.values[-2::-1, holes]
    newest = (~is_missing(above)).argmax(axis=0)
    row = row.copy()
    row[holes] = above[newest, np.arange(len(holes))]
    return row


def _newest_at(block: Block, times: TimeArray, lookback_ms: int) -> VectorValue:
    rows, present = _rows_at(block, times, lookback_ms)
    if rows.shape[1] < len(block.series):
        values = block.values[rows[:, 0]]
        if present is not None:
            present = np.broadcast_to(present, values.shape)
        return VectorValue((), values, present)
    values = np.take_along_axis(block.values, rows, axis=0)
    stale = is_stale(values)
    return VectorValue((), values, ~stale if present is None else present & ~stale)


def _rows_at(block: Block, times: TimeArray, lookback_ms: int) -> tuple[IndexArray, BoolArray | None]:
    """Return each step's row of the newest sample, shape (T, S), or (T, 1) where no series has a hole."""
    stamps = block.timestamps_ms
    rows = (np.searchsorted(stamps, times, side="right") - 1)[:, np.newaxis]
    if np.isnan(block.values.sum()):
        numbers = np.arange(len(stamps))[:, np.newaxis]
        newest = np.maximum.accumulate(np.where(is_missing(block.values), -1, numbers), axis=0)
        rows = np.where(rows >= 0, newest[np.maximum(rows[:, 0], 0)], -1)
    present = rows >= 0
    rows = np.maximum(rows, 0)
    present &= stamps[rows] > times[:, np.newaxis] - lookback_ms
    return rows, None if present.all() else present


def _with_times(block: Block, times: TimeArray, lookback_ms: int) -> VectorValue:
    rows, _ = _rows_at(block, times, lookback_ms)
    shape = (len(times), len(block.series))
    vector = _newest_at(block, times, lookback_ms)
    stamps = np.broadcast_to(block.timestamps_ms[rows] / 1000.0, shape)
    return VectorValue((), stamps, vector.present)
