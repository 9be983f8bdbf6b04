from __future__ import annotations

from collections.abc import Callable

import pytest

from actions.config import ActionsConfig
from actions.operation import OperationState, StepState
from core.errors import ConflictError, NotFoundError, UserError
from tests.actions.harness import Harness, shop
from tests.fakes.actuators import permanent, transient

Make = Callable[[ActionsConfig], Harness]


async def test_first_deployment_serves_and_bakes(harness: Harness) -> None:
    operation = await harness.deployed("1.0")
    history = await harness.history()
    assert [step.name for step in operation.steps] == [
        "verify_artifact", "unpack_artifact", "start_instances", "wait_healthy", "switch_traffic", "verify_traffic",
        "record", "remove_old_artifacts",
    ]  # fmt: skip
    assert operation.result == {"revision": 1, "version": "1.0", "from": None}
    assert (history.current, history.standby, harness.states(history)) == (1, None, {1: "baking"})
    assert harness.taking == ["r1/0", "r1/1"]


async def test_placeholders_are_filled_in(harness: Harness) -> None:
    await harness.deployed("1.0")
    spec = harness.world.specs["shop/production/r1/1"]
    assert spec.argv == ("shop", "--port", "19002")
    assert dict(spec.environment) == {"VERSION": "1.0"}


