from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from actions.config import ActionsConfig
from actions.operation import Operation, OperationState, StepState
from core.errors import ConflictError, NotFoundError, StoreUnavailableError, UserError
from tests.actions.harness import Harness, shop
from tests.fakes.actuators import transient

Make = Callable[[ActionsConfig], Harness]


class _CrashError(Exception):
    """The daemon ends here."""


async def _at_step(harness: Harness, operation: Operation, name: str) -> None:
    async def there() -> bool:
        steps = (await harness.actions.operation(operation.id)).steps
        return bool(steps) and steps[-1].name == name

    await harness.until(there)


async def test_every_step_is_in_the_logbook_before_it_is_done(harness: Harness) -> None:
    operation = await harness.deployed("1.0")
    entries = await harness.logbook.read(subject=operation.subject, limit=1000)
    assert [entry.kind for entry in entries][:2] == ["operation.requested", "operation.started"]
    assert entries[-1].kind == "operation.succeeded"
    phases = [(e.data["step"], e.data["phase"]) for e in entries if e.kind == "operation.step"]
    assert phases == [(step.name, phase) for step in operation.steps for phase in ("intent", "result")]
    assert await harness.logbook.verify() == []


async def test_without_a_logbook_entry_nothing_is_done(harness: Harness) -> None:
    await harness.promoted("1.0")
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    harness.inline.down = True
    harness.world.calls.clear()
    for _ in range(30):
        await harness.turn()
    assert harness.world.calls == []
    harness.inline.down = False
    assert (await harness.finished(operation)).state is OperationState.SUCCEEDED
    assert harness.taking == ["r2/0", "r2/1"]


async def test_request_that_cannot_be_written_down_does_nothing(harness: Harness) -> None:
    harness.inline.down = True
    with pytest.raises(StoreUnavailableError):
        await harness.request("deploy", artifact=harness.artifact("1.0"))
    harness.inline.down = False
    await harness.turn()
    assert harness.world.calls == []
    assert await harness.actions.operations() == []


async def test_cancelled_deployment_is_settled(harness: Harness) -> None:
    await harness.promoted("1.0")
    harness.world.sick.add("/r2/")
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    await _at_step(harness, operation, "wait_healthy")
    await harness.actions.cancel(operation.id, actor="bob")
    ended = await harness.finished(operation)
    assert ended.state is OperationState.CANCELLED
    assert ended.error == "wait_healthy: cancelled by bob"
    assert [step.name for step in ended.steps][-3:] == ["restore_traffic", "stop_candidate", "record_failure"]
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert harness.states(await harness.history()) == {1: "good", 2: "failed"}


async def test_cancelling_what_has_ended_does_nothing_and_says_so(harness: Harness) -> None:
    operation = await harness.deployed("1.0")
    before = harness.live
    with pytest.raises(ConflictError, match=f"operation {operation.id} has already succeeded; nothing was done"):
        await harness.actions.cancel(operation.id, actor="bob")
    assert harness.live == before
    with pytest.raises(NotFoundError, match="there is no operation '99'"):
        await harness.actions.cancel("99", actor="bob")


async def test_cancelled_rollback_before_the_switch_leaves_the_bake_as_it_was(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.sick.add("/r1/")
    operation = await harness.request("rollback")
    await _at_step(harness, operation, "wait_healthy")
    await harness.actions.cancel(operation.id, actor="bob")
    await harness.finished(operation)
    history = await harness.history()
    assert (history.current, history.standby) == (2, 1)
    assert harness.live == ["r1/0", "r1/1", "r2/0", "r2/1"]


async def test_cancelled_rollback_past_the_switch_is_finished_rather_than_undone(harness: Harness) -> None:
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    harness.world.failures["ensure"] = []
    operation = await harness.request("rollback")
    cancelled: list[asyncio.Task[Operation]] = []

    def cancel(name: str) -> None:
        if name == "verify_traffic" and not cancelled:
            cancelled.append(asyncio.get_running_loop().create_task(harness.actions.cancel(operation.id, actor="bob")))

    harness.before_call = cancel
    await harness.finished(operation)
    assert harness.taking == ["r1/0", "r1/1"]
    assert (await harness.history()).current == 1


async def test_deadline_ends_and_settles_a_deployment(make_harness: Make) -> None:
    harness = make_harness(shop(deadline="1m", health_check={"http": {}, "deadline": "10m"}))
    await harness.start()
    await harness.promoted("1.0")
    harness.world.sick.add("/r2/")
    operation = await harness.deploy("1.1")
    assert operation.state is OperationState.FAILED
    assert str(operation.error).startswith("wait_healthy: the deadline passed during wait_healthy")
    assert harness.live == harness.taking == ["r1/0", "r1/1"]


async def test_transient_failure_until_the_deadline_names_the_last_answer(make_harness: Make) -> None:
    harness = make_harness(shop(deadline="1m"))
    await harness.start()
    harness.world.failures["verify"] = [transient("the share is not mounted") for _ in range(1000)]
    operation = await harness.deploy("1.0")
    assert "the last answer was: the share is not mounted" in str(operation.error)


async def test_same_idempotency_key_gives_the_same_operation(harness: Harness) -> None:
    parameters = {"artifact": harness.artifact("1.0")}
    first, second = [
        await harness.actions.request(
            "deploy", "shop", "", parameters, actor="ann", reason="", idempotency_key="release-7"
        )
        for _ in range(2)
    ]
    assert first.id == second.id
    await harness.finished(first)
    assert len(await harness.actions.operations()) == 1


async def test_wrong_parameters_are_told_in_one_line(harness: Harness) -> None:
    with pytest.raises(
        UserError, match=r"^deploy: artifact: Field required; artefact: Extra inputs are not permitted$"
    ):
        await harness.request("deploy", artefact="/x")
    with pytest.raises(NotFoundError, match="no operation 'dploy'; known are command, deploy, "):
        await harness.request("dploy")


async def test_operation_as_json_has_the_agreed_keys(harness: Harness) -> None:
    operation = (await harness.deployed("1.0")).to_json()
    assert list(operation) == [
        "id", "kind", "service", "environment", "state", "parameters", "requested_by", "reason", "created_at",
        "started_at", "ended_at", "error", "result", "steps",
    ]  # fmt: skip
    assert list(operation["steps"][0]) == ["name", "state", "started_at", "ended_at", "detail"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["verify_artifact", "start_instances", "switch_traffic", "record", "end"])
async def test_crash_during_a_deployment_is_continued(harness: Harness, step: str, when: str) -> None:
    await harness.promoted("1.0")
    _crash_at(harness, step, when)
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    await _crashed(harness)
    await harness.restart()
    ended = await harness.finished(operation)
    assert ended.state is OperationState.SUCCEEDED, ended.error
    assert harness.taking == ["r2/0", "r2/1"]
    assert harness.live == ["r1/0", "r1/1", "r2/0", "r2/1"]
    assert harness.world.zero_traffic == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["settle", "settle restore_traffic", "settle stop_candidate", "settle record_failure"])
