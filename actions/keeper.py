"""Keeps services as they should be: ends bakes, brings back what died, clears away what belongs to nobody.

It changes nothing itself: it looks, decides by pure functions, and asks for operations, which hold the lock of the
service, write down their intents and survive a crash like any other.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from random import random
from typing import Protocol

from actions.deployment.recover import site_needs
from actions.deployment.revision import History
from actions.deployment.site import Site
from actions.deployment.sites import Sites
from actions.deployment.status import ServiceStatus, observe_status
from actions.deployment.strategy import BakeEnd, end_of_bake
from actions.operation import JSON, Operation
from actions.operation_store import OperationStore
from core.backoff import backoff_seconds
from core.clock import Clock
from core.errors import ConflictError, StoreUnavailableError, WatchkeeperError
from core.logbook import Logbook

_log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
RECOVERIES = 5
RECOVERY_WINDOW_SECONDS = 600.0
PROMOTION_RETRY_SECONDS = 30.0
BOUND_LOGS_SECONDS = 60.0
ACTOR = "watchkeeper"


class Request(Protocol):
    """Asks for an operation."""

    async def __call__(
        self, kind: str, service: str, environment: str, parameters: dict[str, JSON], *, actor: str, reason: str
    ) -> Operation:
        """Write it down and start it; see Actions.request."""


class Keeper:
    """Looks after all configured services, one round at a time."""

    def __init__(
        self,
        sites: Sites,
        store: OperationStore,
        logbook: Logbook,
        clock: Clock,
        *,
        request: Request,
        is_service_alerting: Callable[[str, str], bool | None],
    ) -> None:
        self._sites = sites
        self._store = store
        self._logbook = logbook
        self._clock = clock
        self._request = request
        self._is_service_alerting = is_service_alerting
        self._statuses: dict[tuple[str, str], ServiceStatus] = {}
        self._problems: dict[tuple[str, str], str] = {}
        self._not_before: dict[tuple[str, str, str], float] = {}
        self._told: dict[tuple[str, str], tuple[int | None, str]] = {}
        self._logs_bounded_at = -math.inf

    def statuses(self) -> list[ServiceStatus]:
        """Return what was seen last, of the services that are configured."""
        return [self._statuses[name] for name in self._sites.names() if name in self._statuses]

    def pause_seconds(self) -> float:
        """Return how long to wait before the next round: shorter when a bake ends soon."""
        ends = [status.baking_until for status in self.statuses() if status.baking_until is not None]
        soonest = min((end - self._clock.now() for end in ends), default=LOOK_SECONDS)
        return min(LOOK_SECONDS, max(0.05, soonest)) if soonest > 0 else LOOK_SECONDS

    async def tend(self) -> None:
        """Look at every service and ask for what it needs; one that fails does not keep the others."""
        for service, environment in self._sites.names():
            try:
                await self._tend(service, environment)
            except WatchkeeperError as error:
                _log.warning("%s/%s: %s", service, environment, error)
        if self._clock.monotonic() - self._logs_bounded_at >= BOUND_LOGS_SECONDS:
            self._logs_bounded_at = self._clock.monotonic()
            await self._bound_logs()

    async def _bound_logs(self) -> None:
        try:
            await self._sites.bound_logs()
        except OSError as error:
            _log.warning("logs of services cannot be kept short: %s", error)

    async def look(self) -> None:
        """Look at every service, change nothing."""
        for service, environment in self._sites.names():
            await self.look_at(service, environment)

    async def look_at(self, service: str, environment: str) -> None:
        """Look at one service, change nothing."""
        name = (service, environment)
        try:
            status = await observe_status(self._sites.site(service, environment), self._problems.get(name))
        except WatchkeeperError as error:
            _log.debug("%s/%s cannot be looked at: %s", service, environment, error)
            return
        self._statuses[name] = status

    async def _tend(self, service: str, environment: str) -> None:
        await self.look_at(service, environment)
        if await self._store.holder(service, environment) is not None:
            return
        site = self._sites.site(service, environment)
        history = await site.revisions.history()
        if not await self._recover(site, history):
            await self._end_bake(site, history)

    async def _recover(self, site: Site, history: History) -> bool:
        """Ask for a recovery where one is needed; returns whether one is."""
        found = await site_needs(site, history)
        name = (site.service, site.environment)
        if not found:
            self._problems.pop(name, None)
            return False
        now = self._clock.now()
        count = await self._store.count_since("recover", *name, now - RECOVERY_WINDOW_SECONDS)
        needs = ", ".join(need.value for need in found)
        if count >= RECOVERIES:
            await self._give_up(site, needs, count)
        elif now >= self._not_before.get((*name, "recover"), 0.0):
            pause = backoff_seconds(count + 1, base_seconds=1.0, cap_seconds=60.0, random=random)
            self._not_before[*name, "recover"] = now + pause
            await self._ask("recover", site, needs)
        return True

    async def _give_up(self, site: Site, needs: str, count: int) -> None:
        name = (site.service, site.environment)
        problem = (
            f"{needs}: recovered {count} times within {RECOVERY_WINDOW_SECONDS / 60:g} minutes and not for good;"
            " the next try comes when the window has passed. Look at the instances' logs, deploy a fix or roll back"
        )
        if name not in self._problems:
            await self._logbook.append("service.recovery_paused", f"service/{site.name}", {"problem": problem})
        self._problems[name] = problem

    async def _end_bake(self, site: Site, history: History) -> None:
        if history.current is None or history.baking_until is None or self._clock.now() < history.baking_until:
            return
        healthy = await site.is_healthy(history, history.current)
        alerting = self._alerting(site)
        end = end_of_bake(self._clock.now(), history.baking_until, alerting=alerting, healthy=healthy)
        name = (site.service, site.environment)
        if end is not BakeEnd.PROMOTE:
            await self._tell_waiting(site, history, end)
        elif self._clock.now() >= self._not_before.get((*name, "promote"), 0.0):
            self._not_before[*name, "promote"] = self._clock.now() + PROMOTION_RETRY_SECONDS
            await self._ask("promote", site, "the bake time is over and nothing speaks against it")

    def _alerting(self, site: Site) -> bool | None:
        try:
            return self._is_service_alerting(site.service, site.environment)
        except Exception:  # noqa: BLE001 - whatever fails over there: not knowing must not promote
            _log.exception("%s: whether alerts fire is not known", site.name)
            return None

    async def _tell_waiting(self, site: Site, history: History, end: BakeEnd) -> None:
        """Say once for each reason why a promotion waits."""
        name = (site.service, site.environment)
        if self._told.get(name) == (history.current, end.value):
            return
        data = {"revision": history.current, "reason": end.value}
        await self._logbook.append("service.promotion_waits", f"service/{site.name}", data)
        self._told[name] = (history.current, end.value)

    async def _ask(self, kind: str, site: Site, reason: str) -> None:
        try:
            await self._request(kind, site.service, site.environment, {}, actor=ACTOR, reason=reason)
        except ConflictError as error:
            _log.debug("%s: %s has to wait: %s", site.name, kind, error)
        except StoreUnavailableError as error:
            _log.warning("%s: %s has to wait: %s", site.name, kind, error)
