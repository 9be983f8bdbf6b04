"""Which messages a round of alert transitions asks for: one per receiver, integration and group. Pure but for memory.

The notifier remembers which alerts fire, group by group, because a message shows its whole group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from alerting.alert import Alert, AlertState, Transition
from alerting.config import AlertingConfig
from alerting.notify.payload import GroupOfAlerts, group_key, group_labels, render
from alerting.notify.receiver_config import ReceiverSection

DEFAULT_GROUP_BY = ("alertname", "service", "environment")


@dataclass(frozen=True, slots=True)
class Message:
    """One notification to one address, as it is sent and sent again.

    Attributes:
        key: the same for every attempt to deliver it, whatever happens in between; sent as Idempotency-Key.
        integration: which of the receiver's addresses: `webhook/0`.
        status: firing or resolved, of the group.
        number: order in the queue; 0 before it is stored.
    """

    key: str
    receiver: str
    integration: str
    group_key: str
    status: str
    body: str
    created_at: float
    number: int = 0

    @property
    def lane(self) -> tuple[str, str, str]:
        """Messages of one lane are delivered in order."""
        return self.receiver, self.integration, self.group_key


def message_key(receiver: str, integration: str, body: str, created_at: float) -> str:
    """Return the idempotency key of a message."""
    content = "\0".join((receiver, integration, repr(created_at), body))
    return hashlib.sha256(content.encode()).hexdigest()[:32]


class Notifier:
    """Turns transitions into messages."""

    def __init__(self, *, external_url: str = "") -> None:
        self._external_url = external_url
        self._receiver: ReceiverSection | None = None
        self._group_by: Sequence[str] = DEFAULT_GROUP_BY
        self._firing: dict[str, dict[str, Alert]] = {}
        self._external_labels: Mapping[str, str] = {}

    def configure(self, config: AlertingConfig, external_labels: Mapping[str, str] | None = None) -> None:
        """Follow a new route; `external_labels` are told with every alert that does not have its own of that name."""
        self._external_labels = dict(external_labels or {})
        receivers = {receiver.name: receiver for receiver in config.receivers}
        if config.route is not None:
            self._receiver = receivers[config.route.receiver]
        else:
            self._receiver = config.receivers[0] if config.receivers else None
        self._group_by = config.route.group_by if config.route is not None else DEFAULT_GROUP_BY
        self.remember([alert for group in self._firing.values() for alert in group.values()])

    def remember(self, alerts: Iterable[Alert]) -> None:
        """Take these as the alerts that fire, told already."""
        self._firing = {}
        for alert in map(self._labelled, alerts):
            if alert.state is AlertState.FIRING:
                self._firing.setdefault(self._key(alert), {})[alert.id] = alert

    def messages(self, changes: Iterable[tuple[Transition, Alert]], now: float) -> list[Message]:
        """Return the messages that these transitions ask for."""
        ended: dict[str, list[Alert]] = {}
        changed: dict[str, Alert] = {}
        for transition, plain in changes:
            alert = self._labelled(plain)
            key = self._key(alert)
            if transition is Transition.FIRING:
                self._firing.setdefault(key, {})[alert.id] = alert
                changed[key] = alert
            elif transition is Transition.RESOLVED:
                self._firing.get(key, {}).pop(alert.id, None)
                ended.setdefault(key, []).append(alert)
                changed.setdefault(key, alert)
        messages = []
        for key, alert in changed.items():
            firing = list(self._firing.get(key, {}).values())
            if not firing:
                self._firing.pop(key, None)
            started = alert.state is AlertState.FIRING
            messages += self._of_group(alert, firing, ended.get(key, []), now, is_news=started)
        return messages

    def _of_group(
        self, member: Alert, firing: list[Alert], ended: list[Alert], now: float, *, is_news: bool
    ) -> list[Message]:
        if self._receiver is None:
            return []
        labels = group_labels(member.labels, self._group_by)
        messages = []
        for index, webhook in enumerate(self._receiver.webhook_configs):
            alerts = firing + (ended if webhook.send_resolved else [])
            if not webhook.send_resolved and not is_news:
                continue
            group = GroupOfAlerts(labels, alerts)
            receiver, integration = self._receiver.name, f"webhook/{index}"
            body = render(group, receiver=receiver, external_url=self._external_url, max_alerts=webhook.max_alerts)
            status = "firing" if firing else "resolved"
            key = message_key(receiver, integration, body, now)
            messages.append(Message(key, receiver, integration, group.key, status, body, now))
        return messages

    def _labelled(self, alert: Alert) -> Alert:
        if not self._external_labels:
            return alert
        return replace(alert, labels={**self._external_labels, **alert.labels})

    def _key(self, alert: Alert) -> str:
        return group_key(group_labels(alert.labels, self._group_by))
