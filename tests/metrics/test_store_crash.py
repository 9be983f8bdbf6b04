"""Kill -9 under load, torn and damaged files: what was acknowledged is there, or its loss is named and small.

`STORE_KILLS=200 pytest tests/metrics/test_store_crash.py` kills oftener than the suite has time for.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from metrics.storage import is_missing
from metrics.store import Store
from tests.metrics.disk import writer_process
from tests.metrics.disk.store_model import START_MS, open_store

KILLS = int(os.environ.get("STORE_KILLS", "8"))
ROOT = Path(__file__).parents[2]


def run_and_kill(folder: Path, seconds: float) -> int:
    """Let a process append for some time, kill it at once, and return the last number that it acknowledged."""
    argv = [sys.executable, "-m", "tests.metrics.disk.writer_process", str(folder), str(START_MS)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # it has started: everything before it is loaded
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    lines = (first + rest).split("\n")[:-1]
    assert lines, "the process never acknowledged anything"
    return int(lines[-1])


def numbers_found(store: Store) -> dict[str, list[int]]:
    """Return the numbers of the frames of each source, after checking every value of them."""
    found: dict[str, list[int]] = {source: [] for source in writer_process.WIDTHS}
    for block in store.select(writer_process.EVERY, START_MS, 1 << 60):
        source = dict(block.series[0])["source"]
        place = {labels: i for i, labels in enumerate(writer_process.layout(source).series)}
        order = np.argsort([place[labels] for labels in block.series])
        whole = ~is_missing(block.values).any(axis=1)
        numbers = (block.timestamps_ms - START_MS) // 1000
        expected = numbers[:, np.newaxis] + np.arange(len(place)) / 2
        assert len(block.series) == len(place)
        assert (block.values[:, order] == expected)[whole].all()
        found[source] = numbers[whole].tolist()
    return found


@pytest.mark.slow
def test_everything_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    chance = random.Random(7)
    for attempt in range(KILLS):
        folder = tmp_path / str(attempt // 8)  # anew now and then, or reading it all would take longer and longer
        acknowledged = run_and_kill(folder, chance.uniform(0.0, 0.4))

        store = open_store(folder, limits=writer_process.LIMITS)
        found = numbers_found(store)
        losses = list(store.losses)
        store.close()

        for source, numbers in found.items():
            assert numbers == list(range(len(numbers))), f"{source} has gaps"
            assert len(numbers) > acknowledged, f"{source}: {acknowledged} was acknowledged"
        assert all(loss.kind == "torn" for loss in losses)
    assert list(tmp_path.glob("*/*.segment")), "nothing was sealed"


@pytest.mark.slow
def test_damage_anywhere_costs_what_it_hit_and_is_named(tmp_path: Path) -> None:
    chance = random.Random(8)
    whole = tmp_path / "whole"
    run_and_kill(whole, 2.0)
    store = open_store(whole, limits=writer_process.LIMITS)
    complete = numbers_found(store)
    store.close()
    for path in whole.glob("wal-*.log"):
        if path.stat().st_size < 100:
            path.unlink()

    for attempt in range(2 * KILLS):
        folder = tmp_path / f"damaged-{attempt}"
        shutil.copytree(whole, folder)
        path = chance.choice(sorted(folder.iterdir()))
        data = bytearray(path.read_bytes())
        at = chance.randrange(len(data))
        if attempt % 2:
            data[at] ^= 1 << chance.randrange(8)
        else:
            del data[at:]
        path.write_bytes(data)

        store = open_store(folder, limits=writer_process.LIMITS)
        found = samples(store)
        again = samples(store)
        store.close()

        lost = sum(map(len, complete.values())) - sum(found.values())
        assert found == again
        assert not lost or store.losses, f"{path.name} at {at}: {lost} frames are gone in silence"
        assert all(path.name == loss.file for loss in store.losses)
        if path.name.startswith("wal") and attempt % 2 and at > 40_000:
            assert lost <= 1
        shutil.rmtree(folder)


def samples(store: Store) -> dict[str, int]:
    """Return how many frames of each source are there whole, after checking every value that is there."""
    found = dict.fromkeys(writer_process.WIDTHS, 0)
    for block in store.select(writer_process.EVERY, START_MS, 1 << 60):
        source = dict(block.series[0])["source"]
        place = {labels: i for i, labels in enumerate(writer_process.layout(source).series)}
        columns = np.array([place[labels] for labels in block.series])
        missing = is_missing(block.values)
        expected = ((block.timestamps_ms - START_MS) // 1000)[:, np.newaxis] + columns / 2
        assert (missing | (block.values == expected)).all()
        if len(columns) == len(place):
            found[source] += int((~missing).all(axis=1).sum())
    return found
