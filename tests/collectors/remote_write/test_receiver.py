"""Requests become samples in the store."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from collectors.remote_write.config import RemoteWriteReceiverConfig
from collectors.remote_write.receiver import Receipt, Receiver, RefusedError
from metrics.frame import STALE_BITS
from metrics.head import Head
from metrics.label import label_value
from metrics.remote_write.block import compress
from metrics.storage import Matcher, MatchOp, is_missing
from tests.fakes.clock import FakeClock
from tests.metrics.remote_write.oracle import write_request

NOW_MS = 1_700_000_000_000

Series = tuple[dict[str, str], list[tuple[int, float]]]


class House:
    """A receiver before a store."""

    def __init__(self, **limits: int) -> None:
        self.clock = FakeClock()
        self.registry = CollectorRegistry()
        self.head = Head()
        config = RemoteWriteReceiverConfig(**limits)
        self.receiver = Receiver(config, self.head.append, clock=self.clock, registry=self.registry)

    def write(self, *series: Series) -> Receipt:
        return self.receiver.take(compress(write_request(list(series))))

    def samples(self, name: str) -> dict[str, list[tuple[int, float]]]:
        """Return the samples of a metric by instance, times from NOW_MS on."""
        found: dict[str, list[tuple[int, float]]] = {}
        for block in self.head.select([Matcher("__name__", MatchOp.EQUAL, name)], 0, 10**15):
            for column, labels in enumerate(block.series):
                there = ~is_missing(block.values[:, column])
                pairs = zip(block.timestamps_ms[there].tolist(), block.values[there, column].tolist(), strict=True)
                found.setdefault(label_value(labels, "instance"), []).extend((t - NOW_MS, v) for t, v in pairs)
        return found


def series(name: str, *samples: tuple[int, float], instance: str = "a", job: str = "j") -> Series:
    labels = {"__name__": name, "instance": instance, "job": job}
    return {key: value for key, value in labels.items() if value}, [(NOW_MS + time, value) for time, value in samples]


def test_samples_keep_their_times() -> None:
    house = House()
    house.write(series("m", (-5000, 1)), series("m", (-4000, 2), instance="b"))
    house.write(series("m", (0, 3)), series("m", (0, 4), instance="b"))
    assert house.samples("m") == {"a": [(-5000, 1), (0, 3)], "b": [(-4000, 2), (0, 4)]}


def test_several_samples_of_a_series_in_one_request_are_all_taken() -> None:
    house = House()
    assert house.write(series("m", (-30, 1), (-20, 2), (-10, 3)), series("n", (-30, 4))).taken == 4
    assert house.samples("m")["a"] == [(-30, 1), (-20, 2), (-10, 3)]


def test_a_series_that_is_missing_from_a_request_has_not_ended() -> None:
    house = House()
    house.write(series("m", (0, 1)), series("n", (0, 1)))
    house.write(series("m", (1000, 2)))
    house.write(series("n", (2000, 3)))
    assert house.samples("n")["a"] == [(0, 1), (2000, 3)]


def test_what_is_late_or_contradicts_is_refused_and_the_rest_taken() -> None:
    house = House()
    house.write(series("m", (0, 1)), series("n", (0, 1)))
    receipt = house.write(
        series("m", (-1, 9)), series("n", (0, 9)), series("o", (0, 9)), series("p", (-(10**9), 1), (10**7, 1))
    )
    assert receipt.taken == 1
    assert receipt.refused == {"out_of_order": 1, "duplicate_timestamp": 1, "out_of_bounds": 2}
    with pytest.raises(RefusedError, match=r"refused 4 of 5 samples \(1 duplicate_timestamp, 2 out_of_bounds, 1 out_"):
        receipt.check()
    value = house.registry.get_sample_value(
        "watchkeeper_remote_write_refused_samples_total", {"reason": "out_of_bounds"}
    )
    assert value == 2


def test_a_request_that_comes_twice_is_taken_in_silence() -> None:
    house = House()
    for _ in range(2):
        assert house.write(series("m", (-20, 1)), series("n", (-20, 1))).refused == {}
    assert house.samples("m")["a"] == [(-20, 1)]


def test_a_staleness_marker_is_kept_bit_for_bit() -> None:
    house = House()
    message = write_request([series("m", (0, 0.5))]).replace(np.float64(0.5).tobytes(), STALE_BITS.tobytes())
    house.receiver.take(compress(message))
    (block,) = house.head.select([Matcher("__name__", MatchOp.EQUAL, "m")], 0, 10**15)
    assert block.values.copy().view(np.uint64).tolist() == [[int(STALE_BITS)]]


def test_rules_are_told_all_series_of_the_sources_that_were_touched() -> None:
    house = House()
    first = house.write(series("m", (0, 1)), series("n", (0, 1)), series("m", (0, 1), instance="b"))
    assert [frame.source for frame in first.touched] == ["remote_write/j/a", "remote_write/j/b"]
    second = house.write(series("n", (10, 1)))
    assert [label_value(labels, "__name__") for labels in second.touched[0].layout.series] == ["m", "n"]
    assert second.touched[0].layout is first.touched[0].layout


def test_further_series_are_refused_when_there_are_too_many() -> None:
    house = House(max_series=2)
    assert house.write(series("a", (0, 1)), series("b", (0, 1)), series("c", (0, 1))).refused == {"series_limit": 1}


async def test_series_that_nobody_sends_any_more_make_room() -> None:
    house = House(max_series=2)
    house.write(series("a", (0, 1)), series("b", (0, 1)))
    await house.clock.advance(3601)
    house.write(series("a", (3_601_000, 1)))
    await house.clock.advance(3600)
    receipt = house.write(series("c", (7_200_000, 1)), series("a", (7_200_000, 2)))
    assert receipt.refused == {}
    assert [label_value(labels, "__name__") for labels in receipt.touched[0].layout.series] == ["a", "c"]
    assert house.samples("a")["a"][-1] == (7_200_000, 2)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=8), max_size=8))
def test_every_series_holds_its_samples_in_order(requests: list[list[tuple[int, int]]]) -> None:
    house = House()
    model: dict[str, list[tuple[int, float]]] = {f"{i}": [] for i in range(4)}
    seen = 0.0
    for request in requests:
        sent = []
        for which, time in request:
            seen += 1
            sent.append(series("m", (time, seen), instance=str(which)))
            kept = model[str(which)]
            if not kept or time > kept[-1][0]:
                kept.append((time, seen))
        house.write(*sent)
    assert house.samples("m") == {name: samples for name, samples in model.items() if samples}
