"""An integration behind its circuit breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.breaker import Breaker, Circuit
from alerting.notify.message import Message
from alerting.notify.notice import Integration, Notice
from core.clock import Clock

if TYPE_CHECKING:
    import aiohttp

TRIAL_SECONDS = 1.0
"""How soon a message asks again that comes while another tries the address."""


class Guarded:
    """Sends by an integration, and leaves its address alone for a while when it fails again and again.

    Args:
        state: gauge of receiver and integration: 0 closed, 1 open.
    """

    def __init__(self, integration: Integration, receiver: str, clock: Clock, state: Gauge | None = None) -> None:
        self._integration = integration
        self._clock = clock
        self._breaker = Breaker()
        self._problem = ""
        self._state = None if state is None else state.labels(receiver, integration.name)
        self._show()

    @property
    def name(self) -> str:
        """The integration's."""
        return self._integration.name

    @property
    def send_resolved(self) -> bool:
        """The integration's."""
        return self._integration.send_resolved

    def render(self, notice: Notice) -> str:
        """Return the integration's message."""
        return self._integration.render(notice)

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Try once, unless the address is to be left alone now."""
        now = self._clock.monotonic()
        if self._breaker.circuit(now) is Circuit.OPEN:
            pause = self._breaker.wait(now) or TRIAL_SECONDS
            return Attempt(Outcome.RETRY, self._problem, pause)
        self._breaker = self._breaker.trying()
        try:
            attempt = await self._integration.send(session, message)
        except BaseException:
            self._breaker = self._breaker.gave_up()
            raise
        if attempt.outcome is Outcome.RETRY:
            self._breaker, self._problem = self._breaker.failed(self._clock.monotonic()), attempt.detail
        else:
            self._breaker, self._problem = self._breaker.succeeded(), ""
        self._show()
        return attempt

    def _show(self) -> None:
        if self._state is not None:
            self._state.set(self._breaker.opened_at is not None)
