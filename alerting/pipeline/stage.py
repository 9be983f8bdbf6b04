"""What keeps an alert of a group from being told now: inhibition, silences, times of the route, and what else there is.

Each stage has one purpose and answers with names, so that people can be told why; an empty answer lets an alert pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from alerting.alert import Alert, fingerprint

if TYPE_CHECKING:
    from alerting.inhibit import Inhibitor
    from alerting.route import Route
    from alerting.time_interval import TimeIntervals

AlertStatusState = Literal["unprocessed", "active", "suppressed"]


class Silencer(Protocol):
    """Knows the silences."""

    def mutes(self, labels: Mapping[str, str], now: float) -> tuple[str, ...]:
        """Return the ids of the silences that mute an alert with these labels at a Unix time."""

    def next_change(self, now: float) -> float | None:
        """Return the Unix time at which a silence begins or ends next."""


class Hold(Protocol):
    """A further reason not to tell an alert: that it flaps, or that what it depends on is down."""

    def mutes(self, alert: Alert, now: float) -> tuple[str, ...]:
        """Return why an alert is not told at a Unix time; empty where nothing holds it back."""


class NoSilences:
    """Knows no silence."""

    def mutes(self, _labels: Mapping[str, str], _now: float) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def next_change(self, _now: float) -> float | None:
        """Return that nothing will change."""
        return None


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """Where an alert is in the pipeline.

    Attributes:
        silenced_by: ids of silences.
        inhibited_by: fingerprints of alerts.
        muted_by: names of time intervals of its routes, and reasons of holds.
        receivers: names.
    """

    state: AlertStatusState
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


class Stages:
    """All that may keep an alert from being told."""

    def __init__(self, silencer: Silencer, holds: Sequence[Hold] = ()) -> None:
        self._silencer = silencer
        self._holds = holds
        self._inhibitor: Inhibitor | None = None
        self._intervals: TimeIntervals = {}

    def configure(self, inhibitor: Inhibitor | None, intervals: TimeIntervals) -> None:
        """Follow a new config; the inhibitor knows all alerts already."""
        self._inhibitor = inhibitor
        self._intervals = intervals

    def note(self, alerts: Iterable[Alert]) -> None:
        """Take note of alerts as they are now, because they may inhibit others."""
        if self._inhibitor is not None:
            self._inhibitor.update(alerts)

    def passing(self, route: Route, alerts: Iterable[Alert], now: float) -> list[Alert]:
        """Return those of a route's alerts that may be told now."""
        if self.muting(route, now):
            return []
        return [alert for alert in alerts if not self._is_kept(alert, now)]

    def muting(self, route: Route, now: float) -> tuple[str, ...]:
        """Return the names of time intervals for which a route is mute now."""
        if not route.mute_time_intervals and not route.active_time_intervals:
            return ()
        from alerting.time_interval import muting_intervals  # noqa: PLC0415 - most routes have no times

        moment = datetime.fromtimestamp(now, UTC)
        return muting_intervals(route.mute_time_intervals, route.active_time_intervals, self._intervals, moment)

    def status(self, alert: Alert, routes: Sequence[Route], now: float) -> AlertStatus:
        """Return how it stands with an alert that goes to these routes."""
        silenced_by = self._silencer.mutes(alert.labels, now)
        inhibited_by = self._inhibiting(alert)
        muting = [self.muting(route, now) for route in routes]
        # A route that is mute suppresses the alert only where no other route tells it.
        muted_by = _joined(muting) if muting and all(muting) else ()
        muted_by += _joined(hold.mutes(alert, now) for hold in self._holds)
        is_suppressed = silenced_by or inhibited_by or muted_by
        receivers = tuple(sorted({route.receiver for route in routes}))
        state: AlertStatusState = "suppressed" if is_suppressed else "active"
        return AlertStatus(state, silenced_by, inhibited_by, muted_by, receivers)

    def next_change(self, now: float) -> float | None:
        """Return the Unix time at which silences change next."""
        return self._silencer.next_change(now)

    def _is_kept(self, alert: Alert, now: float) -> bool:
        return bool(
            self._inhibiting(alert)
            or self._silencer.mutes(alert.labels, now)
            or any(hold.mutes(alert, now) for hold in self._holds)
        )

    def _inhibiting(self, alert: Alert) -> tuple[str, ...]:
        if self._inhibitor is None:
            return ()
        return self._inhibitor.inhibited_by(alert.labels, fingerprint(alert.labels))


def _joined(names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for several in names for name in several))
