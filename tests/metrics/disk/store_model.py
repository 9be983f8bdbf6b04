"""Stores for tests: small spans, time that a test turns, nothing in the background but the writing thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from core.tasks import Tasks
from metrics.frame import Frame, Layout, is_stale
from metrics.label import Labels, labels_of
from metrics.storage import Block, Matcher, MatchOp, is_missing
from metrics.store import Store
from metrics.store_limits import StoreLimits
from tests.fakes.clock import FakeClock

DAY_MS = 86_400_000
START_MS = 19_675 * DAY_MS
EVERY = [Matcher("job", MatchOp.EQUAL, "test")]
LIMITS = StoreLimits(segment_seconds=600, seal_after_seconds=300)


def open_store(
    folder: Path,
    *,
    limits: StoreLimits = LIMITS,
    readers: Sequence[str] = (),
    registry: CollectorRegistry | None = None,
    now_ms: int = START_MS,
    write: Callable[[int, bytes], int] = os.write,
) -> Store:
    clock = FakeClock(now_ms / 1000)
    store = Store(folder, clock, Tasks(clock), registry, limits=limits, readers=readers, write=write)
    store.open()
    return store


def layout(*names: str) -> Layout:
    return Layout(tuple(labels_of({"__name__": name, "job": "test"}) for name in names))


def frame(
    timestamp_ms: int, series: Layout, values: Iterable[float], *, source: str = "s", own: list[int] | None = None
) -> Frame:
    times = None if own is None else np.array(own, dtype=np.int64)
    return Frame(source, timestamp_ms, series, np.array(list(values), dtype=np.float64), times)


def samples_of(blocks: Iterable[Block]) -> dict[tuple[str, int], float | str]:
    """Return the samples by metric name and time, "stale" for the marker."""
    found: dict[tuple[str, int], float | str] = {}
    for block in blocks:
        assert (np.diff(block.timestamps_ms) > 0).all()
        stale, missing = is_stale(block.values), is_missing(block.values)
        for row, column in np.argwhere(~missing).tolist():
            key = dict(block.series[column])["__name__"], int(block.timestamps_ms[row])
            assert key not in found, "twice the same sample"
            found[key] = "stale" if stale[row, column] else float(block.values[row, column])
    return found


def all_samples(store: Store, start_ms: int = 0, end_ms: int = 1 << 60) -> dict[tuple[str, int], float | str]:
    return samples_of(store.select(EVERY, start_ms, end_ms))


def name_of(labels: Labels) -> str:
    return dict(labels)["__name__"]
