"""What a receiver is to be told: one group of alerts at one moment, whatever the way it is sent. Pure.

The pipeline makes notices; an integration turns one into the message of its service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from alerting.alert import Alert, Severity

if TYPE_CHECKING:
    import aiohttp

    from alerting.notify.attempt import Attempt
    from alerting.notify.message import Message

Status = Literal["firing", "resolved"]
Why = Literal["first", "changed", "repeat", "escalation", "test", "summary", "fallback"]


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses that a person opens from a notification; empty where there is none.

    Attributes:
        console: the page of the alerts.
        incident: the page of the incident.
        acknowledge: a signed address that acknowledges the incident.
        silence: the form for a silence, filled in for this group.
    """

    console: str = ""
    incident: str = ""
    acknowledge: str = ""
    silence: str = ""


@dataclass(frozen=True, slots=True)
class IncidentNote:
    """The incident that the alerts of a notice belong to."""

    id: int
    title: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Notice:
    """One group of alerts, for one receiver.

    Attributes:
        group_key: names the group for its whole life: `{}/{team="shop"}:{alertname="TargetDown"}`.
        alerts: those that fire, and those that ended since the last notice, in the order of
            alerting.notify.payload.sort_alerts.
        now: Unix seconds.
        why: why it is told now.
        suspects: recent changes that may be the cause, each a ready text.
        truncated: alerts of the group that are left out of `alerts`.
    """

    receiver: str
    group_key: str
    group_labels: Mapping[str, str]
    alerts: Sequence[Alert]
    status: Status
    external_url: str
    now: float
    why: Why = "changed"
    links: Links = field(default_factory=Links)
    incident: IncidentNote | None = None
    suspects: tuple[str, ...] = ()
    truncated: int = 0


class Integration(Protocol):
    """One address of a receiver: a webhook, a Slack channel, a mailbox …"""

    @property
    def name(self) -> str:
        """Its kind and its place among the receiver's addresses of that kind: `slack/0`."""

    @property
    def send_resolved(self) -> bool:
        """Whether ends are told too."""

    def render(self, notice: Notice) -> str:
        """Return the message for a notice as JSON text; it is stored before it is sent and holds no secret."""

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Try once to deliver a message whose body `render` made; raises nothing that can be expected."""
