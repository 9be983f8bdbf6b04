from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from actions.config import ActionsConfig
from actions.operation import OperationState
from actions.policy import Trigger
from tests.actions.harness import Harness, shop

Make = Callable[[ActionsConfig], Harness]

FIRING = Trigger("alert", "a1", "firing", "HighErrorRate", {}, "critical", "shop", "production")


def roll_back(**changes: Any) -> list[dict[str, Any]]:
    matchers = {"matchers": ['severity="critical"']}
    return [{"name": "roll-back", "when": {"alert": matchers}, "do": {"operation": "rollback"}, **changes}]


async def _baking(make: Make, **changes: Any) -> Harness:
    harness = make(shop(policies=roll_back(**changes)))
    await harness.start()
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    return harness


async def _decisions(harness: Harness) -> list[tuple[bool, str]]:
    return [(entry.data["taken"], entry.data["reason"]) for entry in await harness.entries("policy.decision")]


async def _rolled_back(harness: Harness) -> None:
    async def back() -> bool:
        return harness.live == harness.taking == ["r1/0", "r1/1"]

    await harness.until(back)
    await harness.idle()


async def test_alert_rolls_back_and_quarantines(make_harness: Make) -> None:
    harness = await _baking(make_harness, mode="act")
    await harness.actions.on_alert(FIRING)
    await _rolled_back(harness)
    operation = (await harness.actions.operations(1))[0]
    assert (operation.kind, operation.requested_by) == ("rollback", "policy/roll-back")
    assert operation.reason == "alert HighErrorRate firing"
    assert harness.states(await harness.history()) == {1: "good", 2: "quarantined"}
    assert await _decisions(harness) == [(True, "act")]


async def test_observing_policy_writes_down_what_it_would_do(make_harness: Make) -> None:
    harness = await _baking(make_harness)
    await harness.actions.on_alert(FIRING)
    await harness.idle()
    assert harness.taking == ["r2/0", "r2/1"]
    assert await _decisions(harness) == [(False, "would_act")]


async def test_restart_neither_repeats_nor_forgets_a_decision(make_harness: Make) -> None:
    harness = await _baking(make_harness, mode="act")
    await harness.actions.on_alert(FIRING)
    await _rolled_back(harness)
    await harness.restart()
    await harness.actions.on_alert(FIRING)
    await harness.idle()
    assert await _decisions(harness) == [(True, "act")]
    assert [o.kind for o in await harness.actions.operations(100)].count("rollback") == 1


async def test_decision_that_a_crash_kept_from_being_done_is_done_after_it(make_harness: Make) -> None:
    harness = await _baking(make_harness, mode="act")

    async def crash(*_arguments: object) -> None:
        raise RuntimeError("the daemon ends here")

    harness.actions._policies._act = crash  # type: ignore[method-assign,assignment]
    with suppress(RuntimeError):
        await harness.actions.on_alert(FIRING)
    await harness.restart()
    await harness.actions.on_alert(FIRING)
    await _rolled_back(harness)
    assert await _decisions(harness) == [(True, "act")]


async def test_alert_during_an_operation_is_decided_at_its_end(make_harness: Make) -> None:
    harness = make_harness(shop(policies=roll_back(mode="act")))
    await harness.start()
    await harness.promoted("1.0")
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    await harness.actions.on_alert(FIRING)
    assert (await harness.finished(operation)).state is OperationState.SUCCEEDED
    await _rolled_back(harness)
    assert await _decisions(harness) == [(False, "operation_running"), (True, "act")]


async def test_alert_that_resolved_meanwhile_is_not_decided_again(make_harness: Make) -> None:
    harness = make_harness(shop(policies=roll_back(mode="act")))
    await harness.start()
    await harness.promoted("1.0")
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    await harness.actions.on_alert(FIRING)
    await harness.actions.on_alert(replace(FIRING, transition="resolved"))
    await harness.finished(operation)
    await harness.idle()
    assert harness.taking == ["r2/0", "r2/1"]


async def test_second_alert_within_the_cooldown_does_nothing(make_harness: Make) -> None:
    harness = await _baking(make_harness, mode="act")
    await harness.actions.on_alert(FIRING)
    await _rolled_back(harness)
    await harness.deployed("1.2")
    await harness.actions.on_alert(replace(FIRING, id="a2"))
    assert (await _decisions(harness))[-1] == (False, "cooldown")


async def test_alert_of_no_configured_service_is_told(make_harness: Make) -> None:
    harness = await _baking(make_harness, mode="act")
    await harness.actions.on_alert(replace(FIRING, service="cart", environment=""))
    assert await _decisions(harness) == [(False, "no_matching_service")]


async def test_nothing_to_roll_back_to_is_told(make_harness: Make) -> None:
    harness = make_harness(shop(policies=roll_back(mode="act")))
    await harness.start()
    await harness.promoted("1.0")
    await harness.actions.on_alert(replace(FIRING, environment=""))
    entry = (await harness.entries("policy.decision"))[-1]
    assert (entry.data["reason"], entry.data["environment"]) == ("nothing_to_roll_back_to", "production")
    assert "is the only good one" in entry.data["detail"]


async def test_trigger_that_concerns_no_policy_leaves_no_trace(make_harness: Make) -> None:
    harness = await _baking(make_harness, mode="act")
    await harness.actions.on_alert(replace(FIRING, severity="low"))
    assert await _decisions(harness) == []
