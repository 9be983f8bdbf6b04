"""Whether a receiver must be told of a group again: by what it was told last. Pure.

As Alertmanager's notification log and its deduplication: news are alerts that fire and were not told, ends of told
ones, and the same again after `repeat_interval`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

News = Literal["first", "changed", "repeat"]

REFUSED_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What one address of a receiver was told of one group last; durable together with the message.

    Attributes:
        firing, resolved: identities of alerts.
        at: Unix seconds.
        message: the key of the message.
        refusals: how often in a row the receiver would not take what it was told.
    """

    firing: frozenset[str]
    resolved: frozenset[str]
    at: float
    message: str = ""
    refusals: int = 0

    def without(self, gone: Collection[str]) -> Sent:
        """Return the record without alerts that left the group untold, so that their coming back is news."""
        return self if self.firing.isdisjoint(gone) else replace(self, firing=self.firing.difference(gone))

    def refused(self, now: float) -> Sent:
        """Return the record after the receiver refused the message for good."""
        return replace(self, at=now, refusals=self.refusals + 1)


def news(
    sent: Sent | None,
    firing: Collection[str],
    resolved: Collection[str],
    *,
    send_resolved: bool,
    repeat_interval: float,
    now: float,
) -> News | None:
    """Return why an address must be told of a group now; None where it need not.

    Args:
        firing, resolved: identities of the group's alerts that are left after inhibition, silences and times.
        repeat_interval: seconds.
    """
    if sent is None:
        return "first" if firing else None
    if not sent.firing.issuperset(firing):
        return "changed"
    if not firing:
        # Also where ends are not told: it clears the record, so that the next alert is the first again.
        return "changed" if sent.firing else None
    if sent.refusals:
        return "first" if now - sent.at >= _pause(sent.refusals, repeat_interval) else None
    if send_resolved and not sent.resolved.issuperset(resolved):
        return "changed"
    return "repeat" if sent.at < now - repeat_interval else None


def _pause(refusals: int, repeat_interval: float) -> float:
    return min(repeat_interval, REFUSED_PAUSE_SECONDS * 2.0 ** min(refusals - 1, 20))
