"""Whether the data behind an alert is back after a restart or a step of the clock.

An empty result then says nothing: the samples that the rule reads may simply not be there yet. It is believed once,
for each selector of the rule, the range it reads has been filled since the interruption, and a sample has arrived of
a series that the alert can come from. Data that never comes back is waited for no longer than `settle_seconds`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerting.alert import Moment
from metrics.label import Labels
from metrics.promql.parse import Expression
from metrics.storage import Block, Storage, is_missing

STEP_SECONDS = 5.0
"""A wall clock that moves by more than this against the monotonic one has been stepped (NTP slews stay far below)."""

LOOKBACK_SECONDS = 300.0


@dataclass(slots=True)
class Interruption:
    """The last moment at which the past was lost: the start, or a step of the wall clock."""

    settle_seconds: float
    at: Moment
    _offset: float = field(init=False)

    def __post_init__(self) -> None:
        self._offset = self.at.wall - self.at.monotonic

    def notice(self, now: Moment) -> float:
        """Return by how many seconds the wall clock was stepped since the last call; 0.0 for none."""
        offset = now.wall - now.monotonic
        moved, self._offset = offset - self._offset, offset
        if abs(moved) <= STEP_SECONDS:
            return 0.0
        self.at = now
        return moved

    def is_over(self, expression: Expression, now: Moment) -> bool:
        """Tell whether nothing of the interruption can show in the expression's result any more."""
        return now.monotonic - self.at.monotonic >= self.settle_seconds + reach_seconds(expression)


def reach_seconds(expression: Expression) -> float:
    """Return how far back from its evaluation an expression reads, beyond the newest sample."""
    return max((use.range_ms + max(0, use.offset_ms) for use in expression.selectors), default=0) / 1000


class Presence:
    """Answers for one evaluation of one rule; asks the store at most once per selector."""

    def __init__(self, storage: Storage, expression: Expression, interruption: Interruption, now: Moment) -> None:
        self._storage = storage
        self._expression = expression
        self._since = interruption.at
        self._now = now
        self._found: list[list[dict[str, str]]] | None = None

    def is_back(self, series: Labels) -> bool:
        """Tell whether the data of an alert that came from these series labels is back."""
        elapsed = self._now.monotonic - self._since.monotonic
        if not self._expression.selectors or elapsed < reach_seconds(self._expression):
            return not self._expression.selectors
        if self._found is None:
            self._found = self._look()
        return all(any(_agree(candidate, series) for candidate in candidates) for candidates in self._found)

    def _look(self) -> list[list[dict[str, str]]]:
        now_ms = round(self._now.wall * 1000)
        start_ms = max(round(self._since.wall * 1000), now_ms - round(LOOKBACK_SECONDS * 1000))
        found = []
        for use in self._expression.selectors:
            blocks = self._storage.select(use.matchers, start_ms, now_ms)
            found.append([dict(labels) for block in blocks for labels in _with_samples(block)])
        return found


def _with_samples(block: Block) -> list[Labels]:
    holes: NDArray[np.bool_] = np.all(is_missing(block.values), axis=0)
    return [labels for labels, hole in zip(block.series, holes, strict=True) if not hole]


def _agree(candidate: dict[str, str], series: Labels) -> bool:
    return all(candidate.get(name, value) == value for name, value in series)
