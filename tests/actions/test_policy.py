from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actions.policy import Facts, PolicyConfig, Reason, Trigger, concerns, decide, parse_matcher
from core.errors import UserError
from metrics.storage import Matcher, MatchOp

NOW = 1_700_000_000.0
FIRING = Trigger("alert", "a1", "firing", "HighErrorRate", {"team": "web"}, "critical", "shop", "production")
CLEAR = Facts(known=True, needs_service=True, exclusive=True)


def policy(**changes: Any) -> PolicyConfig:
    config = {
        "name": "roll-back", "when": {"alert": {"matchers": ['severity="critical"']}}, "do": {"operation": "rollback"},
        "mode": "act", **changes,
    }  # fmt: skip
    return PolicyConfig.model_validate(config)


def test_policy_acts_when_nothing_speaks_against_it() -> None:
    decision = decide(policy(), FIRING, CLEAR, NOW)
    assert (decision.taken, decision.reason) == (True, Reason.ACT)


def test_new_policy_only_says_what_it_would_do() -> None:
    config = policy()
    observing = PolicyConfig.model_validate(config.model_dump(exclude={"mode"}))
    decision = decide(observing, FIRING, CLEAR, NOW)
    assert (decision.taken, decision.reason) == (False, Reason.WOULD_ACT)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"known": False}, Reason.NO_MATCHING_SERVICE),
        ({"rolled_back_by": "7"}, Reason.ALREADY_ROLLED_BACK),
        ({"running": "8"}, Reason.OPERATION_RUNNING),
        ({"last_taken_at": NOW - 599}, Reason.COOLDOWN),
        ({"taken_last_hour": 2}, Reason.BUDGET_SPENT),
        ({"obstacle": "there is nothing to go back to"}, Reason.NOTHING_TO_ROLL_BACK_TO),
        ({"obstacle": "it is quarantined", "quarantined": True}, Reason.QUARANTINED),
        ({"last_taken_at": NOW - 600, "taken_last_hour": 1}, Reason.ACT),
    ],
)
def test_guards(changes: dict[str, Any], reason: Reason) -> None:
    facts = {"known": True, "needs_service": True, "exclusive": True, **changes}
    decision = decide(policy(max_per_hour=2), FIRING, Facts(**facts), NOW)
    assert decision.reason is reason
    assert decision.taken == (reason is Reason.ACT)
    assert decision.detail or decision.taken


def test_missing_data_never_rolls_back() -> None:
    trigger = Trigger("alert", "a1", "firing", "Down", service="shop", environment="production", missing_data=True)
    decision = decide(policy(), trigger, CLEAR, NOW)
    assert (decision.taken, decision.reason) == (False, Reason.MISSING_DATA)


def test_webhook_needs_no_service_and_waits_for_no_operation() -> None:
    facts = Facts(known=False, needs_service=False, exclusive=False, running="8")
    assert decide(policy(do={"operation": "webhook"}), FIRING, facts, NOW).taken


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"alert": {"matchers": ['severity="critical"', "team=web"]}}, True),
        ({"alert": {"matchers": ['alertname=~"High.*"', 'service!="cart"']}}, True),
        ({"alert": {"matchers": ['nothing=""']}}, True),
        ({"alert": {"matchers": ['severity="high"']}}, False),
        ({"alert": {"transition": "resolved"}}, False),
        ({"incident": {}}, False),
    ],
)
def test_policy_concerns_what_all_its_matchers_match(when: dict[str, Any], expected: bool) -> None:
    assert concerns(policy(when=when), FIRING) is expected


@pytest.mark.parametrize("text", ["", "severity", 'sev-erity="x"', 'severity="x', 'a=~"("', "=x", 'a=="b"x'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"write one such as|correct it"):
        parse_matcher(text)


@given(st.text(), st.sampled_from(["=", "!="]))
def test_quoted_matcher_reads_every_value(value: str, operator: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert parse_matcher(f'label{operator}"{escaped}"') == Matcher("label", MatchOp(operator), value)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({}, "give exactly one of alert and incident"),
        ({"alert": {}, "incident": {}}, "give exactly one of alert and incident"),
        ({"alert": {"transition": "opened"}}, "an alert is never opened"),
        ({"incident": {"transition": "firing"}}, "an incident never fires"),
        ({"alert": {"matchers": ["severity"]}}, "is no matcher"),
    ],
)
def test_wrong_condition_is_refused(when: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        policy(when=when)


@given(
    st.builds(
        Facts,
        known=st.booleans(),
        needs_service=st.just(True),
        exclusive=st.just(True),
        running=st.none() | st.just("8"),
        last_taken_at=st.none() | st.floats(NOW - 2000, NOW),
        taken_last_hour=st.integers(0, 5),
        rolled_back_by=st.none() | st.just("7"),
        obstacle=st.sampled_from(["", "no"]),
    )
)
def test_automatic_rollback_never_happens_twice_nor_beside_another_operation(facts: Facts) -> None:
    decision = decide(policy(max_per_hour=3), FIRING, facts, NOW)
    if decision.taken:
        assert facts.known
        assert facts.rolled_back_by is None
        assert facts.running is None
        assert facts.last_taken_at is None or NOW - facts.last_taken_at >= 600
        assert facts.taken_last_hour < 3
