"""The demo believes nothing that was not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon.cli.demo.story import Evidence
from daemon.cli.demo.traffic import Account, Answer
from daemon.cli.demo.verdict import judge, times
from tests.daemon.cli.documents import NOW, alert, incident, operation, service


def instance(revision: int, *, healthy: bool = True, weight: int = 100) -> dict[str, Any]:
    return {"id": f"shop/production/r{revision}/0", "revision": revision, "healthy": healthy, "weight": weight}


def answers(*spans: tuple[float, float, int]) -> Account:
    """Ten answers a second of one status in each span, which is relative to NOW."""
    return Account(
        tuple(
            Answer(NOW + start + tenth / 10, status)
            for start, end, status in spans
            for tenth in range(round((end - start) * 10))
        )
    )


def evidence(**changed: Any) -> Evidence:
    """What is seen when all goes well: bad from 10 to 15, clean to 25."""
    states = {1: "good", 2: "quarantined"}
    revisions = [{"revision": number, "state": state, "version": f"v{number}"} for number, state in states.items()]
    seen = Evidence(
        good_revision=1, bad_revision=2, bad_deployed_at=NOW + 9, rollback_ended_at=NOW + 15,
        alert=alert(state="resolved", fired_at=NOW + 14), incident=incident(status="resolved"),
        rollback=operation(kind="rollback", requested_by="policy/roll-back"),
        service=service(current=1, revisions=revisions, instances=[instance(1), instance(1), instance(2, weight=0)]),
        logbook={"entries": 20, "faults": []},
        account=answers((0, 10, 200), (10, 15, 500), (15, 25, 200)),
    )  # fmt: skip
    return replace(seen, **changed)


def wrong(seen: Evidence, *, killed: bool = False, stopped_in_order: bool = True) -> list[str]:
    return [claim.text for claim in judge(seen, killed=killed, stopped_in_order=stopped_in_order) if not claim.holds]


def test_all_claims_hold_when_all_went_well() -> None:
    assert wrong(evidence()) == []
    assert wrong(evidence(killed_during="wait_healthy"), killed=True) == []


def test_times_are_those_of_the_users() -> None:
    measured = times(evidence())
    assert measured.detect == pytest.approx(4.0)
    assert measured.recover == pytest.approx(4.9)


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"account": answers((0, 10, 500), (10, 25, 200))}, "no request failed before the bad release"),
        ({"account": answers((0, 25, 200))}, "requests failed with the bad release"),
        ({"account": answers((0, 10, 200), (10, 17, 500), (17, 25, 200))}, "no request failed after the rollback"),
        ({"account": answers((0, 10, 200), (10, 15, 500), (16, 18, 200))}, "no request failed after the rollback"),
        ({"account": answers((0, 10, 200), (10, 11, 0), (15, 25, 200))}, "no connection was lost at any time"),
        ({"alert": alert(state="firing")}, "the alert fired, and is over"),
        ({"incident": incident(status="open")}, "the incident opened for it, and is resolved"),
        ({"incident": incident(status="resolved", alerts=["b"])}, "the incident opened for it, and is resolved"),
        ({"rollback": operation(requested_by="anna")}, "the policy asked for the rollback"),
        (
            {"rollback": operation(requested_by="policy/p", steps=[])},
            "the rollback succeeded, each of its steps",
        ),
        (
            {"service": service(current=2, instances=[instance(1)] * 2, revisions=[{"revision": 2,
                                                                                   "state": "quarantined"}])},
            "the good release serves again",
        ),
        (
            {"service": service(current=1, instances=[instance(1)] * 2, revisions=[{"revision": 2,
                                                                                   "state": "superseded"}])},
            "the bad release is in quarantine",
        ),
        (
            {"service": service(current=1, instances=[instance(1), instance(1, healthy=False)],
                                revisions=[{"revision": 2, "state": "quarantined"}])},
            "two healthy instances of the good release take the traffic",
        ),
        ({"logbook": {"entries": 20, "faults": [{"number": 1, "reason": "x"}]}}, "the logbook's chain holds"),
    ],
)  # fmt: skip
def test_what_did_not_happen_is_named(changed: dict[str, Any], claim: str) -> None:
    assert wrong(evidence(**changed)) == [claim]


def test_a_kill_that_came_too_late_is_named() -> None:
    assert wrong(evidence(), killed=True) == ["the daemon was killed while the rollback was under way"]


def test_a_daemon_that_had_to_be_killed_is_named() -> None:
    assert wrong(evidence(), stopped_in_order=False) == ["the daemon stopped in order"]
