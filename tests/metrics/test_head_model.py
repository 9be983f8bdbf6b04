"""The store agrees with a plain dictionary of samples, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from metrics.frame import NO_TIMESTAMP, Frame, Layout, is_stale
from metrics.head import Head
from metrics.label import Labels, labels_of
from metrics.storage import Block, Matcher, MatchOp, is_missing

NAMES = ["a", "b", "c", "d", "e"]
SOURCES = ["one", "two"]
RETENTION_MS = 300_000
Samples = dict[int, float | str]
Select = Callable[[Sequence[Matcher], int, int], list[Block]]


def labels(name: str) -> Labels:
    return labels_of({"__name__": name, "job": "test"})


class StoreMachine(RuleBasedStateMachine):
    """Drives the head and the model together."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head(RETENTION_MS / 1000)
        self.now = 1_000_000
        self.layouts: dict[tuple[str, ...], Layout] = {}
        self.model: dict[tuple[str, Labels], Samples] = {}
        self.live: dict[str, set[Labels]] = {}
        self.own: set[tuple[str, Labels]] = set()
        self.trimmed_ms = 0

    @rule(
        source=st.sampled_from(SOURCES),
        names=st.lists(st.sampled_from(NAMES), unique=True).map(tuple),
        own=st.sets(st.sampled_from(NAMES), max_size=2) | st.just(set()),
        step_ms=st.sampled_from([1000, 20_000, 60_000]),
    )
    def collect(self, source: str, names: tuple[str, ...], own: set[str], step_ms: int) -> None:
        self.now += step_ms
        layout = self.layouts.setdefault(names, Layout(tuple(labels(name) for name in names)))
        values = np.random.default_rng(self.now).random(len(names))
        times = np.array([self.now - 7 if n in own else NO_TIMESTAMP for n in names], dtype=np.int64)
        self.head.append(Frame(source, self.now, layout, values, times if own else None))

        self.own |= {(source, labels(name)) for name in names if name in own}
        shared = set()
        for name, value in zip(names, values.tolist(), strict=True):
            history = self.model.setdefault((source, labels(name)), {})
            history[self.now - 7 if name in own else self.now] = value
            if (source, labels(name)) not in self.own:
                shared.add(labels(name))
        self.mark_ended(source, self.live.get(source, set()) - shared)
        self.live[source] = shared

    @rule(source=st.sampled_from(SOURCES))
    def end(self, source: str) -> None:
        self.now += 1
        self.head.end_source(source, self.now)
        self.mark_ended(source, self.live.pop(source, set()))

    @rule()
    def trim(self) -> None:
        self.head.trim(self.now)
        self.trimmed_ms = self.now - RETENTION_MS
        # What brings its own times is known to do so as long as it is remembered at all.
        self.own = {key for key in self.own if max(self.model[key]) >= self.trimmed_ms}
        for source in SOURCES:
            if all(max(h, default=0) < self.trimmed_ms for (s, _), h in self.model.items() if s == source):
                self.live.pop(source, None)

    def mark_ended(self, source: str, ended: set[Labels]) -> None:
        for series in ended:
            if (source, series) not in self.own:
                self.model[source, series][self.now] = "stale"

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        expected = sorted(
            (series, time, repr(value))
            for (_, series), history in self.model.items()
            for time, value in history.items()
            if time >= self.trimmed_ms
        )
        assert sorted(self.found(self.trimmed_ms)) == expected

    @invariant()
    def newest_samples_are_those_of_all(self) -> None:
        start_ms = max(self.trimmed_ms, self.now - 50_000)
        for end_ms in (self.now, self.now - 10_000):
            by_series = [
                self.newest(select, start_ms, end_ms) for select in (self.head.select, self.head.select_newest)
            ]
            assert by_series[0] == by_series[1]

    def newest(self, select: Select, start_ms: int, end_ms: int) -> set[tuple[Labels, int, bytes]]:
        found = set()
        for block in select([Matcher("job", MatchOp.EQUAL, "test")], start_ms, end_ms):
            there = ~is_missing(block.values)
            for column, labels_ in enumerate(block.series):
                rows = there[:, column].nonzero()[0]
                if len(rows):
                    value = block.values[rows[-1], column].tobytes()
                    found.add((labels_, int(block.timestamps_ms[rows[-1]]), value))
        return found

    def found(self, start_ms: int) -> list[tuple[Labels, int, str]]:
        found = []
        for block in self.head.select([Matcher("job", MatchOp.EQUAL, "test")], start_ms, self.now):
            stale, missing = is_stale(block.values), is_missing(block.values)
            assert (np.diff(block.timestamps_ms) > 0).all()
            for row, column in np.argwhere(~missing).tolist():
                value = "stale" if stale[row, column] else float(block.values[row, column])
                found.append((block.series[column], int(block.timestamps_ms[row]), repr(value)))
        return found


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
