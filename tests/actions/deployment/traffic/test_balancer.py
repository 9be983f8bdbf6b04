from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actions.deployment.traffic.balancer import Balancer
from actions.deployment.traffic.router import Backend


def backend(name: str, weight: int, address: str = "127.0.0.1:1") -> Backend:
    return Backend(name, address, weight, "r1")


def choices(balancer: Balancer, count: int, now: float = 0.0) -> str:
    chosen = [balancer.choose(now) for _ in range(count)]
    return "".join(found.id if found else "-" for found in chosen)


def test_turns_are_spread_rather_than_bunched() -> None:
    assert choices(Balancer([backend("a", 5), backend("b", 1), backend("c", 1)]), 7) == "aabacaa"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any))
def test_shares_are_exact_over_a_cycle(weights: list[int]) -> None:
    balancer = Balancer([backend(str(index), weight) for index, weight in enumerate(weights)])
    counts = Counter(choices(balancer, sum(weights)))
    assert [counts[str(index)] for index in range(len(weights))] == weights


def test_without_weight_nobody_is_chosen() -> None:
    assert Balancer().choose(0.0) is None
    assert Balancer([backend("a", 0)]).choose(0.0) is None


def test_backend_that_was_tried_is_not_chosen_again() -> None:
    balancer = Balancer([backend("a", 1), backend("b", 1)])
    assert balancer.choose(0.0, ["a"]) == backend("b", 1)
    assert balancer.choose(0.0, ["a", "b"]) is None


def test_unreachable_backend_is_passed_over_for_a_while() -> None:
    balancer = Balancer([backend("a", 1), backend("b", 1)], ejection_seconds=2.0)
    balancer.eject("a", 10.0)
    assert choices(balancer, 3, now=11.9) == "bbb"
    assert set(choices(balancer, 4, now=12.0)) == {"a", "b"}


def test_unreachable_backends_are_tried_when_all_others_were() -> None:
    balancer = Balancer([backend("a", 1), backend("b", 0)])
    balancer.eject("a", 10.0)
    assert choices(balancer, 2, now=10.0) == "aa"


def test_ejection_ends_when_the_backend_is_given_another_address() -> None:
    balancer = Balancer([backend("a", 1), backend("b", 1)])
    balancer.eject("a", 0.0)
    balancer.replace([backend("a", 3), backend("b", 1)])
    assert choices(balancer, 2) == "bb"
    balancer.replace([backend("a", 3, "127.0.0.1:2"), backend("b", 1)])
    assert "a" in choices(balancer, 2)


def test_requests_under_way_at_a_removed_backend_stay_counted_until_they_end() -> None:
    balancer = Balancer([backend("a", 1)])
    with balancer.carrying("a"):
        with balancer.carrying("a"):
            balancer.replace([backend("b", 1)])
            assert balancer.in_flight == {"a": 2, "b": 0}
        assert balancer.in_flight == {"a": 1, "b": 0}
    assert balancer.in_flight == {"b": 0}
