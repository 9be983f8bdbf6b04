"""Where alerting and actions meet: events of one become triggers of the other. Neither knows the other."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from actions.operations import Actions
from actions.policy import Trigger
from alerting.alert import Alert, AlertEvent, AlertState, Severity, Transition
from alerting.alerting import Alerting
from alerting.health import Aspect, Reason, Status
from alerting.incident import Incident, IncidentEvent, IncidentTransition
from core.clock import Clock
from core.db.database import Trouble
from core.errors import StoreUnavailableError
from core.tasks import OnCrash, Tasks

_log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
NOTHING_UNSENT: Mapping[str, str] = {}

AlertingEvent = AlertEvent | IncidentEvent


class Wiring:
    """Offers what happens in alerting to the policies of actions, in order and until it is written down.

    Args:
        changed: told after each event, for the pages that are open.
    """

    def __init__(
        self,
        *,
        alerting: Callable[[], Alerting],
        actions: Callable[[], Actions],
        clock: Clock,
        tasks: Tasks,
        changed: Callable[[], None],
    ) -> None:
        self._alerting = alerting
        self._actions = actions
        self._clock = clock
        self._tasks = tasks
        self._changed = changed
        self._waiting: deque[Trigger] = deque()
        self._offering = False

    def on_alerting_event(self, event: AlertingEvent) -> None:
        """Take an event that is already durable; called in the event loop."""
        if isinstance(event, AlertEvent) or event.transition in _OFFERED:
            self._offer(trigger_of(event))
        self._changed()

    def on_actions_event(self, _event: object) -> None:
        """Take note that an operation or a decision changed what pages show, and perhaps what incidents suspect."""
        self._alerting().room.changes.look()
        self._changed()

    def is_service_alerting(self, service: str, environment: str) -> bool | None:
        """Tell whether a high or critical alert of the service fires; None while that cannot be known."""
        alerting = self._alerting()
        if not alerting.is_restored:
            return None
        return any(concerns(alert, service, environment) for alert in alerting.alerts())

    def _offer(self, trigger: Trigger) -> None:
        self._waiting.append(trigger)
        if not self._offering:
            self._offering = True
            self._tasks.spawn(self._offer_waiting, name="policies", on_crash=OnCrash.RESTART)

    async def _offer_waiting(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._actions().on_alert(self._waiting[0])
                except StoreUnavailableError as error:
                    _log.warning("policies wait: %s", error)
                    await self._clock.sleep(RETRY_SECONDS)
                else:
                    self._waiting.popleft()
        except Exception:
            self._waiting.popleft()  # an offer that crashes must not be offered for ever
            raise
        finally:
            self._offering = False


_OFFERED = (IncidentTransition.OPENED, IncidentTransition.RESOLVED, IncidentTransition.RESTORED)
"""What policies can wait for of incidents; what people do with them is nothing to act on."""


def trigger_of(event: AlertingEvent) -> Trigger:
    """Return an event as policies see it.

    What a restarted daemon restored is offered as if it happened now: a crash may have come between the event and
    the decision, and policies decide about each id and transition once.
    """
    if isinstance(event, AlertEvent):
        restored = event.transition is Transition.RESTORED
        return alert_trigger(event.alert, Transition.FIRING if restored else event.transition)
    restored = event.transition is IncidentTransition.RESTORED
    return incident_trigger(event.incident, IncidentTransition.OPENED if restored else event.transition)


def alert_trigger(alert: Alert, transition: Transition) -> Trigger:
    """Return a change of an alert as policies see it."""
    return Trigger(
        kind="alert",
        id=alert.id,
        transition=transition.value,
        name=alert.name,
        labels={**alert.labels, "severity": alert.severity.value},
        severity=alert.severity.value,
        service=alert.labels.get("service", ""),
        environment=alert.labels.get("environment", ""),
    )


def incident_trigger(incident: Incident, transition: IncidentTransition) -> Trigger:
    """Return a change of an incident as policies see it."""
    labels = {"service": incident.service, "environment": incident.environment, "severity": incident.severity.value}
    return Trigger(
        kind="incident",
        id=str(incident.id),
        transition=transition.value,
        name=incident.title,
        labels={name: value for name, value in labels.items() if value},
        severity=incident.severity.value,
        service=incident.service,
        environment=incident.environment,
    )


def concerns(alert: Alert, service: str, environment: str) -> bool:
    """Tell whether a firing alert speaks against a service: it is high or critical and names it."""
    return (
        alert.state is AlertState.FIRING
        and alert.severity in (Severity.CRITICAL, Severity.HIGH)
        and alert.labels.get("service") == service
        and alert.labels.get("environment", environment) == environment
    )


def own_reasons(
    trouble: Trouble | None,
    config_error: str | None,
    stalled: str | None,
    store_trouble: str | None = None,
    unsent: Mapping[str, str] = NOTHING_UNSENT,
) -> Iterable[Reason]:
    """Return what is wrong with the daemon itself, for the health of the whole.

    Args:
        unsent: why samples are not sent on, by receiver.
    """
    if trouble is not None:
        message = f"the state database cannot be written: {trouble.reason}; nothing is acted until it can"
        yield Reason(Aspect.DATABASE, Status.DEGRADED, message)
    if store_trouble is not None:
        yield Reason(Aspect.RESOURCES, Status.DEGRADED, f"samples are not safe on disk: {store_trouble}")
    for receiver, reason in unsent.items():
        yield Reason(Aspect.DEPENDENCIES, Status.DEGRADED, f"samples wait for remote_write {receiver}: {reason}")
    if config_error is not None:
        yield Reason(Aspect.AVAILABILITY, Status.DEGRADED, f"the newest config was refused: {config_error}")
    if stalled is not None:
        yield Reason(Aspect.AVAILABILITY, Status.UNHEALTHY, stalled)
