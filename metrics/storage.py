"""What the query engine asks of a store: blocks of series that share their timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels
from metrics.pattern import Pattern, compile_pattern

MISSING_BITS = np.uint64(0x7FF0000000000003)
"""The NaN that says "no sample here": a hole in a block, never a sample, never seen outside the store and engine."""

MISSING = np.array([MISSING_BITS], dtype=np.uint64).view(np.float64)[0]


def is_missing(values: FloatArray) -> NDArray[np.bool_]:
    """Return where a block has no sample; same shape."""
    missing: NDArray[np.bool_] = np.ascontiguousarray(values).view(np.uint64) == MISSING_BITS
    return missing


class MatchOp(Enum):
    """How a matcher compares; regular expressions are anchored at both ends, and `.` matches newlines too."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True)
class Matcher:
    """One condition on a label; an absent label has the empty value."""

    name: str
    op: MatchOp
    value: str
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each evaluation of a rule finds its series by its matchers: their hash is computed once.
        object.__setattr__(self, "_hash", hash((self.name, self.op.value, self.value)))

    def __hash__(self) -> int:
        return self._hash

    def matches(self, value: str) -> bool:
        """Tell whether a label of this value satisfies the matcher."""
        if self.op is MatchOp.EQUAL:
            return value == self.value
        if self.op is MatchOp.NOT_EQUAL:
            return value != self.value
        return bool(self._pattern.fullmatch(value)) == (self.op is MatchOp.REGEX)

    @cached_property
    def _pattern(self) -> Pattern:
        return compile_pattern(self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Series with common timestamps.

    Attributes:
        series: S label sets.
        timestamps_ms: shape (T,), strictly ascending.
        values: shape (T, S); MISSING where a series has no sample, the staleness marker where one ended. May be a
            view of the store's memory: read it, never write it, and do not keep it over an await.
    """

    series: Sequence[Labels]
    timestamps_ms: TimeArray
    values: FloatArray


class Storage(Protocol):
    """A store of samples that can be asked by matchers."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return all samples with start_ms <= time <= end_ms of the series that satisfy every matcher.

        A series appears in one block only, unless its samples have different timestamps in several sources.
        """
