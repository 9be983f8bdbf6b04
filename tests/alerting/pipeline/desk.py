"""A dispatcher with receivers that only write down, and a memory that is written as the state database would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from alerting.alert import Alert, Moment, Transition
from alerting.notify.attempt import Attempt
from alerting.notify.notice import Integration, Notice
from alerting.pipeline.decision import Decision, GroupRow, Lane, Memory
from alerting.pipeline.dedup import Sent
from alerting.pipeline.dispatch import Dispatcher, Settings
from alerting.pipeline.group import GroupId, is_firing, later
from alerting.pipeline.stage import Hold, NoSilences, Silencer, Stages
from alerting.pipeline.teller import Teller
from alerting.route import Route

if TYPE_CHECKING:
    import aiohttp

    from alerting.notify.message import Message

NOW = Moment(10_000.0, 500.0)


class Address:
    """An integration whose messages are the alerts in short."""

    def __init__(self, name: str = "webhook/0", *, send_resolved: bool = True) -> None:
        self.name, self.send_resolved = name, send_resolved

    def render(self, notice: Notice) -> str:
        alerts = ", ".join(f"{alert.state} {alert.labels.get('i', alert.name)}" for alert in notice.alerts)
        return f"{notice.why}: {alerts}"

    async def send(self, _session: aiohttp.ClientSession, message: Message) -> Attempt:
        raise AssertionError(message)


def route(receiver: str = "team", *routes: Route, **options: Any) -> Route:
    """Return a route with the tests' usual times: 10 s, a minute, an hour."""
    usual: dict[str, Any] = {
        "group_by": ("alertname",), "group_wait": 10.0, "group_interval": 60.0, "repeat_interval": 3600.0
    }  # fmt: skip
    return Route(receiver, routes=routes, **usual | options)


class Desk:
    """A dispatcher that can be killed; what it decides is written down at once."""

    def __init__(
        self,
        tree: Route,
        *,
        receivers: Mapping[str, Sequence[Integration]] | None = None,
        silencer: Silencer | None = None,
        holds: Sequence[Hold] = (),
        **settings: Any,
    ) -> None:
        names = {one.receiver for one in tree.walk()}
        self.settings = Settings(route=tree, receivers=receivers or {name: [Address()] for name in names}, **settings)
        self._silencer, self._holds = silencer or NoSilences(), holds
        self.now = NOW
        self.told: list[tuple[float, str, str]] = []
        self.summed: list[int] = []
        self.messages: list[Message] = []
        self.sent: dict[Lane, Sent] = {}
        self.groups: dict[GroupId, GroupRow] = {}
        self.ended: dict[tuple[GroupId, str], Alert] = {}
        self.firing: dict[str, Alert] = {}
        self.begin()

    def begin(self) -> None:
        """Start a process over what is written down."""
        self.teller = Teller(external_url="http://here")
        self.dispatcher = Dispatcher(Stages(self._silencer, self._holds), self.teller)
        self.write(self.dispatcher.configure(self.settings, self.now))
        ended = [(group, alert) for (group, _), alert in self.ended.items()]
        memory = Memory(dict(self.sent), dict(self.groups), ended)
        self.write(self.dispatcher.restore(memory, list(self.firing.values()), self.now))

    def take(self, *alerts: Alert) -> list[str]:
        """Let alerts change, and return what is told at once."""
        for alert in alerts:
            if is_firing(alert):
                self.firing[alert.identity] = alert
            else:
                self.firing.pop(alert.identity, None)
        changes = [(Transition.FIRING if is_firing(alert) else Transition.RESOLVED, alert) for alert in alerts]
        return self.write(self.dispatcher.take(changes, self.now))

    def wait(self, seconds: float) -> list[str]:
        """Let time pass, and return what is told meanwhile."""
        end = later(self.now, seconds)
        told = []
        # The two clocks round differently, so that what is due at the very end may be a nanosecond later.
        while (due := self.dispatcher.next_look()) is not None and due <= end.monotonic + 1e-6:
            self.now = later(self.now, max(0.0, due - self.now.monotonic))
            told += self.write(self.dispatcher.look(self.now))
        self.now = end
        return told

    def write(self, decision: Decision) -> list[str]:
        """Write a decision down."""
        _write(self.sent, decision.sent)
        _write(self.groups, decision.groups)
        for group, alerts in decision.ended.items():
            _write(self.ended, {(group, identity): alert for identity, alert in alerts.items()})
        self.summed += [summed.messages for summed in decision.summed]
        self.messages += decision.messages
        for message in decision.messages:
            self.told.append((round(self.now.wall - NOW.wall, 3), message.receiver, message.body))
        return [message.body for message in decision.messages]


def _write(kept: dict[Any, Any], changes: Mapping[Any, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
