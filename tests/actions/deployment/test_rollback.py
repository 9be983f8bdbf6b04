from __future__ import annotations

import re

import pytest

from actions.operation import OperationState
from core.errors import ConflictError, NotFoundError, UserError
from tests.actions.harness import Harness


async def test_rollback_during_the_bake_is_a_traffic_switch(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.calls.clear()
    operation = await harness.run("rollback")
    assert operation.state is OperationState.SUCCEEDED
    assert [(step.name, step.state.value) for step in operation.steps][:3] == [
        ("find_artifact", "skipped"), ("start_instances", "skipped"), ("wait_healthy", "skipped"),
    ]  # fmt: skip
    assert not any(call.startswith("ensure_running") for call in harness.world.calls)
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert harness.states(await harness.history()) == {1: "good", 2: "failed"}
    assert harness.world.zero_traffic == []


async def test_rollback_after_the_promotion_starts_the_kept_artifact_first(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.promoted("1.1")
    harness.world.calls.clear()
    await harness.run("rollback")
    started = [n for n, call in enumerate(harness.world.calls) if call.startswith("ensure_running shop/production/r1")]
    switched = [n for n, call in enumerate(harness.world.calls) if call.startswith("ensure ")]
    assert started
    assert max(started) < min(switched)
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert harness.states(await harness.history()) == {1: "good", 2: "superseded"}
    assert harness.world.zero_traffic == []


async def test_rollback_never_skips_the_health_check(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.sick.add("/r1/")
    operation = await harness.run("rollback")
    assert operation.state is OperationState.FAILED
    assert "r1 was not healthy" in str(operation.error)
    assert harness.taking == ["r2/0", "r2/1"]
    history = await harness.history()
    assert (history.current, history.standby) == (2, 1)
    assert harness.world.zero_traffic == []


async def test_automatic_rollback_quarantines_the_revision(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    operation = await harness.run("rollback", actor="policy/roll-back")
    history = await harness.history()
    assert harness.states(history) == {1: "good", 2: "quarantined"}
    assert history.get(2).rolled_back_by == operation.id
    with pytest.raises(
        ConflictError, match=r"version 1\.1 is quarantined: it was rolled back automatically as revision 2"
    ):
        await harness.request("deploy", artifact=harness.artifact("1.1"), version="1.1")
    assert (await harness.deploy("1.1", force=True)).state is OperationState.SUCCEEDED


async def test_quarantine_holds_for_the_same_content_under_another_version(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    await harness.run("rollback", actor="policy/roll-back")
    operation = await harness.run("deploy", artifact=harness.artifact("1.1"), version="1.2")
    assert operation.state is OperationState.FAILED
    assert "is quarantined" in str(operation.error)


async def test_second_automatic_rollback_of_a_revision_is_refused(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.sick.add("/r1/")
    await harness.run("rollback", actor="policy/roll-back")
    with pytest.raises(ConflictError, match="revision 2 has been rolled back automatically once"):
        await harness.request("rollback", actor="policy/roll-back")
    harness.world.sick.clear()
    assert (await harness.run("rollback", actor="ann")).state is OperationState.SUCCEEDED


async def test_rollback_to_a_chosen_revision_or_version(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.promoted("1.1")
    await harness.promoted("1.2")
    await harness.run("rollback", revision=1)
    assert (await harness.history()).current == 1
    await harness.run("rollback", version="1.1")
    assert (await harness.history()).current == 2


async def test_unknown_revision_is_refused_with_the_known_ones(harness: Harness) -> None:
    await harness.promoted("1.0")
    known = re.escape("there is no revision 9; known are 1 (1.0, good)")
    with pytest.raises(NotFoundError, match=known):
        await harness.request("rollback", revision=9)
    with pytest.raises(NotFoundError, match=re.escape("there is no version '9.9'; known are 1 (1.0, good)")):
        await harness.request("rollback", version="9.9")


async def test_nothing_to_go_back_to_is_said(harness: Harness) -> None:
    with pytest.raises(UserError, match="nothing is deployed, so there is nothing to roll back"):
        await harness.request("rollback")
    await harness.promoted("1.0")
    with pytest.raises(UserError, match="revision 1 is the only good one, there is nothing to go back to"):
        await harness.request("rollback")
    with pytest.raises(UserError, match=re.escape("revision 1 (1.0) is the current one; choose another")):
        await harness.request("rollback", revision=1)


async def test_rollback_after_a_rollback_does_not_return_to_the_bad_revision(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.promoted("1.1")
    await harness.run("rollback")
    with pytest.raises(UserError, match="there is nothing to go back to"):
        await harness.request("rollback")


async def test_damaged_artifact_is_unpacked_again(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.promoted("1.1")
    harness.world.unpacked = {folder: path for folder, path in harness.world.unpacked.items() if folder.name != "1"}
    operation = await harness.run("rollback")
    assert operation.state is OperationState.SUCCEEDED
    assert "unpacked again" in operation.steps[0].detail
