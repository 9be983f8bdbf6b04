"""A notification that only tries a receiver out: what it is about, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alerting.alert import Alert, AlertState, Severity, alert_id
from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.message import Message, message_key
from alerting.notify.notice import Integration, Links, Notice

if TYPE_CHECKING:
    import aiohttp

NAME = "WatchkeeperTest"
_LABELS = {"alertname": NAME, "service": "watchkeeper", "severity": "low"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying one address."""

    integration: str
    attempt: Attempt

    @property
    def is_good(self) -> bool:
        """Whether the message was delivered."""
        return self.attempt.outcome is Outcome.DELIVERED


def trial_notice(receiver: str, now: float, external_url: str, *, is_resolved: bool = False) -> Notice:
    """Return the notice of an alert that exists only to try a receiver out."""
    alert = Alert(
        id=alert_id("", _LABELS, now),
        name=NAME,
        labels=_LABELS,
        annotations={
            "summary": f"A test of receiver {receiver}",
            "description": "Somebody tries out this receiver. Nothing is wrong, nothing is to be done.",
        },
        state=AlertState.RESOLVED if is_resolved else AlertState.FIRING,
        severity=Severity.LOW,
        active_since=now - 60,
        fired_at=now - 60,
        resolved_at=now if is_resolved else None,
        value=1.0,
        rule="",
        expr="",
    )
    return Notice(
        receiver=receiver,
        group_key=f'{{}}:{{alertname="{NAME}"}}',
        group_labels={"alertname": NAME},
        alerts=[alert],
        status="resolved" if is_resolved else "firing",
        external_url=external_url,
        now=now,
        why="test",
        links=Links(console=external_url),
    )


async def try_out(integrations: Sequence[Integration], notice: Notice, session: aiohttp.ClientSession) -> list[Trial]:
    """Send a notice to each of a receiver's addresses, one after the other, once."""
    return [
        Trial(integration.name, await integration.send(session, _message(integration, notice)))
        for integration in integrations
    ]


def _message(integration: Integration, notice: Notice) -> Message:
    body = integration.render(notice)
    key = message_key(notice.receiver, integration.name, body, notice.now)
    return Message(key, notice.receiver, integration.name, notice.group_key, notice.status, body, notice.now)
