"""How many bytes does a sample of a real machine take on disk, sealed and in the write-ahead file?

A day of it cannot be waited for: the system collector and the daemon's own metrics are read really, once a second for
as long as told (WATCHKEEPER_BENCH_SECONDS, 120 by default), and a day of collections 15 s apart is drawn from these
readings. What only grows, grows each time by what it grew in 15 of the seconds, drawn at random; everything else takes
the value of a second drawn at random, so that its neighbours resemble each other less than they really do.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from benchmarks.process import describe_machine
from collectors.context import CollectorContext
from collectors.manager import CollectorManager
from core.clock import SystemClock
from core.tasks import Tasks
from daemon.config import load
from metrics.disk.archive import Archive, Level
from metrics.disk.wal import find_files
from metrics.frame import FloatArray, Frame
from metrics.store import Store
from tests.fakes.clock import FakeClock

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
STEP_MS = 15_000


def main() -> None:
    """Print bytes a sample of segments, of long history and of the write-ahead file."""
    seconds = float(os.environ.get("WATCHKEEPER_BENCH_SECONDS", "120"))
    print(describe_machine())
    readings = asyncio.run(_collect(seconds))
    with tempfile.TemporaryDirectory() as name:
        _measure(Path(name), readings)


async def _collect(seconds: float) -> list[Frame]:
    clock, registry, loaded = SystemClock(), CollectorRegistry(), load(None)
    context = CollectorContext(
        clock=clock, interval_seconds=1.0, timeout_seconds=1.0, base=Path.cwd(), registry=registry,
        hostname="host",
    )  # fmt: skip
    wanted = [plugin for name, plugin in loaded.plugins.items() if name in ("system", "own")]
    frames: list[Frame] = []
    tasks = Tasks(clock)
    manager = CollectorManager(clock, tasks, registry, frames.append, lambda _source, _time: None)
    manager.apply([one for plugin in wanted for one in plugin.build(loaded.section(plugin), context)])
    await manager.start()
    await asyncio.sleep(seconds)
    await manager.stop()
    await tasks.stop()
    return frames


def _measure(folder: Path, readings: list[Frame]) -> None:
    clock = FakeClock(START_MS / 1000)
    store = Store(folder, clock, Tasks(clock))
    store.open()
    machines = {source: _Machine(readings, source) for source in {frame.source for frame in readings}}
    rows = DAY_MS // STEP_MS + 3 * 3_600_000 // STEP_MS
    samples = 0
    for row in range(rows):
        now_ms = START_MS + row * STEP_MS
        for source, machine in machines.items():
            store.append(Frame(source, now_ms, machine.layout, machine.next()))
            samples += len(machine.layout)
        if row % 240 == 0:
            store.wait_written(60)
            store.keep(now_ms)
    store.wait_written(60)
    wal_bytes = sum(file.size for file in find_files(folder))
    wal_rows = rows - (store.sealed_ms - START_MS) // STEP_MS
    store.keep(START_MS + rows * STEP_MS)
    store.close()
    archive = Archive(folder, print)
    archive.load(START_MS)
    print(f"{len(machines)} sources, {samples // rows} series, {rows} collections of each")
    for level in Level:
        segments = archive.segments(level)
        size = sum(segment.size for segment in segments)
        count = sum(segment.summary.samples for segment in segments)
        if count:
            fields = "" if level is Level.RAW else " (5 fields each)"
            print(f"{level.value:>4}: {count:>9} samples{fields}, {size:>9} bytes: {size / count:.3f} bytes a sample")
    print(f" wal: {wal_bytes} bytes for the last {wal_rows * STEP_MS / 3.6e6:.1f} h; they go when that is sealed")
    print("bar: raw <= 1.5 bytes a sample")


class _Machine:
    """Readings of one source as they might have been at any later time."""

    def __init__(self, readings: list[Frame], source: str) -> None:
        layouts = [frame.layout for frame in readings if frame.source == source]
        self.layout = max(set(layouts), key=layouts.count)
        self._read = np.stack([frame.values for frame in readings if frame.layout is self.layout])
        steps = np.diff(self._read, axis=0)
        self._grows = (steps >= 0).all(axis=0) & (steps > 0).any(axis=0)
        self._steps = np.where(self._grows, steps, 0.0)
        self._decimals = [_decimals(column) for column in self._read.T]
        self._now = self._read[0].copy()
        self._chance = np.random.default_rng(1)

    def next(self) -> FloatArray:
        """Return the values of the next collection."""
        drawn = self._chance.integers(0, len(self._steps), 15)
        grown = self._now + self._steps[drawn].sum(axis=0)
        self._now = np.array(
            [value if d is None else round(value, d) for value, d in zip(grown.tolist(), self._decimals, strict=True)]
        )
        values: FloatArray = np.where(self._grows, self._now, self._read[drawn[0]])
        return values


def _decimals(column: FloatArray) -> int | None:
    """Return how many decimals the values have; None where they are no decimal numbers."""
    return next((d for d in range(7) if (np.round(column, d) == column).all()), None)


if __name__ == "__main__":
    main()
