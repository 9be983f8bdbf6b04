"""The store as a whole: what it was given is there, from memory or disk, whatever became of the process."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from core.errors import UserError
from core.tasks import Tasks
from metrics.disk.archive import Level
from metrics.disk.wal import Position
from metrics.storage import Matcher, MatchOp
from metrics.store import Store
from metrics.store_limits import StoreLimits
from tests.fakes.clock import FakeClock
from tests.metrics.disk.store_model import (
    DAY_MS,
    EVERY,
    START_MS,
    all_samples,
    frame,
    layout,
    name_of,
    open_store,
)

MINUTE = 60_000


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path) -> None:
    store, series = open_store(tmp_path), layout("a", "b")
    for i in range(5):
        store.append(frame(START_MS + i * 1000, series, [i, i / 3]))
    expected = all_samples(store)
    store.close()

    again = open_store(tmp_path)

    assert len(expected) == 10
    assert all_samples(again) == expected
    assert again.losses == []
    again.close()


def test_sealed_samples_are_read_together_with_those_in_memory(tmp_path: Path) -> None:
    store, series = open_store(tmp_path), layout("a", "b")
    for i in range(30):
        store.append(frame(START_MS + i * MINUTE, series if i != 12 else layout("b"), [i / 10, -i][-(2 - (i == 12)) :]))
    expected = all_samples(store)
    assert expected["a", START_MS + 12 * MINUTE] == "stale"

    store.keep(START_MS + 30 * MINUTE)
    store.keep(START_MS + 30 * MINUTE)

    assert store.sealed_ms == START_MS + 20 * MINUTE
    assert all_samples(store) == expected
    assert all_samples(store, START_MS + 19 * MINUTE, START_MS + 21 * MINUTE) == {
        key: value for key, value in expected.items() if START_MS + 19 * MINUTE <= key[1] <= START_MS + 21 * MINUTE
    }
    store.close()
    again = open_store(tmp_path)
    assert all_samples(again) == expected
    assert again.label_values("__name__", [], 0, 1 << 60) == ["a", "b"]
    assert [len(block.series) for block in again.select([Matcher("__name__", MatchOp.EQUAL, "b")], 0, 1 << 60)] == [1]
    again.close()


def test_a_torn_last_write_is_cut_off_and_named(tmp_path: Path) -> None:
    store, series = open_store(tmp_path), layout("a")
    for i in range(3):
        store.append(frame(START_MS + i, series, [i]))
    store.close()
    path = tmp_path / "wal-00000001.log"
    path.write_bytes(path.read_bytes()[:-3])

    registry = CollectorRegistry()
    again = open_store(tmp_path, registry=registry)

    assert all_samples(again) == {("a", START_MS): 0, ("a", START_MS + 1): 1}
    assert [str(loss) for loss in again.losses] == [
        f"wal-00000001.log: the last write was cut off at byte {path.stat().st_size}: 37 bytes of one scrape are lost"
    ]
    assert registry.get_sample_value("watchkeeper_store_losses_total", {"kind": "torn"}) == 1
    again.close()
    once_more = open_store(tmp_path)
    assert once_more.losses == []
    once_more.close()


def test_damaged_columns_are_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    store, series = open_store(tmp_path), layout("noise", "steady")
    for i in range(30):
        store.append(frame(START_MS + i * MINUTE, series, [(i * 7919 % 101) / 7, 1]))
    store.keep(START_MS + 30 * MINUTE)
    store.close()
    (first, _) = sorted(tmp_path.glob("*.segment"))
    data = bytearray(first.read_bytes())
    parts = [i for i in range(len(data)) if data[i : i + 2] == b"\x78\x9c"]
    data[parts[2] + 20] ^= 1  # after the times and the constant columns
    first.write_bytes(data)

    again = open_store(tmp_path)
    found = all_samples(again)
    assert {key for key in found if key[1] < START_MS + 10 * MINUTE} == {
        ("steady", START_MS + i * MINUTE) for i in range(10)
    }
    assert sum(name == "noise" for name, _ in found) == 20
    assert len(again.losses) == 1
    assert "1 series of s" in again.losses[0].reason
    again.close()


def test_a_segment_without_its_end_is_set_aside(tmp_path: Path) -> None:
    store, series = open_store(tmp_path), layout("a")
    for i in range(30):
        store.append(frame(START_MS + i * MINUTE, series, [i]))
    store.keep(START_MS + 30 * MINUTE)
    store.close()
    first, _ = sorted(tmp_path.glob("*.segment"))
    first.write_bytes(first.read_bytes()[:-1])

    again = open_store(tmp_path)

    assert [loss.file for loss in again.losses] == [first.name]
    assert first.with_name(first.name + ".damaged").exists()
    assert min(time for _, time in all_samples(again)) == START_MS + 10 * MINUTE
    again.close()


def test_a_full_disk_is_told_and_waited_out(tmp_path: Path) -> None:
    disk, series = Disk(), layout("a", "b")
    store = open_store(tmp_path, write=disk.write)
    store.append(frame(START_MS, series, [0, 0]))
    assert store.wait_written(10)

    disk.room = 20
    store.append(frame(START_MS + 1, series, [1, 1]))
    assert not store.wait_written(0.2)
    assert "No space left on device" in str(store.trouble)
    store.append(frame(START_MS + 2, series, [2, 2]))
    assert len(all_samples(store)) == 6

    disk.room = 1 << 30
    store.append(frame(START_MS + 3, series, [3, 3]))
    assert store.wait_written(10)
    assert store.trouble is None
    expected = all_samples(store)
    store.close()
    again = open_store(tmp_path)
    assert all_samples(again) == expected
    assert again.losses == []
    again.close()


class Disk:
    """Stands for os.write on a device with little room."""

    def __init__(self) -> None:
        self.room = 1 << 30

    def write(self, descriptor: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(descriptor, data[: self.room])
        self.room -= written
        return written


def test_old_samples_go_and_their_long_history_stays(tmp_path: Path) -> None:
    limits = StoreLimits(retention_seconds=86_400, seal_after_seconds=600, five_minute_seconds=5 * 86_400)
    store, series = open_store(tmp_path, limits=limits), layout("a", "b")
    rows = 3 * DAY_MS // MINUTE
    for i in range(rows):
        store.append(frame(START_MS + i * MINUTE, series, [i, i % 7]))
        if i % 60 == 0:
            store.keep(START_MS + i * MINUTE)
    store.keep(START_MS + rows * MINUTE)
    store.keep(START_MS + rows * MINUTE)

    found = all_samples(store, START_MS, START_MS + DAY_MS - 1)
    assert found == {
        (name, START_MS + (i + 1) * 5 * MINUTE - 1): value
        for i in range(288)
        for name, value in (("a", 5 * i + 4), ("b", (5 * i + 4) % 7))
    }
    (hours,) = store.history(EVERY, START_MS, START_MS + DAY_MS - 1, Level.HOUR)
    a = [name_of(labels) for labels in hours.series].index("a")
    assert {name: values[1, a] for name, values in hours.fields.items()} == {
        "last": 119, "min": 60, "max": 119, "sum": sum(range(60, 120)), "count": 60,
    }  # fmt: skip
    assert all_samples(store, START_MS + 2 * DAY_MS) == {
        key: value
        for i in range(2880, rows)
        for key, value in (
            (("a", START_MS + i * MINUTE), float(i)),
            (("b", START_MS + i * MINUTE), float(i % 7)),
        )
    }
    store.close()


def test_samples_that_take_too_much_memory_are_sealed_once_they_are_ten_minutes_old(tmp_path: Path) -> None:
    limits = StoreLimits(memory_bytes=100_000)  # of 2 h spans and an hour of waiting, as usual
    store, series = open_store(tmp_path, limits=limits), layout(*(f"m{i}" for i in range(100)))
    for i in range(180):
        store.append(frame(START_MS + i * MINUTE, series, np.arange(100) + i))
        store.keep(START_MS + i * MINUTE)
        assert store.sealed_ms <= max(START_MS + (i - 10) * MINUTE, 0)
        assert store.head.sample_count <= 100 * (16 + 240)

    store.close()
    store = open_store(tmp_path, limits=limits, now_ms=START_MS + 180 * MINUTE)

    assert not store.losses
    spans = [(segment.start_ms, segment.end_ms) for segment in store._archive.segments()]
    assert len(spans) > 1
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert len(all_samples(store)) == 180 * 100
    store.close()


def test_size_limit_lets_the_oldest_samples_go_first(tmp_path: Path) -> None:
    limits = StoreLimits(segment_seconds=600, seal_after_seconds=60, max_bytes=12_000)
    store, series = open_store(tmp_path, limits=limits), layout("a")
    chance = np.random.default_rng(1)
    for i in range(60):
        store.append(frame(START_MS + i * MINUTE, series, chance.random(1)))
        store.keep(START_MS + i * MINUTE)
    assert store.wait_written(10)
    before = min(time for _, time in all_samples(store))
    assert before == START_MS
    for i in range(60, 400):
        store.append(frame(START_MS + i * MINUTE, series, chance.random(1)))
        store.keep(START_MS + i * MINUTE)

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 40_000
    found = [time for _, time in all_samples(store)]
    assert min(found) > before
    assert max(found) == START_MS + 399 * MINUTE
    store.close()


def test_a_reader_gets_every_frame_once_over_files_and_restarts(tmp_path: Path) -> None:
    series, got, position = layout("a"), [], Position(0, 0)
    for life in range(3):
        store = open_store(tmp_path, readers=["out"])
        for i in range(40):
            now = START_MS + (life * 40 + i) * MINUTE
            store.append(frame(now, series, [life * 40 + i]))
            assert store.wait_written(10)
            store.keep(now)
            if i % 7 == 0:
                unread = store.read_wal("out", position, max_bytes=100)
                got += [float(one.values[0]) for one in unread.frames]
                position = unread.position
        store.close()
    store = open_store(tmp_path, readers=["out"])
    while (unread := store.read_wal("out", position)).position != position:
        got += [float(one.values[0]) for one in unread.frames]
        position = unread.position

    assert got == [float(i) for i in range(120)]
    files = len(list(tmp_path.glob("wal-*")))
    store.keep(START_MS + 400 * MINUTE)
    assert len(list(tmp_path.glob("wal-*"))) < files
    store.close()


def test_series_beyond_the_limit_of_a_source_are_refused_and_counted(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    store = open_store(tmp_path, limits=StoreLimits(max_source_series=1), registry=registry)
    store.append(frame(START_MS, layout("a", "b"), [1, 2]))
    store.append(frame(START_MS, layout("b"), [3], source="other"))

    assert all_samples(store) == {("a", START_MS): 1, ("b", START_MS): 3}
    reason = {"reason": "series_limit"}
    assert registry.get_sample_value("watchkeeper_store_samples_rejected_total", reason) == 1
    store.close()


async def test_component_starts_keeps_and_stops(tmp_path: Path) -> None:
    clock = FakeClock(START_MS / 1000)
    tasks = Tasks(clock)
    store = Store(tmp_path / "metrics", clock, tasks)
    await store.stop()
    await store.start()
    store.append(frame(START_MS, layout("a"), [1]))
    await clock.advance(60)
    await store.stop()
    await store.stop()
    assert tasks.names == []

    again = open_store(tmp_path / "metrics")
    assert all_samples(again) == {("a", START_MS): 1}
    again.close()


async def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    clock = FakeClock()
    store = Store(tmp_path / "file" / "metrics", clock, Tasks(clock))

    with pytest.raises(UserError, match="see that the daemon may read and write there"):
        await store.start()
    await store.stop()
