"""The store as a whole: what it was given is there, from memory or disk, whatever became of the process."""

from __future__ import annotations

from pathlib import Path

from metrics.storage import Matcher, MatchOp
from tests.metrics.disk.store_model import START_MS, all_samples, frame, layout, open_store

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
