"""Alerting as the daemon sees it: rules in, alerts, incidents and notifications out."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry

from alerting.alert import Alert, AlertEvent, AlertState, Moment, Transition
from alerting.config import AlertingConfig
from alerting.deliveries import Deliveries
from alerting.escalation_door import EscalationDoor
from alerting.evaluator import Evaluator
from alerting.health import Health, Reason, assess
from alerting.incident import Incident, IncidentEvent, IncidentTransition
from alerting.incident_room import IncidentRoom
from alerting.incident_store import load_incident, load_incidents
from alerting.journal import Batch, Journal
from alerting.load import load_rules
from alerting.notify.global_config import NO_NOTIFICATION_DEFAULTS, NotificationDefaults
from alerting.notify.measurement import NotificationMeasurement
from alerting.pipeline.decision import Decision
from alerting.pipeline.dispatch import Settings
from alerting.pipeline.pipeline import Pipeline
from alerting.pipeline.posted import Update
from alerting.quality.holds import Holds
from alerting.recollection import recollect
from alerting.routing import routing_of
from alerting.rule import NO_DEFAULTS, GroupDefaults
from alerting.rule_measurement import RuleMeasurement
from alerting.rule_state import Change
from alerting.rule_status import GroupStatus, RuleStatus, alerts_of, group_status, status_of, watched
from alerting.silences import Silences
from alerting.template.surroundings import Surroundings
from core.backoff import backoff_seconds
from core.clock import Clock
from core.db.database import Database
from core.errors import StoreUnavailableError
from core.logbook import Logbook
from core.tasks import Tasks, cancel_and_wait
from core.yaml_file import Document
from metrics.frame import Frame
from metrics.promql.asking import InstantEngine
from metrics.storage import Storage

if TYPE_CHECKING:
    from alerting.escalation_desk import EscalationDesk

_log = logging.getLogger(__name__)

RESOLVED_SHOWN = 50
SETTLE_SECONDS = 75.0
"""The longest usual collection interval (a minute) and its timeout."""

Event = AlertEvent | IncidentEvent


class AppendableStorage(Storage, Protocol):
    """A store that takes what rules record."""

    def append(self, frame: Frame) -> object:
        """Take in a frame."""


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
        link_key_file: the key that signs links in notifications; it is made where it is missing. None for no such
            links.
        page_url: where the page is, for links while there is no `external_url`.
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
        link_key_file: Path | None = None,
        page_url: Callable[[], str] = lambda: "",
    ) -> None:
        self._database = database
        self._clock = clock
        self._tasks = tasks
        self._on_event = on_event
        notification_measurement, rule_measurement = NotificationMeasurement(registry), RuleMeasurement(registry)
        self.external_url = external_url
        self._receivers: list[str] = []
        self._config = AlertingConfig()
        self._logbook = logbook
        self._registry = registry
        self._external_labels: Mapping[str, str] = {}
        self.escalation = EscalationDoor(database, self._make_escalation)
        self._journal = Journal(
            database, logbook, clock, rule_measurement,
            on_committed=self._committed, extend=self.escalation.extend,
        )  # fmt: skip
        self._holds = Holds(clock, tasks, on_waited=self._waited)
        self.room = IncidentRoom(
            self._journal, database, logbook, clock, tasks, registry,
            url=lambda: external_url or page_url(), link_key_file=link_key_file, dependencies=self._holds.needed_by,
        )  # fmt: skip
        self.silences = Silences(database, logbook, clock, registry, on_changed=self._silences_changed)
        self.pipeline = Pipeline(
            clock, tasks, notification_measurement, self.silences, external_url=external_url,
            holds=[self._holds], on_decided=self._decided, on_updates=self._posted,
        )  # fmt: skip
        self.pipeline.enrich_by(self.room.enrich)
        self.deliveries = Deliveries(
            database, clock, tasks, notification_measurement, self.pipeline, external_url=external_url,
            add=self._journal.add, on_settled=self.escalation.settled,
        )  # fmt: skip
        self._evaluator = Evaluator(
            storage, engine, clock, rule_measurement,
            append=storage.append, on_changes=self._changed, settle_seconds=settle_seconds,
        )  # fmt: skip
        self._configured = asyncio.Event()
        self._restored = asyncio.Event()
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
        await self._holds.stop()
        await self.pipeline.stop()
        await self.escalation.stop()
        if self._writing is not None:
            await self._journal.flush(0.5)
        await self.deliveries.stop()
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
        notification: NotificationDefaults = NO_NOTIFICATION_DEFAULTS,
    ) -> None:
        """Follow a config: its rules, receivers and route.

        Args:
            base: the folder that relative paths start from; that of the document's file unless told.
            document: the config file, for the places of its mistakes.
            defaults: for groups of rules that do not say them themselves.
            external_labels: put on alerts where others are told of them, unless an alert has its own.
            notification: what receivers take that do not say it themselves.
        Raises: ConfigError: every mistake in rule files and secret files; nothing is changed then.
        """
        folder = base if base is not None else Path(document.file).parent if document is not None else Path()
        groups = await asyncio.to_thread(load_rules, config, folder, document, defaults, notification)
        receivers = await self.deliveries.connect(config, folder, notification)
        routing = routing_of(config)
        self._receivers, self._config = list(receivers), config
        await self._holds.configure(config, self.alerts())
        self.pipeline.configure(
            Settings(
                route=routing.route,
                receivers=receivers,
                inhibit_rules=routing.inhibit_rules,
                intervals=routing.time_intervals,
                external_labels=external_labels or {},
                notification_limit=config.notification_limit,
                resolve_timeout=notification.resolve_timeout,
            )
        )
        self._external_labels = external_labels or {}
        self.pipeline.conditions_changed()
        await self.escalation.configure(config)
        self._evaluator.surround(Surroundings(external_labels or {}, self.external_url))
        self.room.configure(config.incidents)
        await self._evaluator.set_groups(groups)
        self._configured.set()

    def receivers(self) -> list[str]:
        """Return the names of the receivers, in the order of the config."""
        return list(self._receivers)

    def routing_text(self) -> str:
        """Return the part of the config that Alertmanager has too, as YAML without secrets."""
        from alerting.routing_text import routing_text  # noqa: PLC0415 - for the few who ask

        return routing_text(self._config)

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
        return self._evaluator.progress if self._restored.is_set() else self._clock.monotonic()

    @property
    def is_restored(self) -> bool:
        """Whether what the last process wrote down has been read, so that `alerts` is complete."""
        return self._restored.is_set()

    async def until_restored(self) -> None:
        """Wait for `is_restored`: for as long as the state database cannot be read."""
        await self._restored.wait()

    @property
    def trouble(self) -> str:
        """Why changes cannot be made durable now; empty while all is well."""
        return self._journal.trouble

    def alerts(self) -> list[Alert]:
        """Return the alerts that are pending or firing, own and posted ones, worst first."""
        found = [alert for _, state, _ in self._evaluator.rules() for alert in alerts_of(state)]
        found += self.pipeline.posted_alerts()
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
        found = {incident.id: incident for incident in (*newest, *self.room.open)}
        return sorted(found.values(), key=lambda incident: -incident.id)

    async def incident(self, number: int) -> Incident | None:
        """Return one incident; None where there is none of that id."""
        return self.room.get(number) or await self._database.read(lambda connection: load_incident(connection, number))

    def open_incidents(self) -> list[Incident]:
        """Return the open incidents, oldest first."""
        return self.room.open

    def rules(self) -> list[RuleStatus]:
        """Return all rules in the order of their groups."""
        return [status_of(group.name, state) for group, state, _ in self._evaluator.rules()]

    def groups(self) -> list[GroupStatus]:
        """Return all groups in order, those without rules too."""
        return [group_status(group, states) for group, states in self._evaluator.groups()]

    def health(self, inputs: Iterable[Reason] = ()) -> Health:
        """Return the health that firing alerts and the given findings amount to."""
        return assess(
            self.alerts(), inputs, watched(state.rule for _, state, was_seen in self._evaluator.rules() if was_seen)
        )

    async def _run(self) -> None:
        await self._configured.wait()
        if not self.is_restored:
            await self._restore()
            self._restored.set()
        await self._evaluator.run()

    async def _restore(self) -> None:
        """Go on from what the last process wrote down; wait for the database when it cannot be read."""
        failures = 0
        while True:
            try:
                await self.silences.start()
                await self.escalation.restore()
                found = await recollect(self._database, self._clock.now(), RESOLVED_SHOWN)
                events = await self.room.restore(self._clock.now(), found.firing())
                break
            except StoreUnavailableError as error:
                failures += 1
                _log.error("alerts wait for the state database: %s", error)
                await self._clock.sleep(backoff_seconds(failures, cap_seconds=5.0, random=lambda: 0.5))
        now = self._evaluator.now()
        self._resolved.extend(found.resolved)
        if events:
            self._journal.add(Batch(incidents=events, time=now.wall))
        self.deliveries.deliver(found.messages)
        self._holds.restore(change.alert for change in found.changes)
        firing = found.firing()
        self.pipeline.restore(
            found.memory,
            [alert for alert in firing if not alert.is_posted],
            [alert for alert in firing if alert.is_posted],
        )
        orphans = self._evaluator.restore([change for change in found.changes if not change.alert.is_posted])
        ended = {change.alert.id for change in orphans}
        for alert in firing:
            if alert.id not in ended:
                self._tell(AlertEvent(Transition.RESTORED, alert))
        if orphans:
            self._changed(orphans, now)
        await self.pipeline.start()
        self.escalation.start()

    def _changed(self, changes: Sequence[Change], now: Moment, done: asyncio.Future[None] | None = None) -> None:
        """Work out what changes of alerts mean, and queue all of it as one write."""
        transitions = [(change.transition, change.alert) for change in changes if change.transition is not None]
        is_freed = self._holds.update(transitions)
        incidents = self.room.update(transitions, now.wall)
        decision = self.pipeline.take(transitions, now)
        for transition, alert in transitions:
            if transition is Transition.RESOLVED:
                self._resolved.appendleft(alert)
        self._journal.add(Batch(list(changes), incidents, decision, time=now.wall, done=done))
        if is_freed:
            self.pipeline.conditions_changed()

    def _posted(self, updates: Sequence[Update], now: Moment) -> asyncio.Future[None]:
        """Treat what happened to posted alerts like the changes of a round."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Not everybody waits for it, and then a failure, which is in the log, is nobody's.
        done.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._changed([Change(update.transition, update.alert, ()) for update in updates], now, done)
        return done

    def _decided(self, decision: Decision, now: Moment) -> None:
        self._journal.add(Batch(decision=decision, time=now.wall))

    def _waited(self, identities: Sequence[str]) -> None:
        self.pipeline.hurry(identities)

    def _silences_changed(self) -> None:
        self.pipeline.conditions_changed()

    def _make_escalation(self) -> EscalationDesk:
        # Imported here because it is only for those where somebody escalates.
        from alerting.escalation_desk import EscalationDesk  # noqa: PLC0415
        from alerting.escalation_messages import IncidentMessages  # noqa: PLC0415

        return EscalationDesk(
            self._database, self._logbook, self._clock, self._tasks, self._registry,
            add=self._journal.add,
            messages=IncidentMessages(
                self.pipeline.messages, self._alerts_of, self.room.links, self.room.suspects, self.external_url
            ),
        )  # fmt: skip

    def _alerts_of(self, incident: Incident) -> list[Alert]:
        """Return the alerts of an incident that are known now, as receivers are told of them."""
        wanted = set(incident.alerts)
        ended = [replace(one, labels={**self._external_labels, **one.labels}) for one in self._resolved]
        return [alert for alert in (*ended, *self.pipeline.alerts()) if alert.id in wanted]

    def _committed(self, batch: Batch) -> None:
        self.deliveries.deliver([*batch.decision.messages, *batch.messages])
        for change in batch.changes:
            if change.transition is not None:
                self._tell(AlertEvent(change.transition, change.alert))
        for event in batch.incidents:
            self.room.committed(event)
            if event.transition is not IncidentTransition.LEFT:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - whoever listens must not keep others from being told
            _log.exception("an event could not be handed on: %r", event)