async def test_crash_during_the_settling_is_continued(harness: Harness, step: str, when: str) -> None:
    await harness.promoted("1.0")
    harness.world.dying.add("/r2/")
    _crash_at(harness, step, when)
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    await _crashed(harness)
    await harness.restart()
    assert (await harness.finished(operation)).state is OperationState.FAILED
    assert harness.live == harness.taking == ["r1/0", "r1/1"]
    assert harness.world.zero_traffic == []


async def test_reboot_during_a_deployment_ends_with_a_healthy_revision(harness: Harness) -> None:
    await harness.promoted("1.0")
    _crash_at(harness, "switch_traffic", "before")
    operation = await harness.request("deploy", artifact=harness.artifact("1.1"))
    await _crashed(harness)
    harness.world.reboot()
    await harness.restart()
    await harness.finished(operation)
    await harness.idle()
    assert harness.taking == ["r2/0", "r2/1"]


async def test_operation_whose_run_was_lost_is_started_anew(harness: Harness) -> None:
    _crash_at(harness, "switch_traffic", "after")
    operation = await harness.request("deploy", artifact=harness.artifact("1.0"))
    await _crashed(harness)
    harness.memory.answers.clear()
    await harness.restart()
    ended = await harness.finished(operation)
    assert ended.state is OperationState.SUCCEEDED
    states = {step.name: step.state for step in ended.steps}
    assert states["start_instances"] is states["switch_traffic"] is StepState.SKIPPED


async def test_run_that_ended_without_its_operation_gets_another(harness: Harness) -> None:
    _crash_at(harness, "wait_healthy", "before")
    operation = await harness.request("deploy", artifact=harness.artifact("1.0"))
    await _crashed(harness)
    harness.memory.over.update(harness.memory.answers)
    await harness.restart()
    ended = await harness.finished(operation)
    assert (ended.state, ended.run) == (OperationState.SUCCEEDED, 2)


async def test_operation_whose_runs_always_break_off_ends_and_frees_the_service(harness: Harness) -> None:
    def crash(name: str) -> None:
        if name == "wait_healthy":
            raise _CrashError

    harness.before_call = crash
    operation = await harness.request("deploy", artifact=harness.artifact("1.0"))

    async def broke_off() -> bool:
        harness.memory.over.update(harness.memory.answers)
        return (await harness.actions.operation(operation.id)).state.ended

    await harness.until(broke_off)
    ended = await harness.actions.operation(operation.id)
    assert (ended.state, ended.error) == (
        OperationState.FAILED,
        "its execution broke off 5 times; see the daemon's log, and look at the service",
    )
    harness.before_call = lambda _name: None
    assert (await harness.deploy("1.1")).state is OperationState.SUCCEEDED


async def test_metrics_count_what_ended(harness: Harness) -> None:
    await harness.deployed("1.0")
    value = harness.registry.get_sample_value
    assert value("watchkeeper_operations_total", {"kind": "deploy", "state": "succeeded"}) == 1
    assert value("watchkeeper_operations_running", {"kind": "deploy"}) == 0
    assert value("watchkeeper_operation_first_step_delay_seconds_count") == 1


def _crash_at(harness: Harness, step: str, when: str) -> None:
    def crash(name: str) -> None:
        if name == step:
            harness.before_call = harness.after_call = lambda _name: None
            raise _CrashError

    if when == "before":
        harness.before_call = crash
    else:
        harness.after_call = crash


async def _crashed(harness: Harness) -> None:
    async def crashed() -> bool:
        return any(isinstance(error, _CrashError) for error in harness.crashes)

    await harness.until(crashed)
