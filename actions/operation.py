"""An operation: one durable run of an action, with its steps, as the API, CLI and console read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

JSON = Any
"""What json.dumps takes: dict with text keys, list, str, int, float, bool, None."""


class OperationState(StrEnum):
    """Where an operation is; the last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (OperationState.PENDING, OperationState.RUNNING)


class StepState(StrEnum):
    """What became of a step; `skipped` means that it was already so."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step as it happened; times are Unix seconds, `detail` is one line for people."""

    name: str
    state: StepState
    started_at: float
    ended_at: float | None
    detail: str

    def to_json(self) -> dict[str, JSON]:
        """Return the step as the API gives it."""
        return {
            "name": self.name,
            "state": self.state.value,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Operation:
    """What was asked, by whom, and what came of it.

    Attributes:
        service, environment: empty where the action concerns none.
        settings: the service's configuration at the time of the request; the operation keeps to it whatever a reload
            changes.
        deadline_at: when its steps are given up and settled, Unix seconds.
        settling: it has failed, timed out or was cancelled, and is putting things back in order.
        run: which execution of the engine drives it, from 1.
        plan: its planned steps, once they are known.
    """

    id: str
    kind: str
    service: str
    environment: str
    state: OperationState
    parameters: Mapping[str, JSON]
    settings: Mapping[str, JSON]
    requested_by: str
    reason: str
    created_at: float
    deadline_at: float
    started_at: float | None = None
    ended_at: float | None = None
    error: str | None = None
    result: Mapping[str, JSON] | None = None
    cancel_requested_by: str | None = None
    settling: bool = False
    run: int = 1
    plan: JSON = None
    steps: tuple[StepRecord, ...] = ()

    @property
    def subject(self) -> str:
        """What its logbook entries are about."""
        return f"operation/{self.id}"

    @property
    def automatic(self) -> bool:
        """Whether the daemon itself asked for it, and not a person."""
        return self.requested_by.startswith("policy/") or self.requested_by == "watchkeeper"

    def to_json(self) -> dict[str, JSON]:
        """Return the operation as the API gives it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "service": self.service,
            "environment": self.environment,
            "state": self.state.value,
            "parameters": dict(self.parameters),
            "requested_by": self.requested_by,
            "reason": self.reason,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "error": self.error,
            "result": dict(self.result) if self.result is not None else None,
            "steps": [step.to_json() for step in self.steps],
        }
