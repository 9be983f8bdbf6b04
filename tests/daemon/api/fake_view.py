"""A DaemonView that shows what a test puts into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from prometheus_client import CollectorRegistry

from actions.deployment.revision import Revision, RevisionState
from actions.deployment.status import InstanceStatus, ServiceStatus
from actions.operation import Operation, OperationState, StepRecord, StepState
from alerting import silences as silences_module
from alerting.alert import Alert, AlertState, Severity, fingerprint
from alerting.escalation import Chain
from alerting.health import Aspect, Health, Status
from alerting.incident import Incident, IncidentStatus
from alerting.pipeline.dispatch import GroupView
from alerting.pipeline.posted import PostedAlert
from alerting.pipeline.stage import AlertStatus
from alerting.rule_status import GroupStatus, RuleStatus
from alerting.schedules import Schedules
from alerting.silences import Silences
from collectors.discovery.discovery import Offer
from collectors.manager import TargetStatus
from collectors.push.address import source_of
from collectors.remote_write.config import RemoteWriteReceiverConfig
from collectors.remote_write.receiver import Receiver
from core import logbook as logbook_module
from core.clock import Clock
from core.db.database import Database, Trouble
from core.errors import ConflictError, NotFoundError, StoreUnavailableError
from core.logbook import Entry, Fault, Logbook
from core.tasks import Tasks
from daemon.api.state import ConfigStatus
from daemon.intake import Intake
from metrics.frame import Frame
from metrics.head import Head
from metrics.label import Labels, labels_of
from metrics.metadata import Metadata
from metrics.promql.result import Matrix, Scalar, Vector
from metrics.storage import MISSING
from tests.daemon.api.fake_room import FakeRoom
from tests.fakes.database import InlineDatabase

NOW = 1_700_000_000.0


@dataclass
class FakeLogbook:
    clock: Clock
    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: bool = False

    async def append(self, kind: str, subject: str, data: Mapping[str, Any], *, actor: str = "watchkeeper") -> Entry:
        if self.broken:
            raise StoreUnavailableError("the state database cannot be written: disk full")
        number = len(self.entries) + 1
        entry = Entry(number, self.clock.now(), kind, subject, actor, dict(data), "", f"{number:064x}")
        self.entries.append(entry)
        return entry

    async def read(
        self, *, after: int = 0, limit: int = 1000, kind: str = "", subject: str = "", newest: bool = False
    ) -> list[Entry]:
        if self.broken:
            raise StoreUnavailableError("the state database cannot be read: disk full")
        found = [
            entry
            for entry in self.entries
            if entry.number > after
            and (not subject or entry.subject == subject)
            and (not kind or entry.kind == kind or (kind.endswith(".") and entry.kind.startswith(kind)))
        ]
        return found[max(0, len(found) - limit) :] if newest else found[:limit]

    async def verify(self) -> list[Fault]:
        return self.faults


@dataclass
class FakeCollectors:
    shown: list[TargetStatus] = field(default_factory=list)
    readings: list[tuple[str, Any]] = field(default_factory=list)
    offered: dict[str, Offer] = field(default_factory=dict)

    def targets(self) -> list[TargetStatus]:
        return self.shown

    def exported_readings(self) -> list[tuple[str, Any]]:
        return self.readings

    def offers(self) -> dict[str, Offer]:
        return self.offered


@dataclass
class FakePipeline:
    """Notes what is posted."""

    known: list[Alert] = field(default_factory=list)
    standing: dict[str, AlertStatus] = field(default_factory=dict)
    grouped: list[GroupView] = field(default_factory=list)
    posted: list[PostedAlert] = field(default_factory=list)
    refusal: Exception | None = None

    async def post(self, alerts: Sequence[PostedAlert]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.posted += alerts

    def alerts(self) -> list[Alert]:
        return self.known

    def statuses(self) -> dict[str, AlertStatus]:
        active = AlertStatus("active", receivers=("team",))
        return {fingerprint(alert.labels): active for alert in self.known} | self.standing

    def groups(self) -> list[GroupView]:
        return self.grouped


@dataclass
class FakeEscalation:
    schedules: Schedules | None = None
    chains: dict[int, Chain] = field(default_factory=dict)

    async def chain(self, incident: int) -> Chain | None:
        return self.chains.get(incident)


@dataclass
class FakeAlerting:
    silences: Silences
    pipeline: FakePipeline = field(default_factory=FakePipeline)
    external_url: str = "http://watch-1:8797"
    shown: list[Alert] = field(default_factory=list)
    opened: list[Incident] = field(default_factory=list)
    written: list[RuleStatus] = field(default_factory=list)
    grouped: list[GroupStatus] = field(default_factory=list)
    escalation: FakeEscalation = field(default_factory=FakeEscalation)

    def receivers(self) -> list[str]:
        return ["team", "fallback"]

    def routing_text(self) -> str:
        return "route:\n  receiver: team\n"

    room: FakeRoom = field(init=False)

    def alerts(self) -> list[Alert]:
        return [alert for alert in self.shown if alert.state is not AlertState.RESOLVED]

    async def incidents(self, limit: int = 20) -> list[Incident]:
        return self.opened[:limit]

    def resolved_alerts(self) -> list[Alert]:
        return [alert for alert in self.shown if alert.state is AlertState.RESOLVED]

    def rules(self) -> list[RuleStatus]:
        return self.written

    def groups(self) -> list[GroupStatus]:
        return self.grouped


@dataclass
class FakeActions:
    clock: Clock
    status: list[ServiceStatus] = field(default_factory=list)
    done: list[Operation] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    refusal: Exception | None = None

    def services(self) -> list[ServiceStatus]:
        return self.status

    async def operations(self, limit: int = 20, service: str = "") -> list[Operation]:
        return [one for one in self.done if service in ("", one.service)][:limit]

    async def operation(self, operation_id: str) -> Operation:
        for operation in self.done:
            if operation.id == operation_id:
                return operation
        raise NotFoundError(f"there is no operation {operation_id!r}; list them")

    async def request(
        self, kind: str, service: str, environment: str, parameters: Mapping[str, Any], *, actor: str, reason: str
    ) -> Operation:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append((kind, service, environment, dict(parameters), actor, reason))
        operation = make_operation(
            id=f"op-{len(self.done) + 1}", kind=kind, service=service, environment=environment,
            state=OperationState.PENDING, parameters=parameters, requested_by=actor, reason=reason,
            created_at=self.clock.now(), started_at=None, ended_at=None, steps=(),
        )  # fmt: skip
        self.done.insert(0, operation)
        return operation

    async def cancel(self, operation_id: str, *, actor: str) -> Operation:
        operation = await self.operation(operation_id)
        if operation.state.ended:
            raise ConflictError(f"operation {operation_id} has ended; nothing is left to cancel")
        cancelled = replace(operation, state=OperationState.CANCELLED, ended_at=self.clock.now())
        self.done[self.done.index(operation)] = cancelled
        return cancelled


@dataclass
class FakeEngine:
    """Gives waves: something to see, and known values at known times."""

    answer: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def instant(self, expression: Any, at_ms: int, **options: Any) -> Any:
        self.options = options
        if isinstance(self.answer, Exception):
            raise self.answer
        return Scalar(42.0) if self.answer is None else self.answer

    def range(self, expression: Any, start_ms: int, end_ms: int, step_ms: int, **options: Any) -> Any:
        self.options = options
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return waves(expression.text, np.arange(start_ms, end_ms + 1, step_ms))


_SHAPES: dict[str, tuple[float, float]] = {
    "cpu": (9, 24), "MemTotal": (1.5, 58), "node_load": (0.4, 1.1), "network": (2e5, 8e5), "disk": (4e5, 6e5),
    "histogram_quantile": (0.03, 0.14), '"5..': (0.004, 0.012), "router_requests": (4, 42),
}  # fmt: skip


def waves(text: str, times: Any) -> Matrix:
    seconds = times / 1000.0
    slow, quick = np.sin(seconds / 240.0), np.sin(seconds / 37.0 + len(text))
    if "filesystem" in text:
        series = [labels_of({"mountpoint": "/"}), labels_of({"mountpoint": "/var/lib/postgresql"})]
        return Matrix(series, times, np.stack([61 + 0 * slow, 84 + slow], axis=1))
    scale, base = next((shape for word, shape in _SHAPES.items() if word in text), (1, 2))
    values = base + scale * (slow + 0.35 * quick)
    if '"5..' in text:
        values = np.where(seconds > seconds[-1] - 240, 0.31 + 0.02 * quick, 0.002 + 0 * values)
    if "node_load15" in text or "transmit" in text or "written" in text:
        values = base * 0.7 + scale * 0.3 * slow
    if "node_load1{" in text:
        values[len(values) // 3 : len(values) // 3 + 6] = MISSING
    labels = labels_of({"service": "shop", "environment": "production"} if "router" in text else {})
    return Matrix([labels], times, values[:, None])


@dataclass
class FakePush:
    """Notes what is pushed: source, body, and whether all is replaced."""

    max_body_size: int = 100_000
    pushed: list[tuple[str, bytes, bool]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    refusal: Exception | None = None

    async def push(self, grouping: Labels, body: bytes, content_type: str, *, replace_all: bool) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.pushed.append((source_of(grouping), body, replace_all))

    async def delete(self, grouping: Labels) -> None:
        self.deleted.append(source_of(grouping))


class FakeView:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tasks = Tasks(clock)
        self.registry = CollectorRegistry()
        self.version = "0.1.0"
        self.hostname = "watch-1"
        self.started_at = clock.now() - 3 * 3600
        self.ready = True
        self.config = ConfigStatus("/etc/watchkeeper/watchkeeper.yml", clock.now() - 3600)
        self.database_trouble: Trouble | None = None
        self.logbook = FakeLogbook(clock)
        self.collectors = FakeCollectors()
        database = cast(Database, InlineDatabase((*logbook_module.MIGRATIONS, *silences_module.MIGRATIONS)))
        book = Logbook(database, clock)
        self.alerting = FakeAlerting(Silences(database, book, clock, CollectorRegistry()))
        self.alerting.room = FakeRoom(self.alerting, self.logbook, clock)
        self.actions = FakeActions(clock)
        self.engine: Any = FakeEngine()
        self.store = Head()
        self.metadata = Metadata()
        self.arrived: list[Frame] = []
        self.receiver = Receiver(RemoteWriteReceiverConfig(), self.store.append, clock=clock, registry=self.registry)
        self.push = FakePush()
        self.intake = Intake(self.receiver, arrived=self.arrived.append)
        self.verdict = Health(Status.HEALTHY, (), dict.fromkeys(Aspect, Status.HEALTHY))
        self.reloads: list[str] = []
        self.reload_failure: Exception | None = None

    def health(self) -> Health:
        return self.verdict

    async def reload(self, *, actor: str) -> None:
        if self.reload_failure is not None:
            raise self.reload_failure
        self.reloads.append(actor)


def make_target(source: str, **changes: Any) -> TargetStatus:
    values: dict[str, Any] = {
        "source": source, "plugin": source.partition("/")[0], "job": source.partition("/")[0], "instance": "watch-1",
        "labels": {}, "health": "up", "last_error": "", "last_collected": NOW, "last_duration_seconds": 0.012,
        "samples": 480, "interval_seconds": 15.0, "exported": True,
    }  # fmt: skip
    return TargetStatus(**(values | changes))


def make_alert(name: str, **changes: Any) -> Alert:
    values: dict[str, Any] = {
        "id": f"{name}-1", "name": name, "labels": {"alertname": name, "instance": "watch-1"},
        "annotations": {"summary": f"{name} happens"}, "state": AlertState.FIRING, "severity": Severity.MEDIUM,
        "active_since": NOW - 300, "fired_at": NOW - 240, "resolved_at": None, "value": 84.2,
        "rule": f"defaults/{name}", "expr": "x > 80",
    }  # fmt: skip
    return Alert(**(values | changes))


def make_incident(number: int, **changes: Any) -> Incident:
    values: dict[str, Any] = {
        "id": number, "subject": "service/shop/production", "title": "HighErrorRate: shop in production",
        "service": "shop", "environment": "production", "severity": Severity.CRITICAL,
        "status": IncidentStatus.OPEN, "opened_at": NOW - 40, "resolved_at": None, "alerts": ("HighErrorRate-1",),
    }  # fmt: skip
    return Incident(**(values | changes))


def make_operation(**changes: Any) -> Operation:
    values: dict[str, Any] = {
        "id": "op-1", "kind": "deploy", "service": "shop", "environment": "production",
        "state": OperationState.SUCCEEDED, "parameters": {"artifact": "/srv/shop-1.4.1.tar.gz"}, "settings": {},
        "requested_by": "local", "reason": "", "created_at": NOW - 7200, "deadline_at": NOW,
        "started_at": NOW - 7200, "ended_at": NOW - 7188, "steps": (make_step("unpack artifact"),),
    }  # fmt: skip
    return Operation(**(values | changes))


def make_step(name: str, state: StepState = StepState.SUCCEEDED, start: float = NOW - 7200, took: float | None = 1.4,
              detail: str = "") -> StepRecord:  # fmt: skip
    return StepRecord(name, state, start, None if took is None else start + took, detail)


def make_revision(number: int, version: str, state: RevisionState, age: float) -> Revision:
    return Revision(
        number=number, version=version, state=state, artifact=f"/srv/shop-{version}.tar.gz",
        artifact_sha256=f"{number:02x}" * 32, folder="", settings={}, operation=f"op-{number}",
        created_at=NOW - age, deployed_at=NOW - age, promoted_at=None, rolled_back_by=None,
    )  # fmt: skip


def make_instance(number: int, index: int, weight: int | None, **changes: Any) -> InstanceStatus:
    values: dict[str, Any] = {
        "id": f"shop/production/r{number}/{index}", "revision": number, "pid": 4100 + 10 * number + index,
        "port": 9000 + 10 * number + index, "alive": True, "healthy": True, "weight": weight,
    }  # fmt: skip
    return InstanceStatus(**(values | changes))


def make_service(**changes: Any) -> ServiceStatus:
    values: dict[str, Any] = {
        "service": "shop", "environment": "production", "strategy": "blue-green", "current": 7, "last_good": 6,
        "baking_until": NOW + 95, "address": "127.0.0.1:9080", "problem": None,
        "revisions": (make_revision(7, "1.4.2", RevisionState.BAKING, 70),
                      make_revision(6, "1.4.1", RevisionState.GOOD, 7188),
                      make_revision(5, "1.4.0", RevisionState.SUPERSEDED, 90000),
                      make_revision(4, "1.3.9", RevisionState.QUARANTINED, 260000)),
        "instances": (make_instance(7, 0, 1), make_instance(7, 1, 1), make_instance(6, 0, 0), make_instance(6, 1, 0)),
    }  # fmt: skip
    return ServiceStatus(**(values | changes))


def vector(values: Mapping[str, float]) -> Vector:
    return Vector([labels_of({"__name__": name}) for name in values], np.array(list(values.values())))