async def test_old_revision_keeps_its_full_capacity_during_the_bake(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    history = await harness.history()
    assert harness.live == ["r1/0", "r1/1", "r2/0", "r2/1"]
    assert harness.taking == ["r2/0", "r2/1"]
    assert (history.current, history.standby, history.last_good) == (2, 1, 1)
    assert history.baking_until == pytest.approx(harness.clock.now() + 300, abs=5)


async def test_promotion_stops_the_old_revision_and_makes_the_new_one_good(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.promoted("1.1")
    history = await harness.history()
    assert harness.live == harness.taking == ["r2/0", "r2/1"]
    assert harness.states(history) == {1: "superseded", 2: "good"}
    assert (history.current, history.standby, history.last_good) == (2, None, 2)
    assert harness.world.zero_traffic == []


async def test_unhealthy_candidate_leaves_the_old_revision_serving(harness: Harness) -> None:
    await harness.promoted("1.0")
    harness.world.sick.add("/r2/")
    operation = await harness.deploy("1.1")
    history = await harness.history()
    assert operation.state is OperationState.FAILED
    assert "r2 was not healthy within 1m; last answers: shop/production/r2/0: GET / answered 500" in str(
        operation.error
    )
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert harness.states(history) == {1: "good", 2: "failed"}
    assert history.current == 1
    assert harness.world.zero_traffic == []


async def test_instance_that_ends_by_itself_fails_the_deployment_at_once(harness: Harness) -> None:
    await harness.promoted("1.0")
    harness.world.dying.add("/r2/")
    operation = await harness.deploy("1.1")
    assert operation.state is OperationState.FAILED
    assert "ended by itself" in str(operation.error)
    assert harness.taking == ["r1/0", "r1/1"]


async def test_failed_first_deployment_leaves_nothing_running(harness: Harness) -> None:
    harness.world.sick.add("/r1/")
    operation = await harness.deploy("1.0")
    assert operation.state is OperationState.FAILED
    assert harness.live == []
    assert (await harness.history()).current is None


async def test_wrong_checksum_changes_nothing(harness: Harness) -> None:
    operation = await harness.deploy("1.0", sha256="0" * 64)
    assert operation.state is OperationState.FAILED
    assert "sha256 is" in str(operation.error)
    assert harness.live == []
    assert not any(call.startswith("unpack") for call in harness.world.calls)


async def test_missing_artifact_is_refused_before_anything_is_recorded(harness: Harness) -> None:
    with pytest.raises(UserError, match="does not exist; give `artifact`"):
        await harness.request("deploy", artifact="/no/such/thing.tar.gz")
    assert await harness.actions.operations() == []


async def test_unknown_service_is_refused_with_the_known_ones(harness: Harness) -> None:
    with pytest.raises(NotFoundError, match="no service 'cart' is configured; known are: shop/production"):
        await harness.actions.request("deploy", "cart", "", {"artifact": "/x"}, actor="ann")


async def test_failure_after_the_switch_sends_traffic_back(harness: Harness) -> None:
    await harness.promoted("1.0")

    def turn_sick(name: str) -> None:
        if name == "switch_traffic":
            harness.world.sick.add("/r2/")

    harness.after_call = turn_sick
    operation = await harness.deploy("1.1")
    assert operation.state is OperationState.FAILED
    assert "127.0.0.1:18080 is not healthy: 503 through the router" in str(operation.error)
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert harness.states(await harness.history()) == {1: "good", 2: "failed"}


async def test_transient_failure_is_tried_again(harness: Harness) -> None:
    harness.world.failures["ensure"] = [transient("the router does not answer")]
    operation = await harness.deployed("1.0")
    assert [call for call in harness.world.calls if call.startswith("ensure ")].__len__() == 2
    assert operation.state is OperationState.SUCCEEDED


async def test_unhealthy_current_revision_does_not_block_the_fix(harness: Harness) -> None:
    await harness.promoted("1.0")
    harness.world.sick.add("/r1/")
    await harness.deployed("1.1")
    assert harness.taking == ["r2/0", "r2/1"]


async def test_fix_during_a_bake_keeps_the_last_good_revision(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    await harness.deployed("1.2")
    history = await harness.history()
    assert harness.live == ["r1/0", "r1/1", "r3/0", "r3/1"]
    assert (history.current, history.standby) == (3, 1)
    assert harness.states(history) == {1: "good", 2: "superseded", 3: "baking"}
    assert harness.world.zero_traffic == []


async def test_fix_during_a_bake_finds_room_where_ports_are_few(make_harness: Make) -> None:
    harness = make_harness(shop(ports="19001-19004"))
    await harness.start()
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.sick.add("/r2/")
    await harness.deployed("1.2")
    history = await harness.history()
    assert harness.live == ["r1/0", "r1/1", "r3/0", "r3/1"]
    assert harness.taking == ["r3/0", "r3/1"]
    assert (history.current, history.standby) == (3, 1)


async def test_recreate_stops_the_old_before_the_new(make_harness: Make) -> None:
    harness = make_harness(shop(strategy="recreate", ports="19001-19002", bake="1m"))
    await harness.start()
    await harness.promoted("1.0")
    operation = await harness.deployed("1.1")
    names = [step.name for step in operation.steps]
    assert names.index("stop_r1") < names.index("start_instances")
    assert harness.live == harness.taking == ["r2/0", "r2/1"]


async def test_failed_recreate_starts_the_old_again(make_harness: Make) -> None:
    harness = make_harness(shop(strategy="recreate", ports="19001-19002", bake="1m"))
    await harness.start()
    await harness.promoted("1.0")
    harness.world.dying.add("/r2/")
    operation = await harness.deploy("1.1")
    assert operation.state is OperationState.FAILED
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert (await harness.history()).current == 1


async def test_without_bake_the_old_revision_stops_with_the_deployment(make_harness: Make) -> None:
    harness = make_harness(shop(bake="0s"))
    await harness.start()
    await harness.deployed("1.0")
    await harness.deployed("1.1")
    assert harness.live == ["r2/0", "r2/1"]
    assert harness.states(await harness.history()) == {1: "superseded", 2: "good"}


async def test_history_keeps_the_newest_artifacts(make_harness: Make) -> None:
    harness = make_harness(shop(bake="0s", history=3))
    await harness.start()
    for number in range(1, 7):
        await harness.deployed(f"1.{number}")
    history = await harness.history()
    assert [revision.number for revision in history.revisions if revision.folder] == [4, 5, 6]
    assert sorted(folder.name for folder in harness.world.unpacked) == ["4", "5", "6"]


async def test_instances_come_from_the_configuration_of_their_revision(harness: Harness) -> None:
    await harness.promoted("1.0")
    changed = {"process": {"argv": ["shop2", "{port}"]}}
    await harness.actions.apply(shop(runtime=changed))
    await harness.deployed("1.1")
    assert harness.world.specs["shop/production/r2/0"].argv[0] == "shop2"
    await harness.run("rollback")
    harness.world.reboot()
    await harness.until(lambda: _serves(harness, ["r1/0", "r1/1"]))
    assert harness.world.specs["shop/production/r1/0"].argv[0] == "shop"


async def _serves(harness: Harness, instances: list[str]) -> bool:
    return harness.taking == instances


async def test_ports_in_use_are_left_alone(harness: Harness) -> None:
    await harness.deployed("1.0")
    history = await harness.history()
    assert history.ports == {1: (19001, 19002)}


async def test_permanent_failure_of_a_step_is_told_with_its_name(harness: Harness) -> None:
    harness.world.failures["unpack"] = [permanent("the disk is full; make room")]
    operation = await harness.deploy("1.0")
    assert operation.error == "unpack_artifact: the disk is full; make room"
    assert operation.steps[1].state is StepState.FAILED


async def test_second_operation_is_refused_and_names_the_first(harness: Harness) -> None:
    first = await harness.request("deploy", artifact=harness.artifact("1.0"))
    with pytest.raises(ConflictError, match=rf"shop/production: operation {first.id} \(deploy, asked for by ann\)"):
        await harness.request("deploy", artifact=harness.artifact("1.1"))
    await harness.finished(first)
