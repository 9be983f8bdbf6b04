"""How long until the daemon is ready with 10 million samples on disk? Sealed ones, and as many as can be unsealed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.process import compile_checkout, describe_machine, free_port, running, wait_until_answers, watchkeeper
from core.tasks import Tasks
from metrics.frame import Frame, Layout
from metrics.label import labels_of
from metrics.store import Store
from tests.fakes.clock import FakeClock

SAMPLES = 10_000_000
STEP_MS = 15_000
CASES = (
    ("nothing", 0, 0),
    ("1 target of 500 series, three days and a half at 15 s", 1, 500),
    ("200 targets of 1,000 series, a quarter of an hour", 200, 1000),
    ("100 targets of 500 series, 20,000 small frames", 100, 500),
    ("10 targets of 1,000 series, of which three hours are not sealed", 10, 1000),
    ("1 target of 14,000 series, nearly nothing sealed", 1, 14_000),
    ("140 targets of 100 series, 60,000 small frames", 140, 100),
)
STARTS = 3


def main() -> None:
    """Print seconds to ready for each case."""
    print(describe_machine())
    compile_checkout()
    for title, sources, width in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if sources:
                _fill(folder / "state" / "metrics", sources, width)
            config = folder / "config.yml"
            port = free_port()
            config.write_text(f"web: {{listen: '127.0.0.1:{port}'}}\nstate: {{directory: {folder / 'state'}}}\n")
            seconds, cpu = [], []
            for _ in range(STARTS):
                with running("watchkeeper", watchkeeper(config), folder) as peer:
                    seconds.append(wait_until_answers(f"http://127.0.0.1:{port}/-/ready"))
                    cpu.append(peer.usage().cpu_seconds)
            print(f"{title}: ready after {_listed(seconds)} s, {_listed(cpu)} s of CPU")
    print("bar: <= 2 s")


def _listed(seconds: list[float]) -> str:
    return ", ".join(f"{one:.2f}" for one in seconds)


def _fill(folder: Path, sources: int, width: int) -> None:
    rows = SAMPLES // (sources * width)
    start_ms = round(time.time() * 1000) - rows * STEP_MS
    clock = FakeClock(start_ms / 1000)
    store = Store(folder, clock, Tasks(clock))
    store.open()
    layouts = {
        f"scrape/{s}": Layout(
            tuple(labels_of({"__name__": f"metric_{i}", "job": "load", "instance": f"host-{s}"}) for i in range(width))
        )
        for s in range(sources)
    }
    values = np.random.default_rng(1).integers(0, 1000, width).astype(np.float64)
    for row in range(rows):
        now_ms = start_ms + row * STEP_MS
        values += 1
        for source, layout in layouts.items():
            store.append(Frame(source, now_ms, layout, values.copy()))
        if row % 100 == 0:
            store.wait_written(60)
            store.keep(now_ms)
    store.wait_written(60)
    store.close()


if __name__ == "__main__":
    main()
