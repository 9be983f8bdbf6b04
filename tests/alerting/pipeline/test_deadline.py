"""Which of many ends is first, though they are put off again and again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerting.pipeline.deadline import Deadlines

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 4), st.integers(0, 9)),
        st.tuples(st.just("drop"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("pop"), st.just(0), st.integers(0, 9)),
    )
)


@given(STEPS)
def test_it_answers_as_a_look_at_all_would(steps: list[tuple[str, int, int]]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    plain: dict[int, float] = {}
    for what, key, time in steps:
        if what == "set":
            deadlines.set(key, time)
            plain[key] = time
        elif what == "drop":
            deadlines.drop(key)
            plain.pop(key, None)
        else:
            due = {one for one, at in plain.items() if at <= time}
            popped = list(deadlines.pop_until(time))
            assert [plain[one] for one in popped] == sorted(plain[one] for one in due)
            assert set(popped) == due
            plain = {one: at for one, at in plain.items() if one not in due}
        assert deadlines.next() == min(plain.values(), default=None)


def test_putting_off_does_not_fill_the_queue() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for time in range(1000):
        deadlines.set("one", time)
        deadlines.next()
    assert len(deadlines._queue) == 1
