"""A store in memory that does the obvious, slowly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from metrics.label import Labels, label_value
from metrics.storage import MISSING, Block, Matcher


class FakeStorage:
    """Implements metrics.storage.Storage; series are given whole, and those with equal times share a block."""

    def __init__(self) -> None:
        self._series: dict[Labels, dict[int, np.float64]] = {}
        self._blocks: list[Block] | None = None

    def add(self, labels: Labels, samples: Mapping[int, float]) -> None:
        """Put samples, by Unix milliseconds, into a series."""
        self._series.setdefault(labels, {}).update({time: np.float64(value) for time, value in samples.items()})
        self._blocks = None

    def add_block(self, block: Block) -> None:
        """Put a block in as it is, after the series."""
        self._built().append(block)

    def clear(self) -> None:
        self._series.clear()
        self._blocks = None

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        found = []
        for block in self._built():
            columns = [n for n, labels in enumerate(block.series) if _matches(labels, matchers)]
            low, high = np.searchsorted(block.timestamps_ms, [start_ms, end_ms + 1])
            if columns and low < high:
                series = tuple(block.series[column] for column in columns)
                found.append(Block(series, block.timestamps_ms[low:high], block.values[low:high, columns]))
        return found

    def _built(self) -> list[Block]:
        if self._blocks is None:
            self._blocks = [_block(times, group, self._series) for times, group in self._groups().items()]
        return self._blocks

    def _groups(self) -> dict[tuple[int, int], list[Labels]]:
        """Series that begin and end together share a block; between, their samples may differ."""
        groups: dict[tuple[int, int], list[Labels]] = {}
        for labels, samples in self._series.items():
            if samples:
                groups.setdefault((min(samples), max(samples)), []).append(labels)
        return groups


def _matches(labels: Labels, matchers: Sequence[Matcher]) -> bool:
    return all(matcher.matches(label_value(labels, matcher.name)) for matcher in matchers)


def _block(_times: tuple[int, int], group: list[Labels], series: dict[Labels, dict[int, np.float64]]) -> Block:
    stamps = sorted({time for labels in group for time in series[labels]})
    row_of = {time: row for row, time in enumerate(stamps)}
    values = np.full((len(stamps), len(group)), MISSING)
    for column, labels in enumerate(group):
        samples = series[labels]
        rows = [row_of[time] for time in samples]
        values[rows, column] = np.array(list(samples.values()), dtype=np.float64)
    return Block(tuple(group), np.array(stamps, dtype=np.int64), values)
