"""Reading requests, with the protobuf library as oracle."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from metrics.frame import STALE, STALE_BITS
from metrics.label import labels_of
from metrics.remote_write.block import TooLargeError
from metrics.remote_write.decode import SeriesTable, WriteRequest, decode
from metrics.remote_write.wire import MessageError, delimited
from tests.metrics.remote_write import oracle

NOW_MS = 1_700_000_000_000

Sample = tuple[dict[str, str], int, int]


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def read(message: bytes, table: SeriesTable | None = None, *, max_samples: int = 1000) -> WriteRequest:
    return decode(message, SeriesTable(1000) if table is None else table, max_samples=max_samples)


def samples(request: WriteRequest, table: SeriesTable) -> list[Sample]:
    columns = (request.numbers.tolist(), request.timestamps_ms.tolist(), request.values.view(np.uint64).tolist())
    return [(dict(table.labels(number)), time, value) for number, time, value in zip(*columns, strict=True)]


names = st.sampled_from(["job", "instance", "le", "Ünicode", "a b"])
label_sets = st.dictionaries(names, st.text(max_size=5), max_size=4).map(lambda labels: {"__name__": "m", **labels})
times = st.one_of(st.integers(NOW_MS - 10, NOW_MS + 10), st.integers(-(2**63), 2**63 - 1), st.just(0))
numbers = st.floats(allow_nan=False)
requests = st.lists(st.tuples(label_sets, st.lists(st.tuples(times, numbers), max_size=3)), max_size=6)


@given(st.lists(requests, min_size=1, max_size=4))
def test_requests_are_read_as_the_protobuf_library_reads_them(
    all_requests: list[list[tuple[dict[str, str], list[tuple[int, float]]]]],
) -> None:
    table = SeriesTable(1000)
    for request in all_requests:
        message = oracle.write_request(request)
        expected = [
            (dict(labels_of(labels)), time, bits(value)) for labels, samples in request for time, value in samples
        ]
        assert samples(read(message, table), table) == expected
        assert samples(read(message, table), table) == expected  # now that the bytes of its series are known


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_refused_in_words(message: bytes) -> None:
    try:
        read(message)
    except MessageError:
        with pytest.raises(Exception):  # noqa: B017 - the library's error has no class of its own
            _strict(message)


def _strict(message: bytes) -> None:
    """Raise what the library raises, or for what it lets pass and we do not: groups."""
    oracle.WriteRequest.FromString(message)
    raise ValueError("old-fashioned groups")


@given(requests, st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_damaged_requests_never_raise_anything_else(
    request: list[tuple[dict[str, str], list[tuple[int, float]]]], place: int, damage: bytes
) -> None:
    table = SeriesTable(1000)
    message = oracle.write_request(request)
    read(message, table)
    damaged = message[:place] + damage + message[place + len(damage) :]
    try:
        found = samples(read(damaged, table), table)
    except (MessageError, TooLargeError):
        return
    fresh = SeriesTable(1000)
    assert found == samples(read(damaged, fresh), fresh)


def test_a_staleness_marker_is_kept_bit_for_bit() -> None:
    stale = np.array([STALE]).tobytes()
    message = oracle.write_request([({"__name__": "m"}, [(NOW_MS, 0.5)])])
    message = message.replace(struct.pack("<d", 0.5), stale)
    table = SeriesTable(10)
    for _ in range(2):
        assert read(message, table).values.view(np.uint64).tolist() == [int(STALE_BITS)]


def test_labels_in_any_order_are_one_series() -> None:
    table = SeriesTable(10)
    first = read(oracle.write_request([({"__name__": "m", "a": "1"}, [(NOW_MS, 1)])]), table)
    second = read(oracle.write_request([({"a": "1", "__name__": "m"}, [(NOW_MS, 1)])]), table)
    assert first.numbers.tolist() == second.numbers.tolist()


@pytest.mark.parametrize("labels", [{"a": "1"}, {"__name__": ""}, {"__name__": "m", "": "x"}, {}])
def test_samples_of_series_that_cannot_be_are_counted(labels: dict[str, str]) -> None:
    message = oracle.write_request([(labels, [(NOW_MS, 1), (NOW_MS + 1, 2)]), ({"__name__": "m"}, [(NOW_MS, 3)])])
    request = read(message)
    assert request.refused == {"invalid_labels": 2}
    assert request.values.tolist() == [3]


def test_a_label_twice_or_no_utf8_is_refused() -> None:
    name = delimited(1, delimited(1, b"__name__") + delimited(2, b"m"))
    sample = delimited(2, b"\x10\x01")
    twice, broken = (delimited(1, delimited(1, b"a") + delimited(2, value)) for value in (b"1", b"\xff"))
    message = delimited(1, name + twice + twice + sample) + delimited(1, name + broken + sample)
    assert read(message).refused == {"invalid_labels": 2}


def test_native_histograms_are_counted_and_metadata_is_left_out() -> None:
    request = oracle.WriteRequest()
    one = request.timeseries.add()
    one.labels.add(name="__name__", value="m")
    one.histograms.add(timestamp=NOW_MS)
    request.metadata.add(metric_family_name="m")
    assert read(request.SerializeToString()).refused == {"native_histogram": 1}


def test_too_many_samples_refuse_the_request() -> None:
    message = oracle.write_request([({"__name__": "m"}, [(NOW_MS + i, i) for i in range(11)])])
    with pytest.raises(TooLargeError, match="more than 10 samples; send smaller"):
        read(message, max_samples=10)


def test_a_full_table_refuses_new_series_until_old_ones_are_out_of_use() -> None:
    table = SeriesTable(1, forget_seconds=60)

    def write(name: str, now_ms: int) -> WriteRequest:
        table.make_room(now_ms)
        request = read(oracle.write_request([({"__name__": name}, [(now_ms, 1)])]), table)
        table.note_seen(request.numbers, now_ms)
        return request

    assert len(write("a", NOW_MS).numbers) == 1
    assert write("b", NOW_MS + 1000).refused == {"series_limit": 1}
    assert len(write("a", NOW_MS + 2000).numbers) == 1
    assert len(write("b", NOW_MS + 62_001).numbers) == 1
    assert table.labels(0) == (("__name__", "b"),)


def test_errors_are_those_of_a_user() -> None:
    assert issubclass(MessageError, UserError)
