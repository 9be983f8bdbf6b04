"""The daemon's own metrics that belong to no other part."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Info

from core.clock import Clock
from core.db.database import Trouble
from core.version import __version__


class Telemetry:
    """Counts and gauges about the daemon as a whole, made once per registry."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        Info("watchkeeper_build", "The version that runs.", registry=registry).info({"version": __version__})
        self._task_crashes = Counter(
            "watchkeeper_task_crashes_total", "Background tasks that crashed.", ["task"], registry=registry
        )
        self._database_writable = Gauge(
            "watchkeeper_state_database_writable", "1 while the state database can be written.", registry=registry
        )
        self._config_good = Gauge(
            "watchkeeper_config_last_reload_successful", "1 when the newest config file is in use.", registry=registry
        )
        self._config_time = Gauge(
            "watchkeeper_config_last_reload_success_timestamp_seconds",
            "When the config that runs was loaded.",
            registry=registry,
        )
        self._stalled = Gauge(
            "watchkeeper_stalled", "1 while collection or evaluation makes no progress.", registry=registry
        )
        self._loop_lag = Gauge(
            "watchkeeper_event_loop_lag_seconds", "How late the event loop ran its last timer.", registry=registry
        )
        self._database_writable.set(1)

    def task_crashed(self, name: str) -> None:
        """Count a crash; tasks of one kind (`collect shop`, `collect web`) are one series."""
        self._task_crashes.labels(task=name.partition(" ")[0].partition("/")[0]).inc()

    def database_trouble(self, trouble: Trouble | None) -> None:
        """Note that the state database went bad, or is well again."""
        self._database_writable.set(0 if trouble else 1)

    def config_loaded(self, *, good: bool) -> None:
        """Note the outcome of loading a config file."""
        self._config_good.set(1 if good else 0)
        if good:
            self._config_time.set(self._clock.now())

    def stalled(self, *, stalled: bool) -> None:
        """Note whether the daemon's work stands still."""
        self._stalled.set(1 if stalled else 0)

    def loop_lag(self, seconds: float) -> None:
        """Note how late a timer ran."""
        self._loop_lag.set(max(0.0, seconds))
