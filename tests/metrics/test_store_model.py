"""The store agrees with a plain dictionary of samples, through sealing, restarts and everything else."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from metrics.frame import Layout
from metrics.storage import is_missing
from tests.metrics.disk.store_model import EVERY, LIMITS, START_MS, all_samples, frame, layout, open_store, samples_of

NAMES = {"one": ["a", "b", "c", "d"], "two": ["e", "f"]}


class StoreMachine(RuleBasedStateMachine):
    """Drives the store and the model together."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = START_MS
        self.store = open_store(self.folder)
        self.layouts: dict[tuple[str, ...], Layout] = {}
        self.model: dict[tuple[str, int], float | str] = {}
        self.live: dict[str, set[str]] = {}
        self.own: set[str] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(
        source=st.sampled_from(sorted(NAMES)),
        kept=st.integers(0, 15),
        own=st.integers(0, 5),
        step_ms=st.sampled_from([1000, 20_000, 90_000]),
    )
    def collect(self, source: str, kept: int, own: int, step_ms: int) -> None:
        self.now += step_ms
        names = [name for bit, name in enumerate(NAMES[source]) if kept >> bit & 1]
        brings = {name for bit, name in enumerate(names) if own == bit and name in ("a", "e")}
        values = np.random.default_rng(self.now).integers(0, 99, len(names)) / 8
        times = [self.now - 7 if name in brings else self.now for name in names]
        series = self.layouts.setdefault(tuple(names), layout(*names))
        self.store.append(frame(self.now, series, values, source=source, own=times if brings else None))
        self.own |= brings
        for name, time_ms, value in zip(names, times, values.tolist(), strict=True):
            self.model[name, time_ms] = value
        shared = set(names) - self.own
        self.mark_ended(self.live.get(source, set()) - shared)
        self.live[source] = shared

    @rule(source=st.sampled_from(sorted(NAMES)))
    def end(self, source: str) -> None:
        self.now += 1
        self.store.end_source(source, self.now)
        self.mark_ended(self.live.pop(source, set()))

    @rule()
    def keep(self) -> None:
        self.store.keep(self.now)

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        if killed:
            assert self.store.wait_written(10)
            copy = Path(tempfile.mkdtemp())
            shutil.copytree(self.folder, copy, dirs_exist_ok=True)
            self.store.close()
            shutil.rmtree(self.folder)
            self.folder = copy
        else:
            self.store.close()
        self.store = open_store(self.folder, now_ms=self.now)
        assert self.store.losses == []

    def mark_ended(self, ended: set[str]) -> None:
        for name in ended - self.own:
            self.model[name, self.now] = "stale"

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert all_samples(self.store) == self.model

    @invariant()
    def holds_it_in_any_range(self) -> None:
        start_ms, end_ms = START_MS + 300_000, self.now - 300_000
        expected = {key: value for key, value in self.model.items() if start_ms <= key[1] <= end_ms}
        assert samples_of(self.store.select(EVERY, start_ms, end_ms)) == expected

    @invariant()
    def newest_samples_are_those_of_all(self) -> None:
        found: dict[str, int] = {}
        for block in self.store.select_newest(EVERY, self.now - 400_000, self.now):
            for column, labels in enumerate(block.series):
                rows = (~is_missing(block.values[:, column])).nonzero()[0]
                if len(rows):
                    found[dict(labels)["__name__"]] = int(block.timestamps_ms[rows[-1]])
        expected: dict[str, int] = {}
        for name, time_ms in self.model:
            if time_ms >= self.now - 400_000:
                expected[name] = max(time_ms, expected.get(name, 0))
        assert found == expected


assert LIMITS.segment_seconds == 600, "the steps above are made for this"
TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)
