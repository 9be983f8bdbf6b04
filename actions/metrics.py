"""The daemon's own numbers about operations and policies."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from actions.operation import Operation, OperationState
from actions.policies import PolicyDecision


class ActionMetrics:
    """Counts what happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._operations = Counter(
            "watchkeeper_operations",
            "Operations that ended, by kind and state.",
            ["kind", "state"],
            registry=registry,
        )
        self._running = Gauge(
            "watchkeeper_operations_running", "Operations that have not ended.", ["kind"], registry=registry
        )
        self._duration = Histogram(
            "watchkeeper_operation_duration_seconds",
            "From the request of an operation to its end.",
            ["kind"],
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 1800),
            registry=registry,
        )
        self._first_step = Histogram(
            "watchkeeper_operation_first_step_delay_seconds",
            "From the request of an operation to the start of its first step.",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
            registry=registry,
        )
        self._decisions = Counter(
            "watchkeeper_policy_decisions", "Decisions of policies, by reason.", ["policy", "reason"], registry=registry
        )
        self._active: dict[str, str] = {}

    def changed(self, operation: Operation) -> None:
        """Take note of an operation as it is now."""
        if operation.state.ended:
            self._active.pop(operation.id, None)
            self._operations.labels(operation.kind, operation.state.value).inc()
            assert operation.ended_at is not None
            self._duration.labels(operation.kind).observe(max(0.0, operation.ended_at - operation.created_at))
        else:
            self._active[operation.id] = operation.kind
        self._running.labels(operation.kind).set(sum(kind == operation.kind for kind in self._active.values()))

    def step_starts(self, operation: Operation, now: float) -> None:
        """Take note that a step is about to start."""
        if operation.state is OperationState.RUNNING and not operation.steps:
            self._first_step.observe(max(0.0, now - operation.created_at))

    def decided(self, decision: PolicyDecision) -> None:
        """Take note of a decision."""
        self._decisions.labels(decision.policy, decision.decision.reason.value).inc()
