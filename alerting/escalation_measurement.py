"""What escalation measures about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

OUTCOMES = ("told", "nobody", "refused", "skipped")


class EscalationMeasurement:
    """The metrics of escalations and of who is on call.

    Args:
        late: how many steps are late now.
        count: how many escalations are in a state.
        people: how many people are on call by a schedule.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        late: Callable[[], int],
        count: Callable[[str], int],
        people: Callable[[str], int],
    ) -> None:
        self.steps = Counter(
            "watchkeeper_escalation_steps_total",
            "Steps of escalations: told; nobody could be told; refused by every receiver; skipped by its conditions.",
            ["outcome"],
            registry=registry,
        )
        for outcome in OUTCOMES:
            self.steps.labels(outcome)
        self.late_steps = Counter(
            "watchkeeper_escalation_steps_late_total",
            "Steps that were told more than a minute after they were due.",
            registry=registry,
        )
        late_now = Gauge(
            "watchkeeper_escalation_late_steps",
            "Steps that were due more than a minute ago and are not delivered yet.",
            registry=registry,
        )
        late_now.set_function(lambda: float(late()))
        escalations = Gauge(
            "watchkeeper_escalations", "Escalations of incidents that are not over.", ["state"], registry=registry
        )
        for state in ("running", "paused", "exhausted"):
            escalations.labels(state).set_function(partial(_number, count, state))
        self._on_call = Gauge(
            "watchkeeper_on_call_people", "People on call now, by schedule.", ["schedule"], registry=registry
        )
        self._people = people

    def show_schedules(self, names: Iterable[str]) -> None:
        """Show who is on call by these schedules, and by no other."""
        self._on_call.clear()
        for name in names:
            self._on_call.labels(name).set_function(partial(_number, self._people, name))


def _number(count: Callable[[str], int], name: str) -> float:
    return float(count(name))
