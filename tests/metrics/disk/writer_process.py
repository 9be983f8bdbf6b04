"""A process that appends under load until it is killed; each line of its output acknowledges what is written.

`python -m tests.metrics.disk.writer_process FOLDER START_MS`: frame number n has the time START_MS + 1000 n and the
values n, n + 0.5, ... in each source; the spans are small, so that sealing goes on all the time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from metrics.frame import Frame, Layout
from metrics.label import labels_of
from metrics.storage import Matcher, MatchOp
from metrics.store import Store
from metrics.store_limits import StoreLimits
from tests.metrics.disk.store_model import open_store

WIDTHS = {"narrow": 3, "wide": 400}
LIMITS = StoreLimits(segment_seconds=120, seal_after_seconds=60, five_minute_seconds=0, hour_seconds=0)
EVERY = [Matcher("job", MatchOp.EQUAL, "crash")]


def layout(source: str) -> Layout:
    names = ({"__name__": f"{source}_{i}", "job": "crash", "source": source} for i in range(WIDTHS[source]))
    return Layout(tuple(labels_of(name) for name in names))


def values(number: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return number + np.arange(width) / 2


def main(folder: Path, start_ms: int) -> None:
    store = open_store(folder, limits=LIMITS, now_ms=start_ms)
    layouts = {source: layout(source) for source in WIDTHS}
    number = next_number(store, start_ms)
    while True:
        time_ms = start_ms + number * 1000
        for source, series in layouts.items():
            store.append(Frame(source, time_ms, series, values(number, len(series))))
        if number % 3 == 0 and not store.wait_written(10):
            raise SystemExit("not written within 10 s")
        if number % 3 == 0:
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
        if number % 20 == 0:
            store.sync()
            store.keep(time_ms)
        number += 1


def next_number(store: Store, start_ms: int) -> int:
    """Go on where the process before was killed; it may have written the last frame of one source and not of all."""
    blocks = store.select(EVERY, start_ms, 1 << 60)
    newest = [int(block.timestamps_ms[-1]) for block in blocks]
    return (min(newest) - start_ms) // 1000 + 1 if len(newest) == len(WIDTHS) else 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
