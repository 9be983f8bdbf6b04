"""Offers triggers to policies, writes every decision down, and asks for the operations that were decided."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection

from actions.operation import Operation
from actions.policy import Decision, Facts, PolicyConfig, Reason, Trigger, concerns, decide
from actions.sql import sql
from core.clock import Clock
from core.db.database import Database
from core.errors import UserError
from core.logbook import Logbook

_log = logging.getLogger(__name__)

HOUR = 3600.0


class World(Protocol):
    """What policies ask of the rest of actions."""

    async def policy_facts(self, policy: PolicyConfig, service: str, environment: str) -> Facts:
        """Return the facts about the service and its operations, without those about the policy itself."""

    def policy_target(self, policy: PolicyConfig, trigger: Trigger) -> tuple[str, str]:
        """Return the service and environment that the operation would be about."""

    async def policy_request(
        self, policy: PolicyConfig, service: str, environment: str, reason: str, key: str
    ) -> Operation:
        """Ask for the policy's operation; the same key gets the same operation."""


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """A decision with what it was about, for those who want to hear of it."""

    policy: str
    trigger: Trigger
    service: str
    environment: str
    decision: Decision
    operation: str | None


class Policies:
    """The shell around `decide`. Every trigger is decided once per policy, over restarts too."""

    def __init__(
        self,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        world: World,
        *,
        on_decision: Callable[[PolicyDecision], None],
    ) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._world = world
        self._on_decision = on_decision
        self._policies: tuple[PolicyConfig, ...] = ()
        self._deferred: dict[tuple[str, str, str], Trigger] = {}

    def apply(self, policies: Sequence[PolicyConfig]) -> None:
        """Follow these policies from now on."""
        self._policies = tuple(policies)

    async def offer(self, trigger: Trigger) -> None:
        """Let every policy that the trigger concerns decide.

        Raises: StoreUnavailableError: a decision could not be written down; nothing was done, offer it again.
        """
        if trigger.transition == "resolved":
            self._deferred = {key: held for key, held in self._deferred.items() if held.id != trigger.id}
        for policy in self._policies:
            if concerns(policy, trigger):
                await self._decide(policy, trigger)

    async def operation_ended(self, service: str, environment: str) -> None:
        """Decide anew what had to wait for an operation of this service and environment."""
        policies = {policy.name: policy for policy in self._policies}
        for key, trigger in list(self._deferred.items()):
            policy = policies.get(key[0])
            if policy is None:
                del self._deferred[key]
            elif self._world.policy_target(policy, trigger) == (service, environment):
                await self._decide(policy, trigger)

    async def _decide(self, policy: PolicyConfig, trigger: Trigger) -> None:
        key = (policy.name, trigger.id, trigger.transition)
        service, environment = self._world.policy_target(policy, trigger)
        hour_ago = self._clock.now() - HOUR
        before, taken = await self._database.read(
            lambda connection: (_load(connection, key), _taken(connection, policy.name, service, environment, hour_ago))
        )
        if before is not None and before.taken and before.operation is None:
            decision = Decision(True, Reason.ACT)  # decided before a crash, not yet done
        elif before is not None and before.reason != Reason.OPERATION_RUNNING:
            return
        else:
            facts = await self._world.policy_facts(policy, service, environment)
            facts = replace(facts, last_taken_at=taken[0], taken_last_hour=taken[1])
            decision = decide(policy, trigger, facts, self._clock.now())
        if before is None or before.reason != decision.reason:
            await self._write(key, service, environment, decision, trigger)
        operation = None
        if decision.taken:
            decision, operation = await self._act(policy, trigger, key, service, environment, decision)
        if decision.deferred:
            self._deferred[key] = trigger
        else:
            self._deferred.pop(key, None)
        if before is None or before.reason != decision.reason or operation is not None:
            self._on_decision(PolicyDecision(policy.name, trigger, service, environment, decision, operation))

    async def _act(
        self,
        policy: PolicyConfig,
        trigger: Trigger,
        key: tuple[str, str, str],
        service: str,
        environment: str,
        decision: Decision,
    ) -> tuple[Decision, str | None]:
        reason = f"{trigger.kind} {trigger.name or trigger.id} {trigger.transition}"
        try:
            operation = await self._world.policy_request(policy, service, environment, reason, "/".join(key))
        except UserError as error:
            # Between the facts and the request something came in the way; that is a decision as well.
            running = (await self._world.policy_facts(policy, service, environment)).running
            refused = Decision(False, Reason.OPERATION_RUNNING if running else Reason.REFUSED, str(error))
            await self._write(key, service, environment, refused, trigger)
            return refused, None
        await self._database.write(lambda connection: _set_operation(connection, key, operation.id))
        return decision, operation.id

    async def _write(
        self, key: tuple[str, str, str], service: str, environment: str, decision: Decision, trigger: Trigger
    ) -> None:
        policy, trigger_id, transition = key
        data = {
            "taken": decision.taken, "reason": decision.reason.value, "detail": decision.detail,
            "trigger": f"{trigger.kind}/{trigger_id}", "transition": transition, "name": trigger.name,
            "service": service, "environment": environment,
        }  # fmt: skip
        entry = self._logbook.appending("policy.decision", f"policy/{policy}", data, actor=f"policy/{policy}")
        upsert = (
            "INSERT INTO policy_decision (policy, trigger_id, transition, decided_at, service, environment, taken,"
            " reason) VALUES (:policy, :trigger, :transition, :now, :service, :environment, :taken, :reason)"
            " ON CONFLICT (policy, trigger_id, transition) DO UPDATE SET decided_at = :now, taken = :taken,"
            " reason = :reason"
        )
        values = {
            "policy": policy, "trigger": trigger_id, "transition": transition, "now": self._clock.now(),
            "service": service, "environment": environment, "taken": decision.taken, "reason": decision.reason.value,
        }  # fmt: skip

        def work(connection: Connection) -> None:
            connection.execute(sql(upsert), values)
            entry(connection)

        await self._database.write(work)


@dataclass(frozen=True, slots=True)
class _Before:
    taken: bool
    reason: str
    operation: str | None


def _load(connection: Connection, key: tuple[str, str, str]) -> _Before | None:
    query = (
        "SELECT taken, reason, operation FROM policy_decision"
        " WHERE policy = :policy AND trigger_id = :trigger AND transition = :transition"
    )
    values = {"policy": key[0], "trigger": key[1], "transition": key[2]}
    row = connection.execute(sql(query), values).one_or_none()
    return _Before(bool(row.taken), row.reason, row.operation) if row is not None else None


def _set_operation(connection: Connection, key: tuple[str, str, str], operation: str) -> None:
    update = (
        "UPDATE policy_decision SET operation = :operation"
        " WHERE policy = :policy AND trigger_id = :trigger AND transition = :transition"
    )
    values = {"operation": operation, "policy": key[0], "trigger": key[1], "transition": key[2]}
    connection.execute(sql(update), values)


def _taken(
    connection: Connection, policy: str, service: str, environment: str, since: float
) -> tuple[float | None, int]:
    last = (
        "SELECT MAX(decided_at) FROM policy_decision WHERE policy = :policy AND service = :service"
        " AND environment = :environment AND taken = 1"
    )
    count = "SELECT COUNT(*) FROM policy_decision WHERE policy = :policy AND taken = 1 AND decided_at >= :since"
    values = {"policy": policy, "service": service, "environment": environment, "since": since}
    latest = connection.execute(sql(last), values).scalar()
    return latest, int(connection.execute(sql(count), values).scalar_one())
