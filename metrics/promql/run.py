"""One evaluation under way: its steps, its store, its limits, and what it has to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from metrics.frame import TimeArray
from metrics.promql.ast import Anchor
from metrics.promql.error import QueryError, QueryTimeoutError
from metrics.promql.value import Value
from metrics.storage import Block, Matcher, Storage


class NewestStorage(Protocol):
    """What a store may offer beside metrics.storage.Storage, so that a query of one time reads only what it needs."""

    def select_newest(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return what select() returns, less any samples that have a newer one of the same series in their block."""


@dataclass(slots=True)
class Shared:
    """What subqueries share with the query that they belong to; times are Unix milliseconds.

    `is_over` tells whether whoever asked has given up; it is asked together with the time.
    """

    storage: Storage
    lookback_ms: int
    subquery_step_ms: int
    max_samples: int
    query_start_ms: int
    query_end_ms: int
    max_seconds: float
    monotonic: Callable[[], float]
    deadline: float
    is_over: Callable[[], bool] | None = None
    touched: int = 0
    warnings: dict[str, None] = field(default_factory=dict)
    infos: dict[str, None] = field(default_factory=dict)

    def touch(self, samples: int) -> None:
        """Count samples that are read or made.

        Raises: QueryError: they are more than one query may touch, or (as QueryTimeoutError) its time is over.
        """
        self.touched += samples
        if self.touched > self.max_samples:
            raise QueryError(
                f"the query touches more than {self.max_samples} samples; select fewer series, a shorter range or a"
                " larger step"
            )
        self.check_time()

    def check_time(self) -> None:
        """Go on only while there is time; operators ask this before each heavy part of their work.

        Raises: QueryTimeoutError: the query has taken longer than one may, or than it was given.
        """
        if self.is_over is not None and self.is_over():
            raise QueryTimeoutError("the query took longer than it may; select fewer series or a shorter range")
        if self.monotonic() > self.deadline:
            raise QueryTimeoutError(
                f"the query takes longer than {self.max_seconds:g} s; select fewer series, a shorter range or a larger"
                " step, or record a part of it by a rule"
            )


@dataclass(slots=True, eq=False)
class Run:
    """The steps of a query, or of a subquery inside it.

    `times` has shape (T,): Unix milliseconds, ascending, at least one. `first` and `last` are its ends.
    """

    shared: Shared
    times: TimeArray
    first: int
    last: int

    @property
    def steps(self) -> int:
        """T, the number of steps."""
        return len(self.times)

    def at(self, times: TimeArray) -> Run:
        """Return a run of the same query at other steps."""
        return Run(self.shared, times, int(times[0]), int(times[-1]))

    def shifted(self, offset_ms: int, at: int | Anchor | None) -> Run:
        """Return the run at the times that a selector with these modifiers looks at: one step where `at` is given."""
        if at is not None:
            time = self.anchor(at) - offset_ms
            return Run(self.shared, np.array([time], dtype=np.int64), time, time)
        if not offset_ms:
            return self
        return Run(self.shared, self.times - offset_ms, self.first - offset_ms, self.last - offset_ms)

    def check_time(self) -> None:
        """Raise QueryError where the query has taken too long."""
        self.shared.check_time()

    def anchor(self, at: int | Anchor) -> int:
        """Return the time in milliseconds that `@` names."""
        if at is Anchor.START:
            return self.shared.query_start_ms
        if at is Anchor.END:
            return self.shared.query_end_ms
        assert not isinstance(at, Anchor)
        return at

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return the store's blocks, counted against the limit."""
        return self._counted(self.shared.storage.select(matchers, start_ms, end_ms))

    def select_newest(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return blocks in which at least the newest samples are."""
        storage = self.shared.storage
        select = getattr(storage, "select_newest", storage.select)
        return self._counted(select(matchers, start_ms, end_ms))

    def _counted(self, blocks: list[Block]) -> list[Block]:
        for block in blocks:
            self.shared.touch(block.values.size)
        return blocks

    def warn(self, message: str) -> None:
        """Say once that the result may not be what was meant, in Prometheus' words."""
        self.shared.warnings[f"PromQL warning: {message}"] = None

    def inform(self, message: str) -> None:
        """Say once that the expression may not be what was meant, in Prometheus' words."""
        self.shared.infos[f"PromQL info: {message}"] = None


class Operator(Protocol):
    """A node of a plan: evaluates its part of the expression for all steps of a run."""

    def evaluate(self, run: Run) -> Value:
        """Return the value.

        Raises: QueryError: the data it meets has no answer.
        """
