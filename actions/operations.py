"""The facade of actions: what the daemon, the API and the CLI call."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from actions.action import Action, ActionContext, Order, action_kinds, check_parameters, known_action, load_action
from actions.config import ActionsConfig
from actions.deployment.revision import quarantined
from actions.deployment.service import snapshot
from actions.deployment.sites import Actuators, Sites
from actions.engine import DbosEngine, Engine, RunState
from actions.metrics import ActionMetrics
from actions.operation import JSON, Operation, OperationState
from actions.operation_store import NewOperation, OperationStore
from actions.policies import Policies, PolicyDecision
from actions.policy import Facts, PolicyConfig, Trigger
from actions.runner import Runner, run_id_of
from core.clock import Clock
from core.db.database import Database
from core.errors import UserError, WatchkeeperError
from core.logbook import Logbook
from core.tasks import OnCrash, Tasks, cancel_and_wait

if TYPE_CHECKING:
    from actions.deployment.router_collector import RouterCollector
    from actions.deployment.status import ServiceStatus
    from actions.keeper import Keeper

_log = logging.getLogger(__name__)

RUNS = 5
"""How often an operation is carried on whose run broke off."""

DEADLINE_SECONDS = 1800.0
"""When an operation without a service is given up."""


@dataclass(frozen=True, slots=True)
class OperationEvent:
    """An operation changed; the change is on the disk."""

    operation: Operation


Event = OperationEvent | PolicyDecision


class Actions:
    """Requests, runs and remembers operations; lets policies ask for them; keeps services as they should be.

    Args:
        state_directory: where the engine's record, artifacts and logs live.
        base: the folder that relative paths of the configuration start from.
        on_event: called after each change of an operation and each decision of a policy.
        is_service_alerting: whether a critical or high alert of a service and environment fires; None when that is
            not known now.
        actuators: makes what changes the world.
        engine: what executes operations durably; tests bring their own.
    """

    name = "actions"

    def __init__(
        self,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        tasks: Tasks,
        registry: CollectorRegistry,
        state_directory: Path,
        on_event: Callable[[Event], None] = lambda _event: None,
        is_service_alerting: Callable[[str, str], bool | None] = lambda _service, _environment: False,
        *,
        base: Path = Path("/"),
        actuators: Callable[[], Actuators] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._clock = clock
        self._tasks = tasks
        self._on_event = on_event
        self._base = base
        self._metrics = ActionMetrics(registry)
        self._store = OperationStore(database, logbook, clock)
        self._sites = Sites(
            database, logbook, clock, state_directory / "services", actuators or _real_actuators(state_directory, clock)
        )
        self._engine = engine or DbosEngine(state_directory / "operations.db")
        self._engine_lock = asyncio.Lock()
        self._engine_started = False
        self._runner = Runner(
            self._store, clock, tasks, action_of=load_action, context_of=self._context,
            on_change=self._changed,
            on_step=lambda operation: self._metrics.step_starts(operation, clock.now()),
        )  # fmt: skip
        self._policies = Policies(database, logbook, clock, self, on_decision=self._decided)
        self._logbook = logbook
        self._is_service_alerting = is_service_alerting
        self._config = ActionsConfig()
        self._starter: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._running = False

    async def start(self) -> None:
        """Continue what was interrupted; without anything to do or to keep, the engine is not even loaded."""
        self._running = True
        self._wake(needed=bool(await self._store.active()))

    async def stop(self) -> None:
        """Interrupt what runs; the next start continues it."""
        self._running = False
        await cancel_and_wait(self._keeping)
        await cancel_and_wait(self._starter)
        self._keeping = self._starter = None
        if self._engine_started:
            self._engine_started = False
            await self._engine.stop()

    async def apply(self, config: ActionsConfig) -> None:
        """Follow a new configuration. Operations under way keep to the one they began with.

        Raises: ConfigError, UserError: something in it cannot be; nothing was changed.
        """
        self._check_policies(config.policies)
        self._config = config
        self._sites.apply(config.services)
        self._policies.apply(config.policies)
        self._wake(needed=False)

    @cached_property
    def _keeper(self) -> Keeper:
        from actions.keeper import Keeper  # noqa: PLC0415 - brings all of deployments along; only services need them

        return Keeper(
            self._sites, self._store, self._logbook, self._clock,
            request=self.request, is_service_alerting=self._is_service_alerting,
        )  # fmt: skip

    def _check_policies(self, policies: Sequence[PolicyConfig]) -> None:
        for policy in policies:
            check_parameters(policy.do.operation, policy.do.parameters, f"policy {policy.name!r}")

    def _wake(self, *, needed: bool) -> None:
        if self._running and (needed or self._config.services or self._config.policies):
            if self._starter is None or self._starter.done():
                self._starter = self._tasks.spawn(self._resume, name="operations-resume")
            self._keep_going()

    def _keep_going(self) -> None:
        if self._running and self._keeping is None:
            self._keeping = self._tasks.spawn(self._keep, name="operations-keeper")

    async def request(
        self,
        kind: str,
        service: str,
        environment: str,
        parameters: Mapping[str, JSON],
        *,
        actor: str,
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> Operation:
        """Write an operation down and start it.

        Returns: the operation; the earlier one where the idempotency key was used before.
        Raises:
            NotFoundError: no such kind, service or revision.
            ConflictError: another operation holds the service and environment; it is named.
            UserError: a parameter is wrong or the operation is impossible now.
            StoreUnavailableError: it could not be written down; nothing was done.
        """
        action = known_action(kind)
        checked = check_parameters(kind, parameters, kind)
        environment = self._sites.environment_of(service, environment) if service else environment
        settings: dict[str, JSON] = {}
        deadline = DEADLINE_SECONDS
        if action.needs_service or (service and self._sites.known(service, environment)):
            config = self._sites.config(service, environment)
            settings, deadline = snapshot(config), config.deadline
        new = NewOperation(
            kind=kind, service=service, environment=environment, parameters=checked, settings=settings,
            requested_by=actor, reason=reason, deadline_seconds=deadline, exclusive=action.exclusive,
            idempotency_key=idempotency_key,
        )  # fmt: skip
        await action.check(_order_of_new(new, self._clock.now()), self._context_of_new(new))
        operation, fresh = await self._store.create(new)
        if fresh:
            self._changed(operation)
        if not operation.state.ended:
            await self._run(operation)
            self._keep_going()
        return operation

    async def cancel(self, operation_id: str, *, actor: str) -> Operation:
        """Ask an operation to stop; it ends the step it is in where that is safe, and is settled.

        Raises:
            NotFoundError: there is no such operation.
            ConflictError: it has ended already, or is being settled; nothing was done.
        """
        operation = await self._store.request_cancel(operation_id, actor)
        self._runner.interrupt(operation.id)
        self._changed(operation)
        return operation

    async def operations(self, limit: int = 20, service: str = "", environment: str = "") -> list[Operation]:
        """Return the newest operations with their steps, newest first."""
        return await self._store.newest(limit, service, environment)

    async def operation(self, operation_id: str) -> Operation:
        """Return an operation with its steps.

        Raises: NotFoundError: there is none of this id.
        """
        return await self._store.get(operation_id)

    def services(self) -> list[ServiceStatus]:
        """Return every configured service and environment as it was last seen, a few seconds ago at most."""
        return self._keeper.statuses() if self._sites.names() else []

    async def refresh(self) -> list[ServiceStatus]:
        """Look at every service now and return what was seen."""
        if self._sites.names():
            await self._keeper.look()
        return self.services()

    async def on_alert(self, trigger: Trigger) -> None:
        """Offer a change of an alert or incident to the policies. At start, offer again what is still so.

        Raises: StoreUnavailableError: a decision could not be written down; offer it again later.
        """
        await self._policies.offer(trigger)

    def collectors(self) -> list[RouterCollector]:
        """Return what reads the routers' counts of requests, for the daemon's collector manager; none without one."""
        routed = [name for name in self._sites.names() if self._sites.config(*name).router is not None]
        if not routed:
            return []
        from actions.deployment.router_collector import RouterCollector  # noqa: PLC0415 - few daemons have a router

        signature = ("router", *((*name, self._sites.config(*name).model_dump_json()) for name in routed))
        return [RouterCollector(lambda: [self._sites.site(*name) for name in routed], signature=signature)]

    def kinds(self) -> list[str]:
        """Return the kinds of operation that are installed."""
        return action_kinds()

    async def _resume(self) -> None:
        """Make sure that every operation which has not ended is being carried out."""
        await self._ensure_engine()
        for operation in await self._store.active():
            state = await self._engine.state(run_id_of(operation))
            if state == RunState.UNKNOWN:
                await self._engine.run(run_id_of(operation))
            elif state == RunState.OVER:
                await self._run_anew(operation.id)

    async def _run_anew(self, operation_id: str) -> None:
        """Carry on an operation whose run ended without it, a few times at most: then something is wrong with us."""
        operation = await self._store.get(operation_id)
        if operation.state.ended:
            return
        if operation.run >= RUNS:
            error = f"its execution broke off {operation.run} times; see the daemon's log, and look at the service"
            operation = await self._store.settling(operation, error)
            self._changed(await self._store.ended(operation, OperationState.FAILED, None))
            return
        _log.warning("operation %s: its run was lost, it is started anew", operation.id)
        await self._engine.run(run_id_of(await self._store.next_run(operation)))

    async def _run(self, operation: Operation) -> None:
        try:
            await self._ensure_engine()
            await self._engine.run(run_id_of(operation))
        except WatchkeeperError as error:
            _log.error("operation %s is written down but does not run yet: %s", operation.id, error)

    async def _ensure_engine(self) -> None:
        async with self._engine_lock:
            if not self._engine_started:
                await self._engine.start(self._runner.drive)
                self._engine_started = True

    async def _keep(self) -> None:
        await self._ensure_engine()
        rounds = 0
        while True:
            rounds += 1
            if rounds % 5 == 0:
                await self._resume()
            await self._keeper.tend()
            await self._clock.sleep(self._keeper.pause_seconds())

    def _context(self, operation: Operation) -> ActionContext:
        return ActionContext(self._clock, self._base, self._sites.site_of(operation))

    def _context_of_new(self, new: NewOperation) -> ActionContext:
        site = self._sites.site(new.service, new.environment) if new.settings else None
        return ActionContext(self._clock, self._base, site)

    def _changed(self, operation: Operation) -> None:
        self._metrics.changed(operation)
        self._on_event(OperationEvent(operation))
        if operation.state.ended and operation.state is not OperationState.PENDING:
            self._tasks.spawn(
                lambda: self._after(operation), name=f"after-operation-{operation.id}", on_crash=OnCrash.FORGET
            )

    async def _after(self, operation: Operation) -> None:
        """See what became of the service, and let policies that had to wait decide."""
        if self._sites.known(operation.service, operation.environment):
            await self._keeper.look_at(operation.service, operation.environment)
        await self._policies.operation_ended(operation.service, operation.environment)

    def _decided(self, decision: PolicyDecision) -> None:
        self._metrics.decided(decision)
        self._on_event(decision)

    def policy_target(self, policy: PolicyConfig, trigger: Trigger) -> tuple[str, str]:
        """Return what the policy says, else what the trigger says, else the service's only environment."""
        service = policy.do.service or trigger.service
        environment = policy.do.environment or trigger.environment
        try:
            return service, self._sites.environment_of(service, environment) if service else environment
        except UserError:
            return service, environment

    async def policy_facts(self, policy: PolicyConfig, service: str, environment: str) -> Facts:
        """Return what a decision about the service is made from."""
        action = known_action(policy.do.operation)
        known = bool(service) and self._sites.known(service, environment)
        holder = await self._store.holder(service, environment) if service else None
        facts = Facts(
            known=known,
            needs_service=action.needs_service,
            exclusive=action.exclusive,
            running=holder.id if holder is not None else None,
        )
        if not known or not action.needs_service:
            return facts
        return await self._deployment_facts(facts, action, policy, service, environment)

    async def _deployment_facts(
        self, facts: Facts, action: Action, policy: PolicyConfig, service: str, environment: str
    ) -> Facts:
        site = self._sites.site(service, environment)
        history = await site.revisions.history()
        rolled_back_by = history.get(history.current).rolled_back_by if history.current is not None else None
        order = Order("", service, environment, policy.do.parameters, f"policy/{policy.name}", "", 0.0, True)
        obstacle = ""
        try:
            await action.check(order, ActionContext(self._clock, self._base, site))
        except UserError as error:
            obstacle = str(error)
        version = policy.do.parameters.get("version", "")
        bad = quarantined(history, str(version), str(policy.do.parameters.get("sha256", ""))) if version else None
        return dataclasses.replace(
            facts, rolled_back_by=rolled_back_by, obstacle=obstacle, quarantined=bad is not None and bool(obstacle)
        )

    async def policy_request(
        self, policy: PolicyConfig, service: str, environment: str, reason: str, key: str
    ) -> Operation:
        """Ask for the policy's operation in the policy's name."""
        return await self.request(
            policy.do.operation, service, environment, policy.do.parameters,
            actor=f"policy/{policy.name}", reason=reason, idempotency_key=f"policy/{key}",
        )  # fmt: skip


def _order_of_new(new: NewOperation, now: float) -> Order:
    automatic = new.requested_by.startswith("policy/") or new.requested_by == "watchkeeper"
    return Order(
        "", new.service, new.environment, new.parameters, new.requested_by, new.reason, now, automatic
    )  # fmt: skip


def _real_actuators(state_directory: Path, clock: Clock) -> Callable[[], Actuators]:
    def make() -> Actuators:
        from actions.deployment.actuators import real_actuators  # noqa: PLC0415 - only who deploys pays for it

        return real_actuators(state_directory, clock)

    return make
