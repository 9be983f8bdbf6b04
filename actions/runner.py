"""Carries out one operation: plan, steps, settling, end. What every action has in common is here and nowhere else.

The course of a run depends only on what its calls gave, so that it can be followed again after a crash. Each call
observes, acts and writes down; cancellation and the deadline are noticed inside a call and become its answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from random import random
from typing import Any, TypeVar

from actions.action import Action, ActionContext, Ending, Order, Plan, PlannedStep
from actions.engine import StepCall
from actions.operation import JSON, Operation, OperationState, StepState
from actions.operation_store import OperationStore
from core.backoff import backoff_seconds
from core.clock import Clock
from core.errors import NotFoundError, StoreUnavailableError, TransientError, WatchkeeperError
from core.tasks import OnCrash, Tasks

_log = logging.getLogger(__name__)

SETTLE_SECONDS = 600.0
"""How long a step of the settling is tried."""

T = TypeVar("T")


class _Scope:
    """Lets a step be ended from outside, with the reason."""

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self.reason: str | None = None

    def end(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> _Scope:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self._timeout.__aexit__(*details)


class Runner:
    """Drives operations on behalf of an engine.

    Args:
        action_of: gives the action of a kind.
        context_of: gives what the action may use for this operation.
        on_change: called after each change of an operation that people may see.
    """

    def __init__(
        self,
        store: OperationStore,
        clock: Clock,
        tasks: Tasks,
        *,
        action_of: Callable[[str], Action],
        context_of: Callable[[Operation], ActionContext],
        on_change: Callable[[Operation], None],
        on_step: Callable[[Operation], None] = lambda _operation: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._action_of = action_of
        self._context_of = context_of
        self._on_change = on_change
        self._on_step = on_step
        self._scopes: dict[str, _Scope] = {}

    def interrupt(self, operation_id: str) -> None:
        """End the step that the operation is in, if it may be ended; the cancellation has been written down."""
        scope = self._scopes.get(operation_id)
        if scope is not None:
            scope.end(Ending.CANCELLED.value)

    async def drive(self, run_id: str, call: StepCall) -> None:
        """Carry out the run of an operation; returns when it has ended."""
        operation_id = operation_id_of(run_id)
        # Not a call of the engine: the plan is in our own table, so that it is the same whenever it is asked for.
        planned = await self._plan(operation_id, run_id)
        if planned is None:
            return
        ending, begun = planned["ending"], 0
        steps = [PlannedStep.from_json(step) for step in planned["steps"]]
        for position, step in enumerate(steps):
            if ending is None:
                begun = position + 1
                ending = await call(step.name, self._stepper(operation_id, position, step))
        if ending is not None:
            await self._settle(operation_id, steps[:begun], Ending(ending), call)
        await call("end", lambda: self._end(operation_id, ending, planned["result"]))

    def _stepper(
        self, operation_id: str, position: int, step: PlannedStep, settling: bool = False
    ) -> Callable[[], Coroutine[Any, Any, JSON]]:
        return lambda: self._step(operation_id, position, step, settling)

    async def _settle(self, operation_id: str, begun: Sequence[PlannedStep], ending: Ending, call: StepCall) -> None:
        planned = await call("settle", lambda: self._plan_settling(operation_id, begun, ending))
        for index, data in enumerate(planned):
            step = PlannedStep.from_json(data)
            await call(f"settle {step.name}", self._stepper(operation_id, 1000 + index, step, settling=True))

    async def _plan(self, operation_id: str, run_id: str) -> JSON:
        """Return the plan, with `ending` where there could be none; None when there is nothing to do."""
        try:
            operation = await self._persist(lambda: self._store.get(operation_id))
        except NotFoundError:
            _log.warning("run %s belongs to no operation of this state database; it is dropped", run_id)
            return None
        if operation.state.ended or run_id != run_id_of(operation):
            return None
        if operation.plan is not None:
            return operation.plan
        plan, ending, error = Plan(()), None, ""
        async with self._bounded(operation, operation.deadline_at, cancellable=True) as scope:
            try:
                plan = await self._retry(lambda: self._make_plan(operation), lambda _reason: _nothing())
            except WatchkeeperError as failure:
                ending, error = Ending.FAILED.value, str(failure)
            except Exception as failure:  # noqa: BLE001 - a plugin's code
                _log.exception("operation %s: planning failed", operation_id)
                ending, error = Ending.FAILED.value, f"planning failed: {failure!r}"
        if scope.reason is not None:
            ending, error = scope.reason, _ending_text(scope.reason, operation, "planning")
        planned = {**plan.to_json(), "ending": ending}
        started = await self._persist(lambda: self._store.started(operation, planned, error if ending else None))
        self._on_change(started)
        return planned

    async def _make_plan(self, operation: Operation) -> Plan:
        action = self._action_of(operation.kind)
        return await action.plan(order_of(operation), self._context_of(operation))

    async def _plan_settling(self, operation_id: str, begun: Sequence[PlannedStep], ending: Ending) -> JSON:
        operation = await self._persist(lambda: self._store.get(operation_id))
        try:
            action, context = self._action_of(operation.kind), self._context_of(operation)
            steps = await self._retry(
                lambda: action.settle(begun, ending, order_of(operation), context), lambda _reason: _nothing()
            )
        except Exception:  # noqa: BLE001 - a plugin's code
            _log.exception("operation %s: nobody knows how to settle it", operation_id)
            return []
        return [step.to_json() for step in steps]

    async def _step(self, operation_id: str, position: int, planned: PlannedStep, settling: bool) -> JSON:
        """Do one step and return None, or how it ended the operation."""
        operation = await self._persist(lambda: self._store.get(operation_id))
        deadline_at = self._clock.now() + SETTLE_SECONDS if settling else operation.deadline_at
        if not settling:
            self._on_step(operation)
        state, detail, ending = StepState.FAILED, "", None
        async with self._bounded(operation, deadline_at, cancellable=planned.cancellable and not settling) as scope:
            try:
                state, detail = await self._carry_out(operation, position, planned)
            except WatchkeeperError as failure:
                ending, detail = Ending.FAILED, str(failure)
            except Exception as failure:  # noqa: BLE001 - a plugin's code
                _log.exception("operation %s: step %s failed", operation_id, planned.name)
                ending, detail = Ending.FAILED, f"unexpected: {failure!r}"
        if scope.reason is not None:
            ending = Ending(scope.reason)
            operation = await self._persist(lambda: self._store.get(operation_id))
            detail = _ending_text(scope.reason, operation, planned.name, await self._last_note(operation_id, position))
        ended = await self._persist(lambda: self._store.step_ended(operation, position, planned.name, state, detail))
        if ending is not None and not settling:
            error = f"{planned.name}: {detail}"
            ended = await self._persist(lambda: self._store.settling(ended, error))
        elif ending is not None:
            error = f"{operation.error}; then settling, {planned.name}: {detail}"
            ended = await self._persist(lambda: self._store.settling(ended, error))
        self._on_change(ended)
        return ending.value if ending is not None else None

    async def _carry_out(self, operation: Operation, position: int, planned: PlannedStep) -> tuple[StepState, str]:
        """Intent, look, act. No logbook entry, no action: without the intent on disk nothing below it happens."""
        action, context, order = self._action_of(operation.kind), self._context_of(operation), order_of(operation)

        async def note(reason: str) -> None:
            await self._store.step_noted(operation, position, reason)

        await self._persist(
            lambda: self._store.step_intended(operation, position, planned.name, dict(planned.arguments))
        )
        self._on_change(operation)

        async def attempt() -> tuple[StepState, str]:
            step = action.step(planned, order, context)
            already = await step.observe()
            if already is not None:
                return StepState.SKIPPED, already
            return StepState.SUCCEEDED, await step.make_it_so()

        return await self._retry(attempt, note)

    async def _last_note(self, operation_id: str, position: int) -> str:
        operation = await self._persist(lambda: self._store.get(operation_id))
        running = [step.detail for step in operation.steps if step.state is StepState.RUNNING]
        return running[-1] if running else ""

    async def _end(self, operation_id: str, ending: str | None, result: JSON) -> JSON:
        operation = await self._persist(lambda: self._store.get(operation_id))
        if operation.state.ended:
            return None
        state = OperationState.SUCCEEDED
        if ending is not None:
            state = OperationState.CANCELLED if ending == Ending.CANCELLED else OperationState.FAILED
        outcome = result if state is OperationState.SUCCEEDED else None
        ended = await self._persist(lambda: self._store.ended(operation, state, outcome))
        self._on_change(ended)
        return None

    def _bounded(self, operation: Operation, deadline_at: float, *, cancellable: bool) -> _Bounds:
        return _Bounds(self, operation, deadline_at, cancellable)

    async def _retry(self, work: Callable[[], Awaitable[T]], note: Callable[[str], Awaitable[None]]) -> T:
        """Call until it does not fail in passing; the scope around it sets the limit."""
        attempt = 0
        while True:
            try:
                return await work()
            except TransientError as error:
                attempt += 1
                _log.info("trying again: %s", error)
                try:
                    await note(str(error))
                except StoreUnavailableError as unavailable:
                    _log.debug("%s", unavailable)
            await self._clock.sleep(backoff_seconds(attempt, base_seconds=0.5, cap_seconds=15.0, random=random))

    async def _persist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Call until the state database takes it."""
        attempt = 0
        while True:
            try:
                return await work()
            except StoreUnavailableError as error:
                attempt += 1
                _log.debug("waiting for the state database: %s", error)
            await self._clock.sleep(backoff_seconds(attempt, base_seconds=0.2, cap_seconds=5.0, random=random))


