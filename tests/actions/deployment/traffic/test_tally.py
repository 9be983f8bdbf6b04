from __future__ import annotations

from actions.deployment.traffic.tally import BOUNDS_SECONDS, Tally


def test_requests_are_counted_by_revision_and_code_and_durations_in_cumulative_buckets() -> None:
    tally = Tally()
    for seconds in (0.005, 0.006, 0.2, 99.0):
        tally.add("r1", 200, seconds)
    tally.add("r2", 500, 0.1)
    counts = tally.as_json()
    assert counts["requests"] == [
        {"revision": "r1", "code": 200, "count": 4},
        {"revision": "r2", "code": 500, "count": 1},
    ]
    first = counts["durations"][0]
    assert first["revision"] == "r1"
    assert first["bounds"] == list(BOUNDS_SECONDS)
    assert first["buckets"] == [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4]
    assert (first["sum"], first["count"]) == (99.211, 4)


def test_nothing_counted_gives_empty_lists() -> None:
    assert Tally().as_json() == {"requests": [], "durations": []}
