"""From a group's alerts to messages: which of a receiver's addresses is told, why, and what is remembered of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from alerting.alert import Alert, Moment
from alerting.notify.message import Message, message_key
from alerting.notify.notice import Integration, Notice, Status, Why
from alerting.notify.payload import sort_alerts
from alerting.pipeline.decision import Decision, Lane
from alerting.pipeline.dedup import Sent, news
from alerting.pipeline.group import Group, is_firing

_log = logging.getLogger(__name__)

Receivers = Mapping[str, Sequence[Integration]]
Enrich = Callable[[Notice], Notice]


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told of one group.

    Attributes:
        alerts: those that nothing keeps back.
        ended: all that have ended, also those that something keeps back.
        why: by address that is to be told.
    """

    group: Group
    alerts: Sequence[Alert]
    firing: frozenset[str]
    resolved: frozenset[str]
    ended: Sequence[Alert]
    why: Mapping[str, Why]


class Teller:
    """Knows the receivers and what each was told last.

    Args:
        enrich: adds links, the incident and suspects to a notice.
    """

    def __init__(self, *, external_url: str, enrich: Enrich = lambda notice: notice) -> None:
        self.enrich = enrich
        self._external_url = external_url
        self._receivers: Receivers = {}
        self._sent: dict[Lane, Sent] = {}

    def configure(self, receivers: Receivers) -> None:
        """Follow a new config."""
        self._receivers = receivers

    def restore(self, sent: Mapping[Lane, Sent]) -> None:
        """Take back what receivers were told."""
        self._sent = dict(sent)

    def integrations(self, receiver: str) -> Sequence[Integration]:
        """Return a receiver's addresses."""
        return self._receivers.get(receiver, ())

    def sent(self, lane: Lane) -> Sent | None:
        """Return what an address was told of a group last."""
        return self._sent.get(lane)

    def telling(self, group: Group, alerts: Sequence[Alert], now: float) -> Telling:
        """Return what is to be told of a group whose alerts these are."""
        firing = frozenset(alert.identity for alert in alerts if is_firing(alert))
        resolved = frozenset(alert.identity for alert in alerts if not is_firing(alert))
        why = {}
        # Where every alert is kept back there is nothing to say, not even that none fires.
        for integration in self.integrations(group.route.receiver) if alerts else ():
            reason = news(
                self._sent.get((group.route.receiver, integration.name, group.key)),
                firing,
                resolved,
                send_resolved=integration.send_resolved,
                repeat_interval=group.route.repeat_interval,
                now=now,
            )
            if reason is not None:
                why[integration.name] = reason
        ended = [alert for alert in group.members.values() if not is_firing(alert)]
        return Telling(group, alerts, firing, resolved, ended, why)

    def needs_message(self, telling: Telling) -> bool:
        """Tell whether a message goes out, rather than only something being remembered."""
        integrations = self.integrations(telling.group.route.receiver)
        return any(one.name in telling.why and (telling.firing or one.send_resolved) for one in integrations)

    def tell(self, telling: Telling, draft: Decision, now: Moment) -> None:
        """Add a group's messages and what they change of the memory to a decision."""
        group = telling.group
        notice = self.notice(group, telling.alerts, now.wall)
        for integration in self.integrations(group.route.receiver):
            why = telling.why.get(integration.name)
            if why is None:
                continue
            key = ""
            if telling.firing or integration.send_resolved:
                message = self.message(integration, replace(notice, why=why))
                key = message.key
                draft.messages.append(message)
            self._remember((group.route.receiver, integration.name, group.key), telling, key, draft, now.wall)

    def tell_in_sum(self, notice: Notice, tellings: Sequence[Telling], draft: Decision) -> None:
        """Add one message that stands for those of many groups."""
        for integration in self.integrations(notice.receiver):
            lane = notice.receiver, integration.name, notice.group_key
            firing = frozenset(alert.identity for alert in notice.alerts if is_firing(alert))
            record = None
            if firing or (integration.send_resolved and lane in self._sent):
                message = self.message(integration, notice)
                draft.messages.append(message)
                record = Sent(firing, frozenset(), notice.now, message.key) if firing else None
            self._put(lane, record, draft)
            for telling in tellings:
                if integration.name in telling.why:
                    own = notice.receiver, integration.name, telling.group.key
                    self._remember(own, telling, "", draft, notice.now)

    def message(self, integration: Integration, notice: Notice) -> Message:
        """Return the message for a notice, as it is stored and sent."""
        alerts = notice.alerts
        if not integration.send_resolved:
            alerts = [alert for alert in alerts if is_firing(alert)]
        body = integration.render(replace(notice, alerts=alerts))
        key = message_key(notice.receiver, integration.name, body, notice.now)
        return Message(key, notice.receiver, integration.name, notice.group_key, notice.status, body, notice.now)

    def is_told(self, group: Group) -> bool:
        """Tell whether every address was told of all that a group holds."""
        alerts = group.members
        if not all(map(is_firing, alerts.values())):
            return False
        receiver = group.route.receiver
        records = (self._sent.get((receiver, one.name, group.key)) for one in self.integrations(receiver))
        return all(record is not None and record.firing.issuperset(alerts) for record in records)

    def untold(self, group: Group, gone: Collection[str], draft: Decision) -> None:
        """Take note of ended alerts that left a group without being told."""
        for integration in self.integrations(group.route.receiver):
            lane = group.route.receiver, integration.name, group.key
            sent = self._sent.get(lane)
            if sent is not None and (left := sent.without(gone)) is not sent:
                self._put(lane, left if left.firing else None, draft)

    def refused(self, message: Message, draft: Decision, now: float) -> None:
        """Take note that a receiver will not take a message; it is tried again after a while with what is then."""
        sent = self._sent.get(message.lane)
        if sent is not None and sent.message == message.key:
            self._put(message.lane, sent.refused(now), draft)

    def delivered(self, message: Message, draft: Decision) -> None:
        """Take note that a receiver has taken a message."""
        sent = self._sent.get(message.lane)
        if sent is not None and sent.message == message.key and sent.refusals:
            self._put(message.lane, replace(sent, refusals=0), draft)

    def notice(self, group: Group, alerts: Sequence[Alert], now: float, why: Why = "changed") -> Notice:
        """Return the notice of a group."""
        status: Status = "firing" if any(map(is_firing, alerts)) else "resolved"
        plain = Notice(
            group.route.receiver, group.key, group.labels, sort_alerts(alerts), status, self._external_url, now, why
        )
        try:
            return self.enrich(plain)
        except Exception:  # noqa: BLE001 - what is added to a notice must not keep it from being told
            _log.exception("a notification goes out without links and suspects")
            return plain

    def sum_notice(
        self, receiver: str, key: str, labels: Mapping[str, str], summary: Alert, now: float, alerts: int
    ) -> Notice:
        """Return the notice that stands for those of many groups; `alerts` are left out of it."""
        status: Status = "firing" if is_firing(summary) else "resolved"
        return Notice(receiver, key, labels, [summary], status, self._external_url, now, "summary", truncated=alerts)

    def _remember(self, lane: Lane, telling: Telling, key: str, draft: Decision, now: float) -> None:
        before = self._sent.get(lane)
        refusals = before.refusals if before is not None and before.refusals else 0
        record = Sent(telling.firing, telling.resolved, now, key, refusals)
        # Once nothing fires any more, no record and an empty one mean the same.
        self._put(lane, record if telling.firing else None, draft)

    def _put(self, lane: Lane, sent: Sent | None, draft: Decision) -> None:
        if sent is None:
            if self._sent.pop(lane, None) is not None:
                draft.sent[lane] = None
        else:
            self._sent[lane] = draft.sent[lane] = sent
