"""Operations and their steps in the state database, each change committed together with its logbook entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from actions.operation import JSON, Operation, OperationState, StepRecord, StepState
from actions.sql import sql
from core.clock import Clock
from core.db.database import Database
from core.errors import ConflictError, NotFoundError
from core.logbook import Logbook

_COLUMNS = (
    "number, kind, service, environment, state, parameters, settings, requested_by, reason, created_at, deadline_at,"
    " started_at, ended_at, error, result, cancel_requested_by, settling, run, plan"
)
_ACTIVE = "state IN ('pending', 'running')"


@dataclass(frozen=True, slots=True)
class NewOperation:
    """What a request writes down; see Operation for the fields."""

    kind: str
    service: str
    environment: str
    parameters: Mapping[str, JSON]
    settings: Mapping[str, JSON]
    requested_by: str
    reason: str
    deadline_seconds: float
    exclusive: bool
    idempotency_key: str | None = None


class OperationStore:
    """Reads and writes operations. Every write raises StoreUnavailableError while the disk does not take it."""

    def __init__(self, database: Database, logbook: Logbook, clock: Clock) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock

    async def create(self, new: NewOperation) -> tuple[Operation, bool]:
        """Write an operation down; returns it and whether it is new (false: the idempotency key was used before).

        Raises: ConflictError: another operation holds the service and environment; it is named.
        """
        now = self._clock.now()

        def work(connection: Connection) -> tuple[Operation, bool]:
            known = _by_key(connection, new.idempotency_key)
            if known is not None:
                return known, False
            number = _insert(connection, new, now)
            data = {
                "kind": new.kind, "service": new.service, "environment": new.environment,
                "parameters": dict(new.parameters), "reason": new.reason,
            }  # fmt: skip
            subject = f"operation/{number}"
            self._logbook.appending("operation.requested", subject, data, actor=new.requested_by)(connection)
            return _load(connection, number), True

        return await self._database.write(work)

    async def get(self, operation_id: str) -> Operation:
        """Return an operation with its steps.

        Raises: NotFoundError: there is none of this id.
        """
        number = _number(operation_id)
        return await self._database.read(lambda connection: _load(connection, number))

    async def newest(self, limit: int, service: str = "", environment: str = "") -> list[Operation]:
        """Return the newest operations, newest first."""
        query = (
            f"SELECT {_COLUMNS} FROM operation WHERE (:service = '' OR service = :service)"
            " AND (:environment = '' OR environment = :environment) ORDER BY number DESC LIMIT :limit"
        )
        values = {"service": service, "environment": environment, "limit": limit}
        return await self._database.read(lambda connection: _load_all(connection, query, values))

    async def active(self) -> list[Operation]:
        """Return the operations that have not ended, oldest first."""
        query = f"SELECT {_COLUMNS} FROM operation WHERE {_ACTIVE} ORDER BY number"
        return await self._database.read(lambda connection: _load_all(connection, query, {}))

    async def holder(self, service: str, environment: str) -> Operation | None:
        """Return the operation that holds the service and environment now."""
        held = f"{service}/{environment}"
        return await self._database.read(lambda connection: _holder(connection, held))

    async def count_since(self, kind: str, service: str, environment: str, since: float) -> int:
        """Return how many operations of a kind were asked for since then."""
        query = (
            "SELECT COUNT(*) FROM operation WHERE kind = :kind AND service = :service"
            " AND environment = :environment AND created_at >= :since"
        )
        values = {"kind": kind, "service": service, "environment": environment, "since": since}
        return await self._database.read(lambda connection: int(connection.execute(sql(query), values).scalar_one()))

    async def next_run(self, operation: Operation) -> Operation:
        """Count one more execution of the engine for an operation whose last one was lost."""
        return await self._change(operation, "UPDATE operation SET run = run + 1 WHERE number = :number", {})

    async def started(self, operation: Operation, plan: JSON, error: str | None) -> Operation:
        """Record the plan and that its first step comes next; or, with an error, that there is none."""
        update = (
            "UPDATE operation SET state = 'running', plan = :plan, started_at = coalesce(started_at, :now),"
            " error = :error, settling = :settling WHERE number = :number"
        )
        values = {"plan": json.dumps(plan), "error": error, "settling": error is not None}
        data = {"steps": [step["name"] for step in plan["steps"]], **plan["result"]}
        return await self._change(operation, update, values, "operation.started", data)

    async def settling(self, operation: Operation, error: str) -> Operation:
        """Record that the steps were left early, with the reason."""
        update = "UPDATE operation SET settling = 1, error = :error WHERE number = :number"
        return await self._change(operation, update, {"error": error})

    async def ended(self, operation: Operation, state: OperationState, result: Mapping[str, JSON] | None) -> Operation:
        """Record the end; this releases the service and environment."""
        update = (
            "UPDATE operation SET state = :state, result = :result, ended_at = :now, settling = 0"
            " WHERE number = :number"
        )
        values = {"state": state.value, "result": json.dumps(dict(result)) if result is not None else None}
        data = {"error": operation.error, "result": dict(result) if result is not None else None}
        return await self._change(operation, update, values, f"operation.{state.value}", data)

    async def request_cancel(self, operation_id: str, actor: str) -> Operation:
        """Record that somebody wants the operation to stop.

        Raises:
            NotFoundError: there is no such operation.
            ConflictError: it has ended, or is already being settled; nothing was done.
        """
        number = _number(operation_id)

        def work(connection: Connection) -> Operation:
            operation = _load(connection, number)
            if operation.state.ended:
                raise ConflictError(f"operation {operation.id} has already {operation.state.value}; nothing was done")
            if operation.settling:
                raise ConflictError(f"operation {operation.id} is already being settled; wait for its end")
            if operation.cancel_requested_by is None:
                update = "UPDATE operation SET cancel_requested_by = :actor WHERE number = :number"
                connection.execute(sql(update), {"actor": actor, "number": number})
                entry = self._logbook.appending("operation.cancel_requested", operation.subject, {}, actor=actor)
                entry(connection)
            return _load(connection, number)

        return await self._database.write(work)

    async def step_intended(self, operation: Operation, position: int, name: str, arguments: JSON) -> None:
        """Record what is about to be done; a step that is begun again after a crash keeps its start time."""
        insert = (
            "INSERT INTO operation_step (operation, position, name, state, started_at, detail)"
            " VALUES (:number, :position, :name, 'running', :now, '')"
            " ON CONFLICT (operation, position) DO UPDATE SET state = 'running', ended_at = NULL"
        )
        data = {"step": name, "phase": "intent", "arguments": arguments}
        values = {"position": position, "name": name}
        await self._change(operation, insert, values, "operation.step", data)

    async def step_noted(self, operation: Operation, position: int, detail: str) -> None:
        """Show what a running step is waiting for; no logbook entry, for it happens at every retry."""
        update = "UPDATE operation_step SET detail = :detail WHERE operation = :number AND position = :position"
        await self._change(operation, update, {"position": position, "detail": detail})

    async def step_ended(
        self, operation: Operation, position: int, name: str, state: StepState, detail: str
    ) -> Operation:
        """Record what became of a step."""
        update = (
            "UPDATE operation_step SET state = :state, detail = :detail, ended_at = :now"
            " WHERE operation = :number AND position = :position"
        )
        values = {"position": position, "state": state.value, "detail": detail}
        data = {"step": name, "phase": "result", "state": state.value, "detail": detail}
        return await self._change(operation, update, values, "operation.step", data)

    async def _change(
        self, operation: Operation, statement: str, values: Mapping[str, Any], kind: str = "", data: JSON = None
    ) -> Operation:
        number, now = _number(operation.id), self._clock.now()

        def work(connection: Connection) -> Operation:
            connection.execute(sql(statement), {"number": number, "now": now, **values})
            if kind:
                actor = operation.requested_by
                self._logbook.appending(kind, operation.subject, data, actor=actor)(connection)
            return _load(connection, number)

        return await self._database.write(work)


def _insert(connection: Connection, new: NewOperation, now: float) -> int:
    held = f"{new.service}/{new.environment}" if new.exclusive and new.service else None
    insert = (
        "INSERT INTO operation (kind, service, environment, state, parameters, settings, requested_by, reason,"
        " created_at, deadline_at, held, idempotency_key) VALUES (:kind, :service, :environment, 'pending',"
        " :parameters, :settings, :requested_by, :reason, :now, :deadline_at, :held, :key) RETURNING number"
    )
    values = {
        "kind": new.kind, "service": new.service, "environment": new.environment,
        "parameters": json.dumps(dict(new.parameters)), "settings": json.dumps(dict(new.settings)),
        "requested_by": new.requested_by, "reason": new.reason, "now": now,
        "deadline_at": now + new.deadline_seconds, "held": held, "key": new.idempotency_key,
    }  # fmt: skip
    try:
        return int(connection.execute(sql(insert), values).scalar_one())
    except IntegrityError:
        holder = _holder(connection, held or "")
        if holder is None:
            raise
        what = f"operation {holder.id} ({holder.kind}, asked for by {holder.requested_by})"
        raise ConflictError(f"{held}: {what} is running; wait for its end or cancel it") from None


def _holder(connection: Connection, held: str) -> Operation | None:
    query = f"SELECT {_COLUMNS} FROM operation WHERE held = :held AND {_ACTIVE}"
    found = _load_all(connection, query, {"held": held})
    return found[0] if found else None


def _by_key(connection: Connection, key: str | None) -> Operation | None:
    if key is None:
        return None
    found = _load_all(connection, f"SELECT {_COLUMNS} FROM operation WHERE idempotency_key = :key", {"key": key})
    return found[0] if found else None


def _number(operation_id: str) -> int:
    if not (operation_id.isascii() and operation_id.isdigit() and len(operation_id) < 19):
        raise NotFoundError(f"there is no operation {operation_id!r}; list them to see their numbers")
    return int(operation_id)


def _load(connection: Connection, number: int) -> Operation:
    found = _load_all(connection, f"SELECT {_COLUMNS} FROM operation WHERE number = :number", {"number": number})
    if not found:
        raise NotFoundError(f"there is no operation '{number}'; list them to see their numbers")
    return found[0]


def _load_all(connection: Connection, query: str, values: Mapping[str, Any]) -> list[Operation]:
    return [_operation(row, _steps(connection, row.number)) for row in connection.execute(sql(query), values).all()]


def _steps(connection: Connection, number: int) -> tuple[StepRecord, ...]:
    query = (
        "SELECT name, state, started_at, ended_at, detail FROM operation_step"
        " WHERE operation = :number ORDER BY position"
    )
    rows = connection.execute(sql(query), {"number": number}).all()
    return tuple(StepRecord(row.name, StepState(row.state), row.started_at, row.ended_at, row.detail) for row in rows)


def _operation(row: Row[Any], steps: tuple[StepRecord, ...]) -> Operation:
    return Operation(
        id=str(row.number),
        kind=row.kind,
        service=row.service,
        environment=row.environment,
        state=OperationState(row.state),
        parameters=json.loads(row.parameters),
        settings=json.loads(row.settings),
        requested_by=row.requested_by,
        reason=row.reason,
        created_at=row.created_at,
        deadline_at=row.deadline_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=row.error,
        result=json.loads(row.result) if row.result else None,
        cancel_requested_by=row.cancel_requested_by,
        settling=bool(row.settling),
        run=row.run,
        plan=json.loads(row.plan) if row.plan else None,
        steps=steps,
    )
