from hypothesis import given
from hypothesis import strategies as st

from core.backoff import backoff_seconds


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pause_is_never_zero_and_never_above_the_cap(attempt: int, chance: float) -> None:
    assert 0.5 <= backoff_seconds(attempt, cap_seconds=60.0, random=lambda: chance) <= 60.0


def test_pause_doubles_with_each_failure() -> None:
    pauses = [backoff_seconds(attempt, random=lambda: 0.0) for attempt in range(1, 5)]
    assert pauses == [0.5, 1.0, 2.0, 4.0]