class _Bounds:
    """Ends what runs inside at the deadline, or when the operation is cancelled; `reason` of the scope says which."""

    def __init__(self, runner: Runner, operation: Operation, deadline_at: float, cancellable: bool) -> None:
        self._runner = runner
        self._operation = operation
        self._deadline_at = deadline_at
        self._cancellable = cancellable
        self._scope = _Scope()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Scope:
        runner, operation = self._runner, self._operation
        await self._scope.__aenter__()
        self._watch = runner._tasks.spawn(self._expire, name=f"deadline-{operation.id}", on_crash=OnCrash.FORGET)
        if self._cancellable:
            runner._scopes[operation.id] = self._scope
            if operation.cancel_requested_by is not None:
                self._scope.end(Ending.CANCELLED.value)
        return self._scope

    async def __aexit__(self, *details: Any) -> bool:
        self._runner._scopes.pop(self._operation.id, None)
        if self._watch is not None:
            self._watch.cancel()
        try:
            await self._scope.__aexit__(*details)
        except TimeoutError:
            return self._scope.reason is not None
        # The work finished in the same moment: it counts as done, and the next step notices the reason.
        if details[0] is None:
            self._scope.reason = None
        return False

    async def _expire(self) -> None:
        await self._runner._clock.sleep(self._deadline_at - self._runner._clock.now())
        self._scope.end(Ending.TIMED_OUT.value)


async def _nothing() -> None:
    return None


def _ending_text(reason: str, operation: Operation, where: str, note: str = "") -> str:
    last = f"; the last answer was: {note}" if note else ""
    if reason == Ending.CANCELLED:
        return f"cancelled by {operation.cancel_requested_by or 'request'}"
    return f"the deadline passed during {where}{last}"


def order_of(operation: Operation) -> Order:
    """Return what the operation asks its action to do."""
    return Order(
        id=operation.id,
        service=operation.service,
        environment=operation.environment,
        parameters=operation.parameters,
        requested_by=operation.requested_by,
        reason=operation.reason,
        created_at=operation.created_at,
        automatic=operation.automatic,
    )


def run_id_of(operation: Operation) -> str:
    """Return the name of the operation's present run, different from those of any other state database."""
    return f"{operation.id}/{round(operation.created_at * 1000)}/{operation.run}"


def operation_id_of(run_id: str) -> str:
    """Return the operation that a run belongs to."""
    return run_id.partition("/")[0]
