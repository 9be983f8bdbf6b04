"""The messages by which an escalation tells receivers of its incident."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from alerting.alert import Alert
from alerting.escalation_notice import make_notice
from alerting.incident import Incident
from alerting.notify.message import Message
from alerting.notify.notice import Links, Notice
from alerting.notify.payload import common

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IncidentMessages:
    """Makes messages of an incident from what the rest of alerting knows of it.

    Attributes:
        of_notice: the messages that tell a receiver of a notice, one for each of its addresses; may raise.
        alerts_of: the alerts of an incident that are known now, firing or ended.
        links: those of an incident for what shares some labels and goes to one person, if that is known.
        suspects: recent changes that may have caused an incident.
    """

    of_notice: Callable[[Notice], Sequence[Message]]
    alerts_of: Callable[[Incident], Collection[Alert]]
    links: Callable[[Incident, Mapping[str, str], str], Links] = lambda *_: Links()
    suspects: Callable[[Incident], tuple[str, ...]] = lambda _incident: ()
    external_url: str = ""

    def make(
        self,
        incident: Incident,
        receivers: Mapping[str, str],
        now: float,
        *,
        is_over: bool = False,
        ended: Sequence[Alert] = (),
    ) -> list[Message]:
        """Return the messages for receivers, each given with the person whom alone it reaches, or nobody.

        Args:
            ended: alerts of the incident that have just ended.
        """
        alerts = list({alert.id: alert for alert in (*self.alerts_of(incident), *ended)}.values())
        suspects = self.suspects(incident)
        messages: list[Message] = []
        for receiver, person in receivers.items():
            notice = make_notice(incident, alerts, receiver, now, is_over=is_over, external_url=self.external_url)
            links = self.links(incident, common([alert.labels for alert in notice.alerts]), person)
            try:
                messages += self.of_notice(replace(notice, links=links, suspects=suspects))
            except Exception:  # noqa: BLE001 - a mistake in one receiver's template must not keep others from being told
                _log.exception("escalation: no message for %s", receiver)
        return messages
