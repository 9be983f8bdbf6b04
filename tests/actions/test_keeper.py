from __future__ import annotations

from collections.abc import Callable

from actions.config import ActionsConfig
from actions.deployment.instances.runtime import InstanceSpec
from actions.keeper import RECOVERIES
from actions.operation import OperationState
from tests.actions.harness import Harness, shop

Make = Callable[[ActionsConfig], Harness]


async def _serving(harness: Harness, expected: list[str]) -> None:
    async def serves() -> bool:
        return harness.live == harness.taking == expected

    await harness.until(serves)
    await harness.idle()


async def test_bake_ends_by_itself(harness: Harness) -> None:
    await harness.deployed("1.0")
    harness.clock.jump(300)

    async def good() -> bool:
        return harness.states(await harness.history()) == {1: "good"}

    await harness.until(good)
    await harness.idle()
    assert [operation.kind for operation in await harness.actions.operations()] == ["promote", "deploy"]


async def test_promotion_waits_while_an_alert_of_the_service_fires_and_says_so_once(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.alerting = True
    harness.clock.jump(301)
    for _ in range(20):
        await harness.turn()
    waits = await harness.entries("service.promotion_waits")
    assert [entry.data["reason"] for entry in waits] == ["service_alerting"]
    assert (await harness.history()).standby == 1
    harness.alerting = False
    await _serving(harness, ["r2/0", "r2/1"])


async def test_missing_data_never_promotes(harness: Harness) -> None:
    await harness.deployed("1.0")
    harness.alerting = None
    harness.clock.jump(301)
    for _ in range(20):
        await harness.turn()
    assert [e.data["reason"] for e in await harness.entries("service.promotion_waits")] == ["missing_data"]
    assert harness.states(await harness.history()) == {1: "baking"}


async def test_unhealthy_revision_is_not_promoted(harness: Harness) -> None:
    await harness.deployed("1.0")
    harness.world.sick.add("/r1/")
    harness.clock.jump(301)
    for _ in range(20):
        await harness.turn()
    assert [e.data["reason"] for e in await harness.entries("service.promotion_waits")] == ["unhealthy"]


async def test_dead_instance_is_started_again(harness: Harness) -> None:
    await harness.promoted("1.0")
    del harness.world.live["shop/production/r1/1"]
    await _serving(harness, ["r1/0", "r1/1"])
    assert (await harness.actions.operations(1))[0].reason == "instance_gone"


async def test_everything_comes_back_after_a_reboot(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.reboot()

    async def back() -> bool:
        return harness.live == ["r1/0", "r1/1", "r2/0", "r2/1"] and harness.taking == ["r2/0", "r2/1"]

    await harness.until(back)
    await harness.idle()
    assert (await harness.history()).standby == 1


async def test_router_that_is_gone_is_started_again(harness: Harness) -> None:
    await harness.promoted("1.0")
    harness.world.routers["shop/production"].backends = None
    await _serving(harness, ["r1/0", "r1/1"])


async def test_orphans_are_stopped(harness: Harness) -> None:
    await harness.promoted("1.0")
    spec = harness.world.specs["shop/production/r1/0"]
    stray = InstanceSpec("shop/production/r9/0", spec.argv, spec.working_directory, {}, None, 19006, spec.log_file)
    harness.world.start(stray)
    other = InstanceSpec("cart/production/r1/0", spec.argv, spec.working_directory, {}, None, 20000, spec.log_file)
    harness.world.start(other)

    async def gone() -> bool:
        return stray.id not in harness.world.live

    await harness.until(gone)
    await harness.idle()
    assert other.id in harness.world.live
    assert harness.taking == ["r1/0", "r1/1"]


async def test_standby_takes_over_when_the_serving_revision_does_not_come_back(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.dying.add("/r2/")
    harness.world.reboot()
    await _serving(harness, ["r1/0", "r1/1"])
    assert harness.states(await harness.history()) == {1: "good", 2: "failed"}


async def test_recovery_gives_up_for_a_while_and_says_so(harness: Harness) -> None:
    await harness.promoted("1.0")
    harness.world.dying.add("/r1/")
    del harness.world.live["shop/production/r1/1"]

    async def gave_up() -> bool:
        return bool(await harness.entries("service.recovery_paused"))

    await harness.until(gave_up)
    recoveries = [o for o in await harness.actions.operations(100) if o.kind == "recover"]
    assert len(recoveries) == RECOVERIES
    await harness.actions.refresh()
    assert "recovered 5 times within 10 minutes" in str(harness.actions.services()[0].problem)
    assert harness.taking == ["r1/0", "r1/1"]


async def test_failure_after_the_promotion_never_routes_to_instances_that_are_gone(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.promoted("1.1")
    harness.world.sick.add("/r3/")
    operation = await harness.deploy("1.2")
    assert operation.state is OperationState.FAILED
    assert harness.live == harness.taking == ["r2/0", "r2/1"]
    assert harness.world.zero_traffic == []


async def test_status_shows_what_runs(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    status = (await harness.actions.refresh())[0].to_json()
    assert (status["service"], status["environment"], status["address"]) == ("shop", "production", "127.0.0.1:18080")
    assert (status["current"], status["last_good"], status["problem"]) == (2, 1, None)
    assert [(i["id"], i["healthy"], i["weight"]) for i in status["instances"]] == [
        ("shop/production/r1/0", True, 0), ("shop/production/r1/1", True, 0),
        ("shop/production/r2/0", True, 100), ("shop/production/r2/1", True, 100),
    ]  # fmt: skip


async def test_without_services_the_engine_is_not_loaded(make_harness: Make) -> None:
    harness = make_harness(ActionsConfig())
    await harness.start()
    await harness.turn()
    assert harness.engine.started == 0


async def test_engine_is_loaded_when_a_reload_brings_services(make_harness: Make) -> None:
    harness = make_harness(ActionsConfig())
    await harness.start()
    await harness.actions.apply(shop())
    await harness.turn()
    assert harness.engine.started == 1


async def test_logs_are_kept_short_about_once_a_minute(harness: Harness) -> None:
    harness.world.failures["bound_logs"] = [OSError("disk")]
    await harness.deploy("1.0")
    begin = harness.clock.monotonic()

    async def several() -> bool:
        return len(harness.world.logs_bounded) >= 6

    await harness.until(several)
    minutes = (harness.clock.monotonic() - begin) / 60
    assert set(harness.world.logs_bounded) == {"instances", "127.0.0.1:18080"}
    assert len(harness.world.logs_bounded) <= 2 * (minutes + 2)
    assert harness.crashes == []
