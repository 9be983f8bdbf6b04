"""Alerting as the daemon sees it: rules in, alerts, incidents and notifications out."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry

from alerting.alert import Alert, AlertEvent, AlertState, Moment, Severity, Timing, Transition, severity_of
from alerting.config import AlertingConfig
from alerting.evaluator import Evaluator
from alerting.health import Aspect, Health, Reason, aspect_of, assess
from alerting.incident import Incident, IncidentEvent, IncidentTransition
from alerting.incident_desk import IncidentDesk
from alerting.incident_store import load_closed_since, load_incident, load_incidents, load_open
from alerting.incidents import Incidents
from alerting.journal import Batch, Journal
from alerting.load import load_rules
from alerting.measurement import Measurement
from alerting.notify.message import Message, Notifier
from alerting.notify.outbox import Delivery, Outbox, Rejection, Settlement, load_rejected, load_undelivered
from alerting.notify.webhook import Webhook
from alerting.rule import NO_DEFAULTS, AlertingRule, GroupDefaults
from alerting.rule_state import AlertingState, Change, RuleState
from alerting.store import forget_old, load_active, load_resolved
from core.backoff import backoff_seconds
from core.clock import Clock
from core.db.database import Database
from core.errors import StoreUnavailableError
from core.logbook import Logbook
from core.tasks import Tasks, cancel_and_wait
from core.yaml_file import Document
from metrics.frame import Frame
from metrics.label import labels_of
from metrics.promql.asking import InstantEngine
from metrics.storage import Storage

_log = logging.getLogger(__name__)

RESOLVED_SHOWN = 50
SETTLE_SECONDS = 75.0
"""The longest usual collection interval (a minute) and its timeout."""

Event = AlertEvent | IncidentEvent


class AppendableStorage(Storage, Protocol):
    """A store that takes what rules record."""

    def append(self, frame: Frame) -> object:
        """Take in a frame."""


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule and how it goes; for people.

    Attributes:
        kind: alerting or recording.
        place: `file:line`.
        health: ok, error, or unknown before the first evaluation.
        last_evaluation: Unix seconds.
        alerts: how many are pending or firing.
    """

    group: str
    name: str
    kind: str
    expr: str
    for_seconds: float
    keep_firing_for_seconds: float
    labels: dict[str, str]
    annotations: dict[str, str]
    severity: Severity | None
    place: str
    health: str
    last_error: str
    last_evaluation: float | None
    evaluation_seconds: float
    alerts: int


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group of rules as it stands in its file, and how it goes.

    Attributes:
        limit: the most series that a rule may yield; 0 for any number.
        rules: in order, each with its expression in the usual form and its pending and firing alerts.
    """

    name: str
    file: str
    interval_seconds: float
    limit: int
    rules: tuple[tuple[RuleStatus, str, tuple[Alert, ...]], ...]


class Alerting:
    """Evaluates rules, keeps alerts and incidents, and tells receivers.

    `start` returns at once; rules are evaluated as soon as `apply` was called and the state of the last process has
    been read.

    Args:
        on_event: called with each event once its change is durable; must return soon. After a start it gets a
            `restored` event for each firing alert and open incident.
        external_url: where people reach the daemon; told in notifications.
        settle_seconds: how long data may take to come back after a start or a step of the wall clock: the longest
            collection interval and timeout.
    """

    name = "alerting"

    def __init__(
        self,
        storage: AppendableStorage,
        engine: InstantEngine,
        database: Database,
        logbook: Logbook,
        clock: Clock,
        tasks: Tasks,
        registry: CollectorRegistry,
        on_event: Callable[[Event], None],
        *,
        external_url: str = "",
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self._on_event = on_event
        self._measurement = Measurement(registry)
        self._notifier = Notifier(external_url=external_url)
        self._incidents = Incidents()
        self._measurement.incidents.set_function(lambda: float(len(self._incidents.open)))
        self._journal = Journal(database, logbook, clock, self._measurement, on_committed=self._committed)
        self.desk = IncidentDesk(self._incidents, self._journal, database, clock)
        self._outbox = Outbox(clock, tasks, self._measurement, on_settled=self._settled)
        self._evaluator = Evaluator(
            storage,
            engine,
            clock,
            self._measurement,
            append=storage.append,
            on_changes=self._changed,
            settle_seconds=settle_seconds,
        )
        self._configured = asyncio.Event()
        self._restored = False
        self._evaluation: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._resolved: deque[Alert] = deque(maxlen=RESOLVED_SHOWN)

    async def start(self) -> None:
        """Begin to evaluate and to tell."""
        self._writing = self._tasks.spawn(self._journal.run, name="alert-journal")
        self._evaluation = self._tasks.spawn(self._run, name="rule-evaluation")

    async def stop(self) -> None:
        """End evaluation; what is decided is still written down, and answers under way are waited for, for a moment."""
        await cancel_and_wait(self._evaluation)
        if self._writing is not None:
            await self._journal.flush(0.5)
        await self._outbox.stop()
        if self._writing is not None:
            await self._journal.flush(0.5)
        await cancel_and_wait(self._writing)
        self._evaluation = self._writing = None

    async def apply(
        self,
        config: AlertingConfig,
        *,
        base: Path | None = None,
        document: Document | None = None,
        defaults: GroupDefaults = NO_DEFAULTS,
        external_labels: Mapping[str, str] | None = None,
    ) -> None:
        """Follow a config: its rules, receivers and route.

        Args:
            base: the folder that relative paths start from; that of the document's file unless told.
            document: the config file, for the places of its mistakes.
            defaults: for groups of rules that do not say them themselves.
            external_labels: put on alerts where others are told of them, unless an alert has its own.
        Raises: ConfigError: every mistake in rule files and secret files; nothing is changed then.
        """
        folder = base if base is not None else Path(document.file).parent if document is not None else Path()
        groups = await asyncio.to_thread(load_rules, config, folder, document, defaults)
        self._notifier.configure(config, external_labels or {})
        self._outbox.configure(
            {
                (receiver.name, f"webhook/{index}"): Webhook(webhook, folder, self._clock)
                for receiver in config.receivers
                for index, webhook in enumerate(receiver.webhook_configs)
            }
        )
        await self._evaluator.set_groups(groups)
        self._configured.set()

    def use_engine(self, engine: InstantEngine) -> None:
        """Evaluate rules by this engine from now on.

        A metrics.external_engine.ExternalEngine is asked in a thread, for all rules at their groups' intervals only:
        what arrives here says nothing of what is there.
        """
        self._evaluator.use(engine)

    def on_frame(self, frame: Frame) -> None:
        """Take note of a frame that is in the store; the rules that read it are evaluated within milliseconds."""
        self._evaluator.on_frame(frame)

    def on_end(self, source: str, _timestamp_ms: int = 0) -> None:
        """Take note that a source's series have ended in the store."""
        self._evaluator.on_end(source)

    @property
    def progress(self) -> float:
        """Monotonic time of the last evaluation round; one comes at least every 15 s once a config is applied."""
        return self._evaluator.progress if self._restored else self._clock.monotonic()

    @property
    def is_restored(self) -> bool:
        """Whether what the last process wrote down has been read, so that `alerts` is complete."""
        return self._restored

    @property
    def trouble(self) -> str:
        """Why changes cannot be made durable now; empty while all is well."""
        return self._journal.trouble

    def alerts(self) -> list[Alert]:
        """Return the alerts that are pending or firing, worst first."""
        found = [alert for _, state, _ in self._evaluator.rules() for alert in _alerts_of(state)]
        return sorted(
            found, key=lambda alert: (alert.state is AlertState.PENDING, alert.severity.rank, alert.active_since)
        )

    def resolved_alerts(self) -> list[Alert]:
        """Return the alerts that were resolved last, newest first."""
        return list(self._resolved)

    async def incidents(self, limit: int = 20) -> list[Incident]:
        """Return all open incidents and the newest `limit` of all, newest first.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        newest = await self._database.read(lambda connection: load_incidents(connection, limit))
        found = {incident.id: incident for incident in (*newest, *self._incidents.open)}
        return sorted(found.values(), key=lambda incident: -incident.id)

    async def incident(self, number: int) -> Incident | None:
        """Return one incident; None where there is none of that id."""
        return self._incidents.get(number) or await self._database.read(
            lambda connection: load_incident(connection, number)
        )

    def open_incidents(self) -> list[Incident]:
        """Return the open incidents, oldest first."""
        return self._incidents.open

    def rules(self) -> list[RuleStatus]:
        """Return all rules in the order of their groups."""
        return [_status(group.name, state) for group, state, _ in self._evaluator.rules()]

    def groups(self) -> list[GroupStatus]:
        """Return all groups in order, those without rules too."""
        return [
            GroupStatus(
                group.name,
                group.file,
                group.interval_seconds,
                group.limit,
                tuple((_status(group.name, state), str(state.rule.expr), _alerts_of(state)) for state in states),
            )
            for group, states in self._evaluator.groups()
        ]

    def deliveries(self) -> list[Delivery]:
        """Return the notifications that wait to be delivered, by receiver and group."""
        return self._outbox.deliveries()

    async def rejections(self, limit: int = 20) -> list[Rejection]:
        """Return the notifications that receivers would not take, newest first.

        Raises: StoreUnavailableError: the state database cannot be read now.
        """
        return await self._database.read(lambda connection: load_rejected(connection, limit))

    def health(self, inputs: Iterable[Reason] = ()) -> Health:
        """Return the health that firing alerts and the given findings amount to."""
        return assess(self.alerts(), inputs, self._watched())

    def _watched(self) -> set[Aspect]:
        found = set()
        for _, state, was_seen in self._evaluator.rules():
            rule = state.rule
            if was_seen and isinstance(rule, AlertingRule):
                texts = [{name: t.text for name, t in part.items()} for part in (rule.labels, rule.annotations)]
                found.add(aspect_of(*texts))
        return found

    async def _run(self) -> None:
        await self._configured.wait()
        if not self._restored:
            await self._restore()
            self._restored = True
        await self._evaluator.run()

    async def _restore(self) -> None:
        """Go on from what the last process wrote down; wait for the database when it cannot be read."""
        failures = 0
        while True:
            try:
                stored, incidents, messages, resolved, closed = await self._load()
                break
            except StoreUnavailableError as error:
                failures += 1
                _log.error("alerts wait for the state database: %s", error)
                await self._clock.sleep(backoff_seconds(failures, cap_seconds=5.0, random=lambda: 0.5))
        now = self._evaluator.now()
        self._resolved.extend(resolved)
        self._notifier.remember(change.alert for change in stored)
        events = self._incidents.restore(*incidents, now.wall, closed)
        if events:
            self._journal.add(Batch(incidents=events, time=now.wall))
        self._outbox.add(messages)
        orphans = self._evaluator.restore(stored)
        ended = {change.alert.id for change in orphans}
        for change in stored:
            if change.alert.state is AlertState.FIRING and change.alert.id not in ended:
                self._tell(AlertEvent(Transition.RESTORED, change.alert))
        if orphans:
            self._changed(orphans, now)

    async def _load(
        self,
    ) -> tuple[list[Change], tuple[list[Incident], int], list[Message], list[Alert], list[Incident]]:
        closed_since = self._clock.now() - self._incidents.correlation.reopen_seconds
        await self._database.write(forget_old)
        return await self._database.read(
            lambda connection: (
                load_active(connection),
                load_open(connection),
                load_undelivered(connection),
                load_resolved(connection, RESOLVED_SHOWN),
                load_closed_since(connection, closed_since),
            )
        )

    def _changed(self, changes: Sequence[Change], now: Moment) -> None:
        """Work out what a round's changes mean, and queue all of it as one write."""
        transitions = [(change.transition, change.alert) for change in changes if change.transition is not None]
        incidents = self._incidents.update(transitions, now.wall)
        messages = self._notifier.messages(transitions, now.wall)
        for transition, alert in transitions:
            if transition is Transition.RESOLVED:
                self._resolved.appendleft(alert)
        self._journal.add(Batch(list(changes), incidents, messages, time=now.wall))

    def _settled(self, settlement: Settlement) -> None:
        self._journal.add(Batch(settlements=[settlement], time=self._clock.now()))

    def _committed(self, batch: Batch) -> None:
        self._outbox.add(batch.messages)
        for change in batch.changes:
            if change.transition is not None:
                self._tell(AlertEvent(change.transition, change.alert))
        for event in batch.incidents:
            if event.transition is not IncidentTransition.LEFT:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - whoever listens must not keep others from being told
            _log.exception("an event could not be handed on: %r", event)


def _alerts_of(state: RuleState) -> tuple[Alert, ...]:
    if not isinstance(state, AlertingState):
        return ()
    return tuple(state.view(active) for active in state.active.values())


def _status(group: str, state: RuleState) -> RuleStatus:
    rule, run = state.rule, state.run
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    timing, severity, active = Timing(), None, 0
    if isinstance(state, AlertingState):
        labels = {name: template.text for name, template in state.rule.labels.items()}
        annotations = {name: template.text for name, template in state.rule.annotations.items()}
        timing, severity, active = state.rule.timing, severity_of(labels_of(labels)), len(state.active)
    else:
        labels = dict(state.rule.labels)
    return RuleStatus(
        group=group,
        name=rule.name,
        kind="alerting" if severity is not None else "recording",
        expr=rule.expr.text,
        for_seconds=timing.for_seconds,
        keep_firing_for_seconds=timing.keep_firing_for_seconds,
        labels=labels,
        annotations=annotations,
        severity=severity,
        place=rule.place,
        health=run.health,
        last_error=run.last_error,
        last_evaluation=run.last_evaluation,
        evaluation_seconds=run.seconds,
        alerts=active,
    )
