"""Groups of alerts that share a message, and when each is looked at. Pure but for memory.

A group is as Alertmanager's dispatcher has it: it waits `group_wait` after its first alert, then it is looked at every
`group_interval`; an alert that is older than `group_wait` when it comes is not made to wait for it. An alert that has
ended stays until a look has told it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alerting.alert import Alert, AlertState, Moment

if TYPE_CHECKING:
    from alerting.route import Route

EMPTY_KEPT_SECONDS = 30.0
"""A group without alerts goes on for one more interval, at most this long: an alert that comes back at once waits for
its next look. Alertmanager's goes on until the next cleaning, which comes every 30 s."""

IMMEDIATE_LOOK_SECONDS = 60.0
"""A group with `group_interval` 0 is looked at on each change; and this often, for repeats and ends of silences."""

ROUNDING_SECONDS = 0.001
"""A time that was stored in Unix seconds comes back on the other clock with a small error: what is due now is past."""

GroupId = tuple[str, str]
"""A route's id and the group's key: unique."""


@dataclass(slots=True, eq=False)
class Group:
    """Alerts that share a message.

    Attributes:
        labels: those in which they agree by the route's `group_by`.
        key: Alertmanager's name of it: `{}/{team="shop"}:{alertname="TargetDown"}`.
        next: when it is looked at next.
        has_looked: whether it ever was.
        members: by the alerts' identity; firing ones, and ended ones that were not told yet.
        empty_since: monotonic seconds; None while there are members.
    """

    route: Route
    labels: Mapping[str, str]
    key: str
    next: Moment
    has_looked: bool = False
    members: dict[str, Alert] = field(default_factory=dict)
    empty_since: float | None = None

    @property
    def id(self) -> GroupId:
        """What names it."""
        return self.route.id, self.key

    def insert(self, alert: Alert, now: Moment) -> bool:
        """Take in an alert as it is now; return whether this brings the next look forward."""
        self.members[alert.identity] = alert
        self.empty_since = None
        if self.route.group_interval <= 0 and self.has_looked:
            return self._hurry(now)
        if not self.has_looked and alert.started_at + self.route.group_wait < now.wall:
            return self._hurry(now)
        return False

    def looked(self, now: Moment) -> None:
        """Set the time of the next look; called at each."""
        self.has_looked = True
        # From now, as Alertmanager does, not from when it was due: data come in a rhythm of their own, and a look that
        # slips a little behind finds what they brought, where one a little ahead would leave it for the next.
        self.next = later(now, self.route.group_interval or IMMEDIATE_LOOK_SECONDS)

    def skip_to(self, now: Moment) -> None:
        """Leave out looks that are past, keeping the rhythm."""
        pause = self.route.group_interval or IMMEDIATE_LOOK_SECONDS
        late = now.monotonic - self.next.monotonic
        if late >= -ROUNDING_SECONDS:
            self.next = later(now, pause - max(0.0, late) % pause)

    def forget(self, identities: Iterable[str], now: Moment) -> None:
        """Drop members: ended ones that were told."""
        for identity in identities:
            self.members.pop(identity, None)
        if not self.members and self.empty_since is None:
            self.empty_since = now.monotonic

    def is_over(self, now: Moment) -> bool:
        """Tell whether it has been empty for long enough to be forgotten."""
        return self.empty_since is not None and now.monotonic - self.empty_since >= self._empty_kept

    def wake_at(self) -> float:
        """Return the monotonic time at which it wants attention: a look, or its end."""
        if self.empty_since is None:
            return self.next.monotonic
        return min(self.next.monotonic, self.empty_since + self._empty_kept)

    @property
    def _empty_kept(self) -> float:
        return min(EMPTY_KEPT_SECONDS, max(0.0, self.route.group_interval))

    def _hurry(self, now: Moment) -> bool:
        is_sooner = self.next.monotonic > now.monotonic
        if is_sooner:
            self.next = now
        return is_sooner


def open_group(route: Route, labels: Mapping[str, str], key: str, now: Moment) -> Group:
    """Return a new group without members."""
    return Group(route, labels, key, later(now, route.group_wait))


def later(now: Moment, seconds: float) -> Moment:
    """Return the moment some seconds after another."""
    return Moment(now.wall + seconds, now.monotonic + seconds)


def is_firing(alert: Alert) -> bool:
    """Tell whether an alert counts as firing in a message; one that does not has ended."""
    return alert.state is AlertState.FIRING
