"""Whether all that really happened: every claim of the demo, checked against what was seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daemon.cli.demo.story import Evidence

LEAST_REQUESTS_AFTER = 40
SETTLING_SECONDS = 0.5
"""Requests that were under way at the switch may still come back from the bad release."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that must be so."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Times:
    """How long users suffered, in seconds.

    Attributes:
        detect: from the first failed request to the firing alert.
        recover: from the first to the last failed request.
    """

    detect: float
    recover: float


def judge(evidence: Evidence, *, killed: bool, stopped_in_order: bool) -> list[Claim]:
    """Return all claims of the demo."""
    return [
        *_traffic_claims(evidence),
        *_reaction_claims(evidence),
        *_service_claims(evidence),
        *([Claim("the daemon was killed while the rollback was under way", bool(evidence.killed_during))]
          if killed else []),
        Claim("the logbook's chain holds", evidence.logbook["entries"] > 0 and not evidence.logbook["faults"]),
        Claim("the daemon stopped in order", stopped_in_order),
    ]  # fmt: skip


def _traffic_claims(evidence: Evidence) -> list[Claim]:
    account = evidence.account
    before = account.between(0, evidence.bad_deployed_at)
    during = account.between(evidence.bad_deployed_at, evidence.rollback_ended_at)
    after = account.between(evidence.rollback_ended_at + SETTLING_SECONDS)
    return [
        Claim("no request failed before the bad release", before.sent > 0 and before.failed == 0),
        Claim("requests failed with the bad release", during.failed > 0),
        Claim("no request failed after the rollback", after.sent >= LEAST_REQUESTS_AFTER and after.failed == 0),
        Claim("no connection was lost at any time", account.lost == 0),
    ]


def _reaction_claims(evidence: Evidence) -> list[Claim]:
    alert, incident, rollback = evidence.alert, evidence.incident, evidence.rollback
    return [
        Claim("the alert fired, and is over", alert.get("fired_at") is not None and alert["state"] == "resolved"),
        Claim("the incident opened for it, and is resolved", _is_resolved(incident, str(alert["id"]))),
        Claim("the policy asked for the rollback", str(rollback["requested_by"]).startswith("policy")),
        Claim("the rollback succeeded, each of its steps", _all_succeeded(rollback)),
    ]


def _is_resolved(incident: dict[str, Any], alert: str) -> bool:
    return incident["status"] in ("resolved", "reviewed") and alert in incident["alerts"]


def _all_succeeded(operation: dict[str, Any]) -> bool:
    steps = operation["steps"]
    return operation["state"] == "succeeded" and bool(steps) and all(
        step["state"] in ("succeeded", "skipped") for step in steps
    )  # fmt: skip


def _service_claims(evidence: Evidence) -> list[Claim]:
    service = evidence.service
    states = {revision["revision"]: revision["state"] for revision in service["revisions"]}
    serving = [instance for instance in service["instances"] if instance["weight"]]
    healthy = [i for i in serving if i["healthy"] and i["revision"] == evidence.good_revision]
    return [
        Claim("the good release serves again", service["current"] == evidence.good_revision),
        Claim("the bad release is in quarantine", states.get(evidence.bad_revision) == "quarantined"),
        Claim("two healthy instances of the good release take the traffic", len(healthy) == len(serving) == 2),
    ]


def times(evidence: Evidence) -> Times:
    """Return how long it took to notice and to put right."""
    first, last = evidence.account.first_failure, evidence.account.last_failure
    assert first is not None
    assert last is not None
    return Times(detect=evidence.alert["fired_at"] - first, recover=last - first)
