"""The steps of deployments, rollbacks, promotions and recoveries, each of them safe to repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actions.action import ActionContext, Order, PlannedStep, Step
from actions.deployment.moves import route, start, stop, wait_healthy
from actions.deployment.revision import History, RevisionState, prunable, quarantined
from actions.deployment.service import from_snapshot
from actions.deployment.settling_steps import SETTLING_STEPS
from actions.deployment.site_step import SiteStep
from core.duration import format_duration
from core.errors import ConflictError, PermanentError


class _VerifyArtifact(SiteStep):
    """Compare the artifact's checksum with the one that was asked for, and record it."""

    async def make_it_so(self) -> str:
        number = int(self.arguments["revision"])
        revision = (await self.history()).get(number)
        wanted = self.order.parameters.get("sha256")
        sha256 = await self.site.artifacts.verify(revision.artifact, wanted)
        bad = quarantined(await self.history(), revision.version, sha256)
        if bad is not None and not self.order.parameters.get("force"):
            raise ConflictError(_quarantine_message(bad.number, bad.version))
        await self.site.revisions.set_sha256(number, sha256)
        return f"{revision.artifact} has sha256 {sha256}"


class _UnpackArtifact(SiteStep):
    """Unpack the artifact to the revision's own folder."""

    async def observe(self) -> str | None:
        folder = Path((await self.history()).get(int(self.arguments["revision"])).folder)
        return f"{folder} is there" if await self.site.artifacts.is_unpacked(folder) else None

    async def make_it_so(self) -> str:
        revision = (await self.history()).get(int(self.arguments["revision"]))
        await self.site.artifacts.unpack(revision.artifact, Path(revision.folder), revision.artifact_sha256)
        return f"unpacked to {revision.folder}"


class _FindArtifact(SiteStep):
    """Make sure that an older revision's unpacked artifact is still there; unpack it again where it can be."""

    async def observe(self) -> str | None:
        folder = Path((await self.history()).get(int(self.arguments["revision"])).folder)
        return f"{folder} is kept" if await self.site.artifacts.is_unpacked(folder) else None

    async def make_it_so(self) -> str:
        revision = (await self.history()).get(int(self.arguments["revision"]))
        await self.site.artifacts.verify(revision.artifact, revision.artifact_sha256)
        await self.site.artifacts.unpack(revision.artifact, Path(revision.folder), revision.artifact_sha256)
        return f"unpacked again to {revision.folder}"


class _StartInstances(SiteStep):
    """Start every instance of a revision."""

    async def observe(self) -> str | None:
        history, number = await self.history(), int(self.arguments["revision"])
        wanted = self.site.instance_ids(history, number)
        live = await self.site.live()
        return f"all {len(wanted)} instances of r{number} run" if wanted and set(wanted) <= set(live) else None

    async def make_it_so(self) -> str:
        return await start(self.site, int(self.arguments["revision"]))


class _WaitHealthy(SiteStep):
    """Wait until every instance passes its health check several times in a row."""

    async def observe(self) -> str | None:
        """Instances that ran before this operation need to pass but once: that is what makes a rollback instant."""
        history, number = await self.history(), int(self.arguments["revision"])
        live = await self.site.live()
        ids = self.site.instance_ids(history, number)
        if not ids or not all(i in live and live[i].started_at < self.order.created_at for i in ids):
            return None
        healthy = await self.site.is_healthy(history, number)
        return f"all {len(ids)} instances of r{number} are healthy" if healthy else None

    async def make_it_so(self) -> str:
        return await wait_healthy(self.site, int(self.arguments["revision"]))


class _SwitchTraffic(SiteStep):
    """Give a revision all traffic, at once; the one that stands by stays in the router without weight."""

    async def observe(self) -> str | None:
        to, history = int(self.arguments["to"]), await self.history()
        wanted = {backend.id: backend.weight for backend in self.site.backends(history, to, self.arguments["idle"])}
        if await self.site.weights() == wanted and await self.site.is_healthy(history, to):
            return f"all traffic goes to r{to}"
        return None

    async def make_it_so(self) -> str:
        """Look once more before the switch: since the check before it, the machine may have been restarted."""
        to, idle = int(self.arguments["to"]), self.arguments["idle"]
        if not await self.site.is_healthy(await self.history(), to):
            await wait_healthy(self.site, to)
        return await route(self.site, to, idle)


class _VerifyTraffic(SiteStep):
    """Ask for the service's health through the router, as its users would."""

    async def make_it_so(self) -> str:
        site, to = self.site, int(self.arguments["to"])
        if site.config.router is None:
            return "there is no router to ask"
        taking = {instance for instance, weight in (await site.weights() or {}).items() if weight > 0}
        if taking != set(site.instance_ids(await self.history(), to)):
            raise PermanentError(f"the router sends traffic elsewhere than to r{to}")
        check = from_snapshot((await self.history()).get(to).settings).health_check
        if check.command is not None:
            return f"the router sends all traffic to r{to}"
        for attempt in range(5):
            if attempt:
                await site.clock.sleep(check.interval)
            probe = await site.prober.probe(check, site.config.router.listen, {})
            if probe.healthy:
                return f"{site.config.router.listen} answers: {probe.answer}"
        raise PermanentError(f"{site.config.router.listen} is not healthy: {probe.answer}")


