"""Who is told instead while a receiver cannot be told. Pure but for memory.

The memory is of this process: after a restart a receiver has to fail anew for its time, and then its fallback is told
once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from alerting.alert import Alert, AlertState
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.receiver_config import ReceiverSection

Lane = tuple[str, str, str]
Group = Callable[[Message], Notice | None]
"""Returns the notice that a message was made of, as it would be now; None where its group is no more."""


@dataclass(slots=True)
class _Failing:
    since: float
    told_keys: set[str] = field(default_factory=set)
    told: Notice | None = None


class Fallbacks:
    """Knows which addresses fail for which groups, and since when."""

    def __init__(self) -> None:
        self._after: dict[str, tuple[str, float]] = {}
        self._failing: dict[Lane, _Failing] = {}

    def configure(self, receivers: Iterable[ReceiverSection]) -> None:
        """Follow a new config."""
        self._after = {
            receiver.name: (receiver.fallback_receiver, receiver.fallback_after)
            for receiver in receivers
            if receiver.fallback_receiver is not None
        }

    def failed(self, message: Message, group: Group, now: float, *, is_final: bool) -> Notice | None:
        """Return what the fallback is told after a failure; None where it need not know, or knows already.

        Args:
            is_final: the message was refused, and is not tried again.
        """
        fallback = self._after.get(message.receiver)
        if fallback is None:
            return None
        failing = self._failing.setdefault(message.lane, _Failing(since=now))
        if message.key in failing.told_keys or not (is_final or now - failing.since >= fallback[1]):
            return None
        notice = group(message)
        if notice is None:
            return None
        failing.told_keys = {message.key}
        failing.told = replace(notice, receiver=fallback[0], why="fallback")
        return failing.told

    def delivered(self, message: Message, now: float) -> Notice | None:
        """Return what the fallback is told after a success: the end of what it was told, which it would not hear of."""
        failing = self._failing.get(message.lane)
        if failing is None:
            return None
        if message.status != "resolved" and failing.told is not None:
            failing.since = now
            return None
        del self._failing[message.lane]
        if failing.told is None or failing.told.status == "resolved":
            return None
        alerts = [_ended(alert, now) for alert in failing.told.alerts]
        return replace(failing.told, alerts=alerts, status="resolved", now=now)


def _ended(alert: Alert, now: float) -> Alert:
    if alert.state is AlertState.RESOLVED:
        return alert
    return replace(alert, state=AlertState.RESOLVED, resolved_at=now)
