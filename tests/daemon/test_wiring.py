import pytest

from actions.policy import Trigger
from alerting.alert import Alert, AlertEvent, AlertState, Severity, Transition
from alerting.incident import Incident, IncidentEvent, IncidentStatus, IncidentTransition
from core.db.database import Trouble
from core.errors import StoreUnavailableError
from core.tasks import Tasks
from daemon.wiring import RETRY_SECONDS, Wiring, concerns, own_reasons, trigger_of
from tests.fakes.clock import FakeClock, settle


def _alert(severity: Severity = Severity.CRITICAL, state: AlertState = AlertState.FIRING, **labels: str) -> Alert:
    return Alert(
        id="a-1", name="Failing", labels={"alertname": "Failing", **labels}, annotations={}, state=state,
        severity=severity, active_since=1.0, fired_at=2.0, resolved_at=None, value=1.0, rule="g/Failing", expr="x > 0",
    )  # fmt: skip


def _incident() -> Incident:
    return Incident(
        id=7, subject="service/shop/production", title="Failing: shop", service="shop", environment="production",
        severity=Severity.CRITICAL, status=IncidentStatus.OPEN, opened_at=2.0, resolved_at=None, alerts=("a-1",),
    )  # fmt: skip


def test_alert_and_incident_become_triggers() -> None:
    trigger = trigger_of(AlertEvent(Transition.FIRING, _alert(service="shop", environment="production")))
    assert (trigger.kind, trigger.id, trigger.transition, trigger.name) == ("alert", "a-1", "firing", "Failing")
    assert (trigger.service, trigger.environment, trigger.labels["severity"]) == ("shop", "production", "critical")
    trigger = trigger_of(IncidentEvent(IncidentTransition.OPENED, _incident()))
    assert (trigger.kind, trigger.id, trigger.transition, trigger.service) == ("incident", "7", "opened", "shop")


def test_what_a_restart_restored_is_offered_as_if_it_happened_now() -> None:
    assert trigger_of(AlertEvent(Transition.RESTORED, _alert())).transition == "firing"
    assert trigger_of(IncidentEvent(IncidentTransition.RESTORED, _incident())).transition == "opened"


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        (_alert(service="shop", environment="production"), True),
        (_alert(service="shop"), True),
        (_alert(service="shop", environment="staging"), False),
        (_alert(service="cart", environment="production"), False),
        (_alert(Severity.MEDIUM, service="shop"), False),
        (_alert(state=AlertState.PENDING, service="shop"), False),
    ],
)
def test_serious_firing_alert_of_a_service_speaks_against_it(alert: Alert, expected: bool) -> None:
    assert concerns(alert, "shop", "production") is expected


def test_own_troubles_are_reasons() -> None:
    assert list(own_reasons(None, None, None)) == []
    reasons = list(own_reasons(Trouble("disk full", 1.0), "f.yml:1:1: wrong", "collection stands"))
    assert [reason.status.value for reason in reasons] == ["degraded", "degraded", "unhealthy"]
    assert "disk full" in reasons[0].message
    (unsent,) = own_reasons(None, None, None, None, {"mimir": "no answer within 30 s"})
    assert (unsent.aspect.value, unsent.status.value) == ("dependencies", "degraded")
    assert unsent.message == "samples wait for remote_write mimir: no answer within 30 s"


class _Actions:
    def __init__(self, failures: int = 0, *, crash: bool = False) -> None:
        self.offered: list[str] = []
        self._failures = failures
        self._crash = crash

    async def on_alert(self, trigger: Trigger) -> None:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailableError("disk full")
        if self._crash:
            self._crash = False
            raise ValueError("a bug")
        self.offered.append(trigger.transition)


def _wiring(actions: _Actions, clock: FakeClock) -> tuple[Wiring, Tasks, list[int]]:
    tasks, changes = Tasks(clock), [0]

    def changed() -> None:
        changes[0] += 1

    wiring = Wiring(
        alerting=lambda: None,  # type: ignore[arg-type, return-value]
        actions=lambda: actions,  # type: ignore[arg-type, return-value]
        clock=clock,
        tasks=tasks,
        changed=changed,
    )
    return wiring, tasks, changes


async def test_events_are_offered_in_order_and_wait_for_the_disk() -> None:
    clock = FakeClock()
    actions = _Actions(failures=2)
    wiring, tasks, changes = _wiring(actions, clock)
    for transition in (Transition.PENDING, Transition.FIRING, Transition.RESOLVED):
        wiring.on_alerting_event(AlertEvent(transition, _alert()))
    await settle()
    assert (actions.offered, changes) == ([], [3])
    await clock.advance(2 * RETRY_SECONDS)
    assert actions.offered == ["pending", "firing", "resolved"]
    wiring.on_alerting_event(AlertEvent(Transition.FIRING, _alert()))
    await settle()
    assert actions.offered[-1] == "firing"
    await tasks.stop()


async def test_offer_that_crashes_does_not_keep_the_next_ones() -> None:
    clock = FakeClock()
    actions = _Actions(crash=True)
    wiring, tasks, _ = _wiring(actions, clock)
    wiring.on_alerting_event(AlertEvent(Transition.PENDING, _alert()))
    wiring.on_alerting_event(AlertEvent(Transition.FIRING, _alert()))
    await settle()
    await clock.advance(5)
    assert actions.offered == ["firing"]
    await tasks.stop()
