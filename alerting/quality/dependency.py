"""Which alerts need not be told because what they depend on is down, too.

Decided on what fires now, not on what came first: an alert that is ahead of its cause waits for it for a moment.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from alerting.alert import Alert, AlertState, Severity, Transition
from alerting.quality.dependency_config import DependencySection, all_needs
from core.clock import Clock
from core.tasks import Tasks, cancel_and_wait

_ENDS = (Transition.RESOLVED, Transition.INACTIVE)


def name_of(labels: Mapping[str, str]) -> str:
    """Return the service, instance or job that an alert is about; empty where it says none of them."""
    return labels.get("service") or labels.get("instance") or labels.get("job") or ""


def explains(cause: Alert, alert: Alert) -> bool:
    """Tell whether trouble in what an alert depends on is bad enough, and near enough, to explain it.

    Never something milder than the alert, nor a mere warning: a filling disk is not why the shop is down.
    """
    if cause.severity.rank > min(alert.severity.rank, Severity.HIGH.rank):
        return False
    here, there = alert.labels.get("environment", ""), cause.labels.get("environment", "")
    return not here or not there or here == there


class Dependencies:
    """Knows what is in trouble, and holds back the alerts of what depends on it.

    Args:
        alerts: those that are pending or firing.
        on_waited: called with the identities of alerts that have waited for a cause long enough.
    """

    def __init__(
        self,
        sections: Sequence[DependencySection],
        alerts: Iterable[Alert],
        clock: Clock,
        tasks: Tasks,
        on_waited: Callable[[Sequence[str]], None],
    ) -> None:
        self._needs = all_needs(sections)
        self._waits = {section.name: section.wait for section in sections}
        self._clock = clock
        self._tasks = tasks
        self._on_waited = on_waited
        self._causes = {name for needed in self._needs.values() for name in needed}
        self._troubles: defaultdict[str, dict[str, Alert]] = defaultdict(dict)
        self._waiting: list[tuple[float, str]] = []
        self._running: asyncio.Task[None] | None = None
        self.restore(alerts)

    async def stop(self) -> None:
        """End."""
        await cancel_and_wait(self._running)
        self._running = None

    def needed_by(self, name: str) -> frozenset[str]:
        """Return all that a service or target needs, also through others."""
        return self._needs.get(name, frozenset())

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take note of alerts that are pending or firing already."""
        self.update((Transition.RESTORED, alert) for alert in alerts)

    def update(self, changes: Iterable[tuple[Transition, Alert]]) -> bool:
        """Take note of all transitions of a round, before any of its alerts is told.

        Returns: whether a trouble ended, so that what it held back may have to be told.
        """
        has_ended = False
        for transition, alert in changes:
            name = name_of(alert.labels)
            if name in self._causes:
                self._note(name, transition, alert)
                has_ended = has_ended or transition in _ENDS
            if name in self._needs and alert.state is AlertState.FIRING and transition not in _ENDS:
                self._await_cause(alert, self._waits[name])
        return has_ended

    def mutes(self, alert: Alert, now: float) -> tuple[str, ...]:
        """Return what an alert waits for, or which names that it depends on are down; empty where it may be told."""
        # The end of what was told is told as well, whatever else is down.
        needed = self._needs.get(name_of(alert.labels)) if alert.state is AlertState.FIRING else None
        if not needed:
            return ()
        down = sorted(name for name in needed if self._is_down(name, alert))
        if down:
            return tuple(f"depends on {name}" for name in down)
        is_waiting = 0 <= now - alert.started_at < self._waits[name_of(alert.labels)]
        return ("waits for what it depends on",) if is_waiting else ()

    def _is_down(self, name: str, alert: Alert) -> bool:
        return any(explains(cause, alert) for cause in self._troubles.get(name, {}).values())

    def _note(self, name: str, transition: Transition, alert: Alert) -> None:
        if transition in _ENDS:
            self._troubles[name].pop(alert.identity, None)
        else:
            # One that is pending counts: its own `for` must not let the alerts of others get ahead of it.
            self._troubles[name][alert.identity] = alert

    def _await_cause(self, alert: Alert, wait: float) -> None:
        pause = alert.started_at + wait - self._clock.now()
        if not 0 < pause <= wait:
            return
        waiter = (self._clock.monotonic() + pause, alert.identity)
        heapq.heappush(self._waiting, waiter)
        if self._waiting[0] is waiter:
            if self._running is not None:
                self._running.cancel()  # it sleeps for another one that waits longer
            self._running = self._tasks.spawn(self._run, name="dependency-wait")

    async def _run(self) -> None:
        """Say who has waited long enough, until nobody waits."""
        while self._waiting:
            await self._clock.sleep(max(0.0, self._waiting[0][0] - self._clock.monotonic()))
            waited = []
            while self._waiting and self._waiting[0][0] <= self._clock.monotonic():
                waited.append(heapq.heappop(self._waiting)[1])
            if waited:
                self._on_waited(waited)
