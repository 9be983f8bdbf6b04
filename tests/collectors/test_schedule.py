from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collectors.schedule import QUICK_SECONDS, first_due, next_due

seconds = st.floats(0, 1e6)
intervals = st.floats(0.01, 1e5)


@given(st.text(), seconds, intervals)
def test_first_collection_falls_within_the_interval_and_is_the_same_after_a_restart(
    source: str, now: float, interval: float
) -> None:
    due = first_due(source, now, interval)
    assert now <= due <= now + interval * 1.000001
    assert due == first_due(source, now, interval)


def test_this_machine_is_read_soon_whatever_its_interval() -> None:
    assert first_due("system", 100.0, 3600.0) <= 100.0 + QUICK_SECONDS
    assert first_due("own", 100.0, 3600.0) <= 100.0 + QUICK_SECONDS


def test_many_sources_are_spread_evenly_over_the_interval() -> None:
    tenths = [0] * 10
    for index in range(2000):
        tenths[int(first_due(f"scrape/shop/host-{index}:9100", 0.0, 10.0))] += 1
    assert max(tenths) < 2 * min(tenths)


@given(seconds, st.floats(0, 1e5), intervals)
def test_next_collection_is_in_the_future_and_missed_ones_are_counted_not_made_up_for(
    due: float, delay: float, interval: float
) -> None:
    now = due + delay
    following, missed = next_due(due, now, interval)
    assert missed == int(delay / interval) or abs(delay / interval - round(delay / interval)) < 1e-6
    assert now - 1e-6 * now <= following <= now + interval * (1 + 1e-6) + 1e-6 * now


def test_a_collection_in_time_is_followed_one_interval_after_it_was_due() -> None:
    assert next_due(100.0, 100.004, 15.0) == (115.0, 0)
    assert next_due(100.0, 147.0, 15.0) == (160.0, 3)
