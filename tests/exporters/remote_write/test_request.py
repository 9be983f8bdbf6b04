"""Cutting what was read into requests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.remote_write.request import Request, Splitter
from metrics.frame import NO_TIMESTAMP, STALE_BITS, End, Frame, Layout
from metrics.label import labels_of
from metrics.relabel import Rule
from metrics.remote_write.block import decompress
from tests.metrics.remote_write.oracle import WriteRequest

NOW_MS = 1_700_000_000_000

Sample = tuple[str, int, float | str]


def layout(*names: str) -> Layout:
    return Layout(tuple(labels_of({"__name__": name}) for name in names))


def frame(series: Layout, at: int, *values: float, source: str = "s", own: Sequence[int | None] = ()) -> Frame:
    times = None
    if own:
        times = np.array([NO_TIMESTAMP if time is None else NOW_MS + time for time in own], dtype=np.int64)
    return Frame(source, NOW_MS + at, series, np.array(values, dtype=np.float64), times)


def samples(request: Request) -> list[Sample]:
    message = WriteRequest.FromString(decompress(request.body(), 10**7))
    found: list[Sample] = []
    for one in message.timeseries:
        name = ",".join(label.value for label in one.labels)
        (sample,) = one.samples
        bits = int(np.array([sample.value]).view(np.uint64)[0])
        found.append((name, sample.timestamp - NOW_MS, "stale" if bits == int(STALE_BITS) else sample.value))
    return found


def splitter(*, max_samples: int = 100, max_shards: int = 1, rules: Sequence[Rule] = (), **external: str) -> Splitter:
    return Splitter(external, max_samples=max_samples, max_shards=max_shards, rules=rules)


def test_frames_become_samples_with_their_times() -> None:
    ab = layout("a", "b")
    ((request,),) = splitter().requests([frame(ab, 0, 1, 2), frame(ab, 10, 3, 4, own=(None, 7))])
    assert samples(request) == [("a", 0, 1), ("b", 0, 2), ("a", 10, 3), ("b", 7, 4)]
    assert (request.samples, request.newest_ms) == (4, NOW_MS + 10)


def test_requests_have_no_more_samples_than_told() -> None:
    abc = layout("a", "b", "c")
    (requests,) = splitter(max_samples=2).requests([frame(abc, 0, 1, 2, 3), frame(abc, 1, 4, 5, 6)])
    assert [samples(request) for request in requests] == [
        [("a", 0, 1), ("b", 0, 2)], [("c", 0, 3), ("a", 1, 4)], [("b", 1, 5), ("c", 1, 6)]
    ]  # fmt: skip


def test_series_that_end_get_a_staleness_marker() -> None:
    one = splitter()
    one.requests([frame(layout("a", "b", "c"), 0, 1, 2, 3, own=(None, None, -5))])
    ((request,),) = one.requests([frame(layout("a"), 10, 4), End("s", NOW_MS + 20), End("s", NOW_MS + 21)])
    assert samples(request) == [("b", 10, "stale"), ("a", 10, 4), ("a", 20, "stale")]


def test_series_end_across_a_restart() -> None:
    one = splitter()
    one.resume({"s": frame(layout("a", "b"), 0, 1, 2)})
    ((request,),) = one.requests([frame(layout("b"), 10, 3)])
    assert samples(request) == [("a", 10, "stale"), ("b", 10, 3)]


def test_external_labels_are_added_where_a_series_has_none_of_the_name() -> None:
    series = Layout((labels_of({"__name__": "a", "site": "own"}), labels_of({"__name__": "a"})))
    ((request,),) = splitter(site="here").requests([frame(series, 0, 1, 2)])
    assert [name for name, _, _ in samples(request)] == ["a,own", "a,here"]


def test_nothing_becomes_no_request() -> None:
    assert splitter().requests([]) == [[]]
    assert splitter().requests([frame(layout(), 0)]) == [[]]


def test_a_request_can_be_taken_apart_down_to_one_piece() -> None:
    a = layout("a")
    ((request,),) = splitter().requests([frame(a, i, i) for i in range(3)])
    first, second = request.halves() or (request, request)
    assert (samples(first), samples(second)) == ([("a", 0, 0)], [("a", 1, 1), ("a", 2, 2)])
    assert first.halves() is None


names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)


@given(st.lists(names, max_size=10), st.integers(1, 5), st.integers(1, 4))
def test_shards_lose_nothing_and_keep_every_series_in_order(
    collections: list[list[str]], max_samples: int, max_shards: int
) -> None:
    entries: list[Frame | End] = []
    expected: dict[str, list[tuple[int, float | str]]] = {}
    before: list[str] = []
    for at, present in enumerate(collections):
        entries.append(frame(layout(*present), at, *[at * 10.0] * len(present)))
        for name in (name for name in before if name not in present):
            expected.setdefault(name, []).append((at, "stale"))
        for name in present:
            expected.setdefault(name, []).append((at, at * 10.0))
        before = present
    shards = splitter(max_samples=max_samples, max_shards=max_shards).requests(entries)
    found: dict[str, list[tuple[int, float | str]]] = {}
    for shard in shards:
        mine: dict[str, list[tuple[int, float | str]]] = {}
        for request in shard:
            assert request.samples <= max_samples
            for name, at, value in samples(request):
                mine.setdefault(name, []).append((at, value))
        assert not mine.keys() & found.keys()
        found |= mine
    assert found == expected
    assert len(shards) <= max_shards


def test_rules_rewrite_and_leave_out_series_after_the_external_labels() -> None:
    rules = (
        Rule("drop", ("__name__",), regex="b"),
        Rule("replace", ("region",), regex="(.*)", target_label="place", replacement="in-$1"),
        Rule("labeldrop", regex="region"),
    )
    sent = splitter(rules=rules, region="north")
    abc = layout("a", "b", "c")
    ((request,),) = sent.requests([frame(abc, 0, 1, 2, 3)])
    assert samples(request) == [("a,in-north", 0, 1), ("c,in-north", 0, 3)]
    ((request,),) = sent.requests([frame(layout("a"), 5, 4)])
    assert samples(request) == [("c,in-north", 5, "stale"), ("a,in-north", 5, 4)]


@pytest.mark.parametrize("shards", [1, 3])
def test_a_frame_of_which_all_is_left_out_asks_for_no_request(shards: int) -> None:
    sent = splitter(rules=(Rule("drop", ("__name__",), regex="."),), max_samples=1, max_shards=shards)
    assert [request for shard in sent.requests([frame(layout("a", "b"), 0, 1, 2)]) for request in shard] == []
