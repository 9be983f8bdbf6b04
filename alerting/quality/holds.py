"""What holds alerts back that need not be told, as the config in force has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from alerting.alert import Alert, Transition
from alerting.config import AlertingConfig
from core.clock import Clock
from core.tasks import Tasks

if TYPE_CHECKING:
    from alerting.quality.dependency import Dependencies


class Holds:
    """Knows why an alert is not told; a alerting.pipeline.stage.Hold.

    Args:
        on_waited: called with the identities of alerts that have waited for a cause long enough.
    """

    def __init__(self, clock: Clock, tasks: Tasks, on_waited: Callable[[Sequence[str]], None]) -> None:
        self._clock = clock
        self._tasks = tasks
        self._on_waited = on_waited
        self._dependencies: Dependencies | None = None

    async def configure(self, config: AlertingConfig, alerts: Iterable[Alert]) -> None:
        """Follow a new config; `alerts` are those that are pending or firing."""
        await self.stop()
        self._dependencies = None
        if not config.dependencies:
            return
        from alerting.quality.dependency import Dependencies  # noqa: PLC0415 - only where something depends on another

        self._dependencies = Dependencies(
            config.dependencies, alerts, self._clock, self._tasks, on_waited=self._on_waited
        )

    async def stop(self) -> None:
        """End."""
        if self._dependencies is not None:
            await self._dependencies.stop()

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take note of alerts that were pending or firing before the start."""
        if self._dependencies is not None:
            self._dependencies.restore(alerts)

    def update(self, changes: Iterable[tuple[Transition, Alert]]) -> bool:
        """Take note of all transitions of a round, before any of its alerts is told.

        Returns: whether what was held back may have to be told now.
        """
        return self._dependencies is not None and self._dependencies.update(changes)

    def mutes(self, alert: Alert, now: float) -> tuple[str, ...]:
        """Return why an alert is not told at a Unix time; empty where nothing holds it back."""
        return () if self._dependencies is None else self._dependencies.mutes(alert, now)

    def needed_by(self, name: str) -> Collection[str]:
        """Return all that a service or target needs, also through others."""
        return () if self._dependencies is None else self._dependencies.needed_by(name)
