from __future__ import annotations

from alerting.pipeline.limit import WINDOW_SECONDS, Limiter


def limiter(limit: int) -> Limiter:
    one = Limiter()
    one.limit = limit
    return one


def test_without_a_limit_everything_goes_out() -> None:
    one = limiter(0)
    assert all(one.allows("team", 0.0) for _ in range(10_000))


def test_one_message_of_a_window_is_kept_for_the_sum() -> None:
    one = limiter(3)
    assert [one.allows("team", 0.0) for _ in range(4)] == [True, True, False, False]
    assert one.sums("team", 0.0)
    assert not one.sums("team", 1.0)
    assert not one.allows("team", 1.0)


def test_after_a_window_there_is_another_one() -> None:
    one = limiter(2)
    assert one.allows("team", 5.0)
    assert not one.allows("team", 64.9)
    assert one.window_end("team", 10.0) == 5.0 + WINDOW_SECONDS
    assert one.allows("team", 65.0)


def test_each_receiver_has_its_own_window() -> None:
    one = limiter(2)
    assert one.allows("team", 0.0)
    assert not one.allows("team", 0.0)
    assert one.allows("other", 0.0)


def test_a_limit_of_one_leaves_only_sums() -> None:
    one = limiter(1)
    assert not one.allows("team", 0.0)
    assert one.sums("team", 0.0)
