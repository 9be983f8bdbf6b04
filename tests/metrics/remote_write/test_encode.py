"""Writing requests, with the protobuf library as oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from metrics.frame import STALE, STALE_BITS
from metrics.label import labels_of
from metrics.remote_write.encode import encode, part, template
from tests.metrics.remote_write import oracle

NOW_MS = 1_700_000_000_000

label_sets = st.dictionaries(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=150), max_size=4)
times = st.one_of(st.integers(NOW_MS - 5, NOW_MS + 5), st.integers(-(2**63), 2**63 - 1))
rows = st.lists(st.tuples(label_sets, times, st.floats(allow_nan=False)), max_size=5)


@given(rows)
def test_what_is_written_reads_back(samples: list[tuple[dict[str, str], int, float]]) -> None:
    whole = template([labels_of(labels) for labels, _, _ in samples])
    stamps, values = np.array([time for _, time, _ in samples], dtype=np.int64), np.array([v for _, _, v in samples])
    request = oracle.WriteRequest.FromString(encode(whole, stamps, values.astype(np.float64)))
    found = [
        (tuple((label.name, label.value) for label in one.labels), one.samples[0].timestamp, one.samples[0].value)
        for one in request.timeseries
    ]
    assert found == [(labels_of(labels), time, value) for labels, time, value in samples]


def test_a_part_has_some_of_the_series() -> None:
    whole = template([labels_of({"__name__": name}) for name in ("a", "bb", "ccc")])
    some = part(whole, np.array([0, 2], dtype=np.intp))
    request = oracle.WriteRequest.FromString(encode(some, np.full(2, NOW_MS), np.array([1.0, 3.0])))
    assert [(one.labels[0].value, one.samples[0].value) for one in request.timeseries] == [("a", 1.0), ("ccc", 3.0)]


def test_a_staleness_marker_is_kept_bit_for_bit() -> None:
    whole = template([labels_of({"__name__": "a"})])
    for time in (NOW_MS, 0):
        assert STALE_BITS.tobytes() in encode(whole, np.array([time]), np.array([STALE]))
