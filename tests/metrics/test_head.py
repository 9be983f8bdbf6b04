"""The store in memory: appending, staleness, own timestamps, limits, retention."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterable

import numpy as np
from prometheus_client import CollectorRegistry

from metrics.frame import NO_TIMESTAMP, STALE, Frame, Layout, is_stale
from metrics.head import Head
from metrics.label import labels_of
from metrics.storage import Matcher, MatchOp, is_missing

NAN = float("nan")


def series(*names: str) -> Layout:
    return Layout(tuple(labels_of({"__name__": name, "job": "test"}) for name in names))


def frame(
    timestamp_ms: int, layout: Layout, values: Iterable[float], *, source: str = "s", own: list[int] | None = None
) -> Frame:
    times = None if own is None else np.array(own, dtype=np.int64)
    return Frame(source, timestamp_ms, layout, np.array(list(values), dtype=np.float64), times)


def named(name: str) -> list[Matcher]:
    return [Matcher("__name__", MatchOp.EQUAL, name)]


def samples(head: Head, name: str, start_ms: int = 0, end_ms: int = 10**15) -> list[tuple[int, float | str]]:
    """Return the samples of the one series of this name, in order, with "stale" for the marker."""
    found: list[tuple[int, float | str]] = []
    for block in head.select(named(name), start_ms, end_ms):
        assert len(block.series) == 1
        stale, missing = is_stale(block.values)[:, 0], is_missing(block.values)[:, 0]
        for i, time in enumerate(block.timestamps_ms.tolist()):
            if not missing[i]:
                found.append((time, "stale" if stale[i] else float(block.values[i, 0])))
    return found


def rejected(registry: CollectorRegistry, reason: str) -> float | None:
    return registry.get_sample_value("watchkeeper_store_samples_rejected_total", {"reason": reason})


def test_frames_of_one_layout_become_the_rows_of_one_block() -> None:
    head, layout = Head(), series("a", "b")
    for i in range(3):
        head.append(frame(1000 * i, layout, [i, -i]))

    (block,) = head.select([Matcher("job", MatchOp.EQUAL, "test")], 0, 2000)

    assert list(block.series) == list(layout.series)
    assert block.timestamps_ms.tolist() == [0, 1000, 2000]
    assert block.values.tolist() == [[0, 0], [1, -1], [2, -2]]


def test_time_range_includes_both_ends() -> None:
    head, layout = Head(), series("a")
    for i in range(5):
        head.append(frame(i, layout, [i]))

    assert samples(head, "a", 1, 3) == [(1, 1), (2, 2), (3, 3)]
    assert head.select(named("a"), 5, 9) == []


def test_history_of_many_chunks_is_joined() -> None:
    head, layout = Head(), series("a", "b", "c")
    for i in range(1000):
        head.append(frame(i, layout, [i, 0, -i]))

    assert samples(head, "a") == [(i, i) for i in range(1000)]
    assert samples(head, "c", 200, 600) == [(i, -i) for i in range(200, 601)]


def test_recent_samples_of_neighbouring_columns_are_a_view() -> None:
    head, layout = Head(), series("a", "b", "c")
    head.append(frame(1, layout, [1, 2, 3]))

    (block,) = head.select([Matcher("__name__", MatchOp.REGEX, "b|c")], 0, 1)

    assert block.values.base is not None
    head.append(frame(2, layout, [4, 5, 6]))
    assert block.values.tolist() == [[2, 3]], "a later append must not show in what was handed out"


def test_vanished_series_gets_one_staleness_marker_and_then_nothing() -> None:
    head = Head()
    head.append(frame(1, series("a", "b"), [1, 2]))
    only_a = series("a")
    for time in (2, 3):
        head.append(frame(time, only_a, [time]))

    assert samples(head, "b") == [(1, 2), (2, "stale")]
    assert samples(head, "a") == [(1, 1), (2, 2), (3, 3)]


def test_series_that_comes_back_goes_on_in_its_old_block() -> None:
    head = Head()
    both = series("a", "b")
    head.append(frame(1, both, [1, 2]))
    head.append(frame(2, series("a"), [3]))
    head.append(frame(3, both, [4, 5]))

    assert samples(head, "b") == [(1, 2), (2, "stale"), (3, 5)]


def test_new_series_has_no_samples_before_it_came() -> None:
    head = Head()
    head.append(frame(1, series("a"), [1]))
    head.append(frame(2, series("b", "a"), [20, 2]))

    assert samples(head, "b") == [(2, 20)]
    assert samples(head, "a") == [(1, 1), (2, 2)]


def test_ended_source_has_all_its_series_marked_stale() -> None:
    head, layout = Head(), series("a")
    head.append(frame(1, layout, [1]))
    head.end_source("s", 5)
    head.end_source("s", 6)
    head.end_source("unknown", 6)
    head.append(frame(7, layout, [7]))

    assert samples(head, "a") == [(1, 1), (5, "stale"), (7, 7)]


def test_markers_and_ordinary_nan_are_kept_bit_for_bit() -> None:
    head, layout = Head(), series("a", "b")
    head.append(frame(1, layout, [STALE, NAN]))

    (block,) = head.select([Matcher("job", MatchOp.EQUAL, "test")], 0, 1)

    assert is_stale(block.values).tolist() == [[True, False]]
    assert not is_missing(block.values).any()
    assert np.isnan(block.values).all()


def test_frame_that_is_not_newer_is_refused_and_counted() -> None:
    registry = CollectorRegistry()
    head, layout = Head(registry=registry), series("a", "b")
    head.append(frame(10, layout, [1, 1]))
    head.append(frame(10, layout, [2, 2]))
    head.append(frame(9, layout, [3, 3]))

    assert samples(head, "a") == [(10, 1)]
    assert rejected(registry, "duplicate_timestamp") == 2
    assert rejected(registry, "out_of_order") == 2
    assert registry.get_sample_value("watchkeeper_store_samples_appended_total") == 2


def test_same_series_of_two_sources_comes_in_two_blocks() -> None:
    head = Head()
    head.append(frame(1, series("a"), [1], source="one"))
    head.append(frame(2, series("a"), [2], source="two"))

    blocks = head.select(named("a"), 0, 9)

    assert [(b.timestamps_ms.tolist(), b.values.tolist()) for b in blocks] == [([1], [[1]]), ([2], [[2]])]


def test_samples_keep_their_own_times() -> None:
    head, layout = Head(), series("a", "b", "c")
    head.append(frame(1000, layout, [1, 2, 3], own=[400, NO_TIMESTAMP, 1000]))
    head.append(frame(2000, layout, [4, 5, 6], own=[1400, NO_TIMESTAMP, 2000]))

    assert samples(head, "a") == [(400, 1), (1400, 4)]
    assert samples(head, "b") == [(1000, 2), (2000, 5)]
    assert samples(head, "c") == [(1000, 3), (2000, 6)]


def test_own_times_that_go_back_or_repeat_are_refused_one_by_one() -> None:
    registry = CollectorRegistry()
    head, layout = Head(3600, registry), series("older", "twice", "same", "future", "past", "good")
    now = 10_000_000
    head.append(frame(now, layout, [1] * 6, own=[now - 10] * 6))
    times = [now - 20, now - 10, now - 10, now + 700_000, now - 3_700_000, now + 5]
    head.append(frame(now + 10, layout, [2, 2, 1, 2, 2, 2], own=times))

    assert rejected(registry, "out_of_order") == 1
    assert rejected(registry, "duplicate_timestamp") == 1
    assert rejected(registry, "out_of_bounds") == 2
    assert samples(head, "same") == [(now - 10, 1)], "the same sample once more is no mistake"
    assert samples(head, "good") == [(now - 10, 1), (now + 5, 2)]


def test_series_with_equal_own_times_share_a_block() -> None:
    head, layout = Head(), series("a", "b", "c")
    head.append(frame(1000, layout, [1, 2, 3], own=[500, 500, 600]))

    blocks = head.select([Matcher("job", MatchOp.EQUAL, "test")], 0, 5000)

    assert sorted(len(block.series) for block in blocks) == [1, 2]


def test_series_that_begins_to_bring_own_times_stays_one_series() -> None:
    head, layout = Head(), series("a", "b")
    head.append(frame(1000, layout, [1, 10]))
    head.append(frame(2000, layout, [2, 20], own=[1500, NO_TIMESTAMP]))
    head.append(frame(3000, layout, [3, 30]))

    assert samples(head, "a") == [(1000, 1), (1500, 2), (3000, 3)]
    assert samples(head, "b") == [(1000, 10), (2000, 20), (3000, 30)]
    assert len(head.select(named("a"), 0, 5000)) == 1
    assert head.label_values("__name__", [], 0, 5000) == ["a", "b"]


def test_series_with_own_times_get_no_staleness_marker() -> None:
    head = Head()
    head.append(frame(1000, series("a", "b"), [1, 2], own=[500, NO_TIMESTAMP]))
    head.append(frame(2000, series("b"), [3]))
    head.end_source("s", 3000)

    assert samples(head, "a") == [(500, 1)]
    assert samples(head, "b") == [(1000, 2), (2000, 3), (3000, "stale")]


def test_series_beyond_the_limit_are_refused_until_there_is_room() -> None:
    registry = CollectorRegistry()
    head, layout = Head(100, registry, max_series=2), series("a", "b", "c")
    head.append(frame(0, series("x"), [1], source="other"))
    head.append(frame(1000, layout, [1, 2, 3]))
    head.append(frame(2000, layout, [4, 5, 6]))

    assert (head.series_count, rejected(registry, "series_limit")) == (2, 4)
    assert samples(head, "a") == [(1000, 1), (2000, 4)]
    assert samples(head, "b") == []

    head.trim(100_500)  # "other" is forgotten
    head.append(frame(101_000, layout, [7, 8, 9]))

    assert samples(head, "b") == [(101_000, 8)]
    assert rejected(registry, "series_limit") == 5


def test_trim_forgets_old_samples_and_series() -> None:
    head = Head(1000)
    both, only_a = series("a", "b"), series("a")
    head.append(frame(0, both, [0, 0]))
    for i in range(1, 2000):
        head.append(frame(i * 1000, only_a, [i]))
    head.trim(2_000_000)

    assert head.metric_names() == {"a"}
    assert head.series_count == 1
    assert samples(head, "a")[-1] == (1_999_000, 1999)
    assert 999 <= head.sample_count < 1300
    assert head.select(named("b"), 0, 10**9) == []


def test_source_that_fell_silent_is_forgotten_whole() -> None:
    head = Head(10)
    head.append(frame(0, series("a"), [1]))
    head.append(frame(0, series("b"), [1], source="own", own=[5]))
    head.trim(1_000_000)

    assert (head.series_count, head.sample_count, head.size_bytes) == (0, 0, 0)
    head.append(frame(2_000_000, series("a"), [2]))
    assert samples(head, "a") == [(2_000_000, 2)]


def test_columns_of_dead_series_are_used_again() -> None:
    head = Head(600)
    for i in range(4000):
        names = ["steady", *(f"pod_{j}" for j in range(i // 10, i // 10 + 20))]
        head.append(frame(i * 1000, series(*names), range(len(names))))
        if i % 50 == 0:
            head.trim(i * 1000)

    assert samples(head, "steady", 3_990_000) == [(i * 1000, 0) for i in range(3990, 4000)]
    assert samples(head, "pod_400", 3_995_000) == [(i * 1000, 2) for i in range(3995, 4000)]
    assert samples(head, "pod_390", 3_880_000)[-2:] == [(3_909_000, 1), (3_910_000, "stale")]
    assert head.series_count < 140
    assert head.size_bytes < 3_000_000


def test_shrunken_source_gives_its_columns_back_while_views_stay_whole() -> None:
    head = Head(100)
    many, few = series(*(f"m_{i}" for i in range(500))), series("m_499", "m_7")
    head.append(frame(0, many, range(500)))
    for i in range(1, 1000):
        head.append(frame(i * 1000, few, [i, -i]))
    (view,) = head.select(named("m_499"), 950_000, 960_000)
    before = view.values.copy()
    head.trim(1_000_000)
    head.append(frame(1_000_000, few, [1000, -1000]))

    assert head.series_count == 2
    assert view.values.tolist() == before.tolist()
    assert samples(head, "m_499", 998_000) == [(998_000, 998), (999_000, 999), (1_000_000, 1000)]
    assert samples(head, "m_7", 999_000) == [(999_000, -999), (1_000_000, -1000)]
    assert head.size_bytes < 100_000


def test_selection_that_was_asked_before_sees_new_series() -> None:
    head = Head()
    head.append(frame(1, series("a"), [1]))
    everything = [Matcher("job", MatchOp.EQUAL, "test")]
    assert len(head.select(everything, 0, 9)[0].series) == 1

    head.append(frame(2, series("a", "b"), [1, 2]))

    assert len(head.select(everything, 0, 9)[0].series) == 2
    assert samples(head, "b") == [(2, 2)]


def test_label_names_and_values_look_at_the_time_range() -> None:
    head = Head()
    with_x: Layout = Layout((labels_of({"__name__": "a", "x": "1"}), labels_of({"__name__": "b", "y": "2"})))
    head.append(frame(1000, with_x, [1, 2]))
    head.append(frame(2000, Layout(with_x.series[1:]), [2]))
    head.append(frame(3000, Layout(with_x.series[1:]), [2]))

    assert head.label_names([], 0, 5000) == ["__name__", "x", "y"]
    assert head.label_names([], 2500, 5000) == ["__name__", "y"]
    assert head.label_values("x", [], 0, 5000) == ["1"]
    assert head.label_values("x", [], 2500, 5000) == []
    assert head.label_values("y", named("a"), 0, 5000) == []
    assert head.metric_names() == {"a", "b"}


def test_series_are_listed_without_a_copy_of_their_samples() -> None:
    head = Head()
    wide = series(*(f"m{number}" for number in range(2000)))
    for second in range(50):
        head.append(frame(1000 * second, wide, [1.0] * 2000))
    tracemalloc.start()
    try:
        assert len(head.series([], 0, 50_000)) == 2000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < head.size_bytes / 2


def test_statistics_name_the_largest_first() -> None:
    head = Head()
    pair = Layout(tuple(labels_of({"__name__": "a", "x": x}) for x in ("1", "22")))
    head.append(frame(1000, pair, [1, 2]))
    head.append(frame(2000, series("b"), [1], source="other"))

    found = head.statistics(2)

    assert (found.series, found.first_ms, found.last_ms) == (3, 1000, 2000)
    assert found.series_by_metric == (("a", 2), ("b", 1))
    assert found.values_by_label[0] in (("__name__", 2), ("x", 2))
    assert dict(head.statistics(9).bytes_by_label)["x"] == 3
    assert found.series_by_pair[0] == ("__name__=a", 2)
    assert Head().statistics(5).first_ms is None


def test_empty_frame_marks_what_was_there_before() -> None:
    head = Head()
    head.append(frame(1, series("a"), [1]))
    head.append(frame(2, series(), []))

    assert samples(head, "a") == [(1, 1), (2, "stale")]


def test_store_measures_itself() -> None:
    registry = CollectorRegistry()
    head = Head(registry=registry)
    head.append(frame(1, series("a", "b"), [1, 2]))

    assert registry.get_sample_value("watchkeeper_store_series") == 2
    assert registry.get_sample_value("watchkeeper_store_samples") == 2
    assert (registry.get_sample_value("watchkeeper_store_bytes") or 0) >= 16


def test_six_hours_of_a_machine_cost_less_than_ten_megabytes() -> None:
    layout = Layout(tuple(labels_of({"__name__": f"m_{i % 50}", "i": str(i)}) for i in range(600)))
    values = np.arange(600, dtype=np.float64)
    tracemalloc.start()
    try:
        head = Head(21_600)
        for i in range(2000):
            head.append(Frame("system", i * 15_000, layout, values))
            if i % 10 == 0:
                head.trim(i * 15_000)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert used < 10_000_000
    assert len(samples_times(head)) >= 1440


def samples_times(head: Head) -> list[int]:
    (block,) = head.select([Matcher("i", MatchOp.EQUAL, "7")], 0, 10**12)
    times: list[int] = block.timestamps_ms.tolist()
    return times


def test_readers_in_other_threads_see_whole_rows() -> None:
    head = Head(1)
    failures: list[object] = []
    layouts = [series("a", "b"), series("b", "c", "a"), series("b")]
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            blocks = head.select([Matcher("job", MatchOp.EQUAL, "test")], 0, 10**9)
            failures.extend(b for b in blocks if b.values.shape != (len(b.timestamps_ms), len(b.series)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(200):
        layout = layouts[i // 7 % 3]
        head.append(frame(i * 10, layout, range(len(layout))))
        if i % 20 == 0:
            head.trim(i * 10)
    done.set()
    for reader in readers:
        reader.join()

    assert not failures


def test_newest_samples_come_as_one_row_with_the_same_series_tuple() -> None:
    head, layout = Head(), series("a", "b")
    for i in range(5):
        head.append(frame(i, layout, [i, float("nan")]))

    (first,), (second,) = (head.select_newest([Matcher("job", MatchOp.EQUAL, "test")], 0, end) for end in (3, 9))

    assert (first.timestamps_ms.tolist(), second.timestamps_ms.tolist()) == ([3], [4])
    assert isinstance(first.series, tuple)
    assert first.series is second.series


def test_newest_samples_reach_back_where_the_newest_row_has_holes() -> None:
    head = Head()
    head.append(frame(1, series("a", "b"), [1, 2]))
    head.append(frame(2, series("b"), [3]))
    head.append(frame(3, series("b"), [4]))

    (block,) = head.select_newest([Matcher("job", MatchOp.EQUAL, "test")], 0, 9)

    assert block.timestamps_ms.tolist() == [1, 2, 3]


def test_newest_of_a_series_that_came_after_its_source_began_a_chunk_is_found() -> None:
    head = Head()
    first, second = series("a"), series("a", "b")
    head.append(frame(1000, first, [1.0]))
    head.append(frame(2000, second, [2.0, 20.0]))

    wanted = [Matcher("__name__", MatchOp.REGEX, "a|b")]
    [before] = head.select_newest(wanted, 0, 1500)
    [after] = head.select_newest(wanted, 0, 2500)

    assert [(labels[0][1], value) for labels, value in zip(before.series, before.values[-1], strict=True)] == [
        ("a", 1.0)
    ]
    assert sorted(after.values[-1].tolist()) == [2.0, 20.0]
