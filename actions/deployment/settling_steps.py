"""The steps after a deployment or rollback that was left early: the healthy side serves, the other one goes."""

from __future__ import annotations

from collections.abc import Callable

from actions.action import ActionContext, Order, PlannedStep, Step
from actions.deployment.moves import route, stop, wait_healthy
from actions.deployment.revision import History, RevisionState
from actions.deployment.service import from_snapshot
from actions.deployment.site_step import SiteStep
from core.errors import PermanentError, TransientError

RESTORE_WAIT_SECONDS = 120.0
"""How long the settling waits for the side that served before, when neither side is healthy at once."""


class _RestoreTraffic(SiteStep):
    """After a failure: send traffic to the first side, in the order of preference, that is healthy."""

    async def make_it_so(self) -> str:
        history, site = await self.history(), self.site
        prefer = [int(number) for number in self.arguments["prefer"]]
        if prefer == [self.arguments["candidate"]]:
            return "nothing served before, so there is nothing to go back to"
        for number in prefer:
            if await site.is_healthy(history, number):
                return await self._restore(number)
        failures = []
        for number in prefer:
            if history.get(number).promoted_at is None and number == self.arguments["candidate"]:
                continue  # what was never good is not started to repair something
            await self._make_room(history, number)
            try:
                await wait_healthy(site, number, limit_seconds=RESTORE_WAIT_SECONDS)
            except (PermanentError, TransientError) as error:
                failures.append(str(error))
            else:
                return await self._restore(number)
        raise PermanentError(f"no side of {site.name} is healthy, traffic stays where it is: {'; '.join(failures)}")

    async def _make_room(self, history: History, number: int) -> None:
        """Let the candidate, which is not healthy, go first where its ports are needed to start the other side."""
        site, candidate = self.site, int(self.arguments["candidate"])
        if candidate == number or not history.ports.get(candidate) or history.ports.get(number):
            return
        if len(await site.free_ports(history)) < from_snapshot(history.get(number).settings).instances:
            await stop(site, candidate, force=True)

    async def _restore(self, number: int) -> str:
        site, history = self.site, await self.history()
        standby = history.standby if number == history.current else None
        weights = {backend.id: backend.weight for backend in site.backends(history, number, standby)}
        if site.router is not None and await site.weights() != weights:
            await route(site, number, standby)
        if number != history.current:
            await self._record(history, number)
        return f"r{number} is healthy and serves"

    async def _record(self, history: History, number: int) -> None:
        """The other side had to take over: it serves from now on, and bakes unless it was good before."""
        fresh = history.get(number).promoted_at is None
        states = {number: RevisionState.BAKING if fresh else RevisionState.GOOD}
        if history.current is not None:
            was_good = history.get(history.current).promoted_at is not None
            states[history.current] = RevisionState.SUPERSEDED if was_good else RevisionState.FAILED
        until = self.site.clock.now() + self.site.config.bake if fresh else None
        await self.site.revisions.serve(
            current=number, standby=None, baking_until=until, states=states, operation=self.order.id
        )


class _StopCandidate(SiteStep):
    """After a failure: stop what was started for nothing; never what serves or stands by."""

    async def observe(self) -> str | None:
        number, history = int(self.arguments["candidate"]), await self.history()
        if number in (history.current, history.standby):
            return f"r{number} is kept: it serves or stands by"
        running = await self.site.runtime.find(f"{self.site.prefix}r{number}/")
        return None if running or history.ports.get(number) else f"no instance of r{number} runs"

    async def make_it_so(self) -> str:
        number, history = int(self.arguments["candidate"]), await self.history()
        serving = [n for n in (history.current, history.standby) if n is not None]
        return await stop(self.site, number, force=not serving)


class _RecordFailure(SiteStep):
    """Mark a candidate that did not make it, and remove its artifact's claim to be current."""

    async def observe(self) -> str | None:
        revision = (await self.history()).get(int(self.arguments["candidate"]))
        return None if revision.state is RevisionState.CANDIDATE else f"{revision.name} is {revision.state.value}"

    async def make_it_so(self) -> str:
        number, history = int(self.arguments["candidate"]), await self.history()
        await self.site.revisions.serve(
            current=history.current,
            standby=history.standby,
            baking_until=history.baking_until,
            states={number: RevisionState.FAILED},
            operation=self.order.id,
        )
        return f"r{number} failed"


SETTLING_STEPS: dict[str, Callable[[PlannedStep, Order, ActionContext], Step]] = {
    "restore_traffic": _RestoreTraffic,
    "stop_candidate": _StopCandidate,
    "record_failure": _RecordFailure,
}
