"""How large a store is, and what makes it large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Ranking: TypeAlias = tuple[tuple[str, int], ...]
"""Names with a number each, the largest first."""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """The size of a store.

    Attributes:
        label_pairs: how many different pairs of name and value there are.
        chunks: how many pieces of memory hold the samples.
        first_ms, last_ms: the times of the oldest and the newest sample; None where there is none.
        series_by_metric: metrics with the most series.
        values_by_label: labels with the most different values.
        bytes_by_label: labels whose values take the most room, each counted once.
        series_by_pair: pairs `name=value` that the most series have.
    """

    series: int
    label_pairs: int
    chunks: int
    first_ms: int | None
    last_ms: int | None
    series_by_metric: Ranking
    values_by_label: Ranking
    bytes_by_label: Ranking
    series_by_pair: Ranking