class _Record(SiteStep):
    """Write down which revision serves now, which stands by until when, and what becomes of the one left."""

    async def observe(self) -> str | None:
        history = await self.history()
        done = history.current == self.arguments["current"] and history.standby == self.arguments.get("standby")
        return f"r{history.current} is recorded as serving" if done else None

    async def make_it_so(self) -> str:
        history, site = await self.history(), self.site
        current, standby = int(self.arguments["current"]), self.arguments.get("standby")
        bake = float(self.arguments.get("bake_seconds") or 0.0)
        left = self.arguments.get("leave")
        baking = bake > 0 and history.get(current).promoted_at is None
        states = {current: RevisionState.BAKING if baking else RevisionState.GOOD}
        for number in {history.current, history.standby} - {None, current, standby}:
            assert number is not None
            states[number] = self._state_of_left(history, number, left)
        await site.revisions.serve(
            current=current,
            standby=standby,
            baking_until=site.clock.now() + bake if baking else None,
            states=states,
            operation=self.order.id,
            rolled_back=left if self.order.automatic else None,
        )
        if baking:
            return f"r{current} serves and bakes for {format_duration(bake)}"
        return f"r{current} serves"

    def _state_of_left(self, history: History, number: int, left: int | None) -> RevisionState:
        revision = history.get(number)
        if number == left and self.order.automatic:
            return RevisionState.QUARANTINED
        if number == left and revision.promoted_at is None:
            return RevisionState.FAILED
        return RevisionState.SUPERSEDED


class _StopInstances(SiteStep):
    """Take a revision out of the router, let its requests end, and stop its instances."""

    async def observe(self) -> str | None:
        number, history = int(self.arguments["revision"]), await self.history()
        prefix = f"{self.site.prefix}r{number}/"
        if await self.site.runtime.find(prefix) or history.ports.get(number):
            return None
        return f"no instance of r{number} runs"

    async def make_it_so(self) -> str:
        return await stop(self.site, int(self.arguments["revision"]), force=bool(self.arguments.get("force")))


class _RemoveOldArtifacts(SiteStep):
    """Remove the artifacts of revisions that the history no longer keeps."""

    async def make_it_so(self) -> str:
        removed = []
        for revision in prunable(await self.history(), self.site.config.history):
            await self.site.artifacts.remove(Path(revision.folder))
            await self.site.revisions.artifact_removed(revision.number)
            removed.append(revision.name)
        return "removed " + ", ".join(removed) if removed else "nothing is old enough"


class _RecordPromotion(SiteStep):
    """The new revision is the good one from here on; the old one stands by no longer."""

    async def observe(self) -> str | None:
        history = await self.history()
        done = history.current == self.arguments["current"] and history.baking_until is None
        return f"r{history.current} is recorded as good" if done else None

    async def make_it_so(self) -> str:
        history, current = await self.history(), int(self.arguments["current"])
        states = {current: RevisionState.GOOD}
        if history.standby is not None and history.get(history.standby).state is RevisionState.GOOD:
            states[history.standby] = RevisionState.SUPERSEDED
        await self.site.revisions.serve(
            current=current, standby=None, baking_until=None, states=states, operation=self.order.id
        )
        return f"r{current} is good"


class _ConfirmHealthy(SiteStep):
    """Look once more at what is about to be trusted."""

    async def make_it_so(self) -> str:
        number = int(self.arguments["revision"])
        answers = await self.site.probe(await self.history(), number)
        bad = [f"{instance}: {probe.answer}" for instance, probe in answers.items() if not probe.healthy]
        if bad or not answers:
            raise PermanentError(f"r{number} is not healthy: {'; '.join(bad) or 'no instance runs'}")
        return f"all {len(answers)} instances of r{number} are healthy"


class _StopOrphans(SiteStep):
    """Stop instances of this site that belong neither to the serving revision nor to the one that stands by."""

    async def make_it_so(self) -> str:
        site, history = self.site, await self.history()
        wanted: set[str] = set()
        for number in (history.current, history.standby):
            if number is not None:
                wanted |= set(site.instance_ids(history, number))
        strays = sorted(set(await site.live()) - wanted)
        weights = await site.weights() or {}
        taking = [stray for stray in strays if weights.get(stray, 0) > 0]
        if taking and wanted:
            raise PermanentError(f"{', '.join(taking)} still take traffic; they are left alone")
        for stray in strays:
            await site.runtime.ensure_stopped(stray, grace_seconds=site.config.stop_grace)
        for number in set(history.ports) - {history.current, history.standby}:
            await site.revisions.release_ports(number)
        return f"stopped {', '.join(strays)}" if strays else "there are none left"


def _quarantine_message(number: int, version: str) -> str:
    return (
        f"version {version} is quarantined: it was rolled back automatically as revision {number};"
        " deploy a fixed version, or say force"
    )


_STEPS: dict[str, Callable[[PlannedStep, Order, ActionContext], Step]] = {
    **SETTLING_STEPS,
    "verify_artifact": _VerifyArtifact,
    "unpack_artifact": _UnpackArtifact,
    "find_artifact": _FindArtifact,
    "start_instances": _StartInstances,
    "wait_healthy": _WaitHealthy,
    "switch_traffic": _SwitchTraffic,
    "verify_traffic": _VerifyTraffic,
    "record": _Record,
    "stop_instances": _StopInstances,
    "remove_old_artifacts": _RemoveOldArtifacts,
    "record_promotion": _RecordPromotion,
    "confirm_healthy": _ConfirmHealthy,
    "stop_orphans": _StopOrphans,
}


def step_of(planned: PlannedStep, order: Order, context: ActionContext) -> Step:
    """Return what carries out a planned step."""
    return _STEPS[str(planned.arguments["do"])](planned, order, context)
