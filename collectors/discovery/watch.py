"""Keeps looking for the targets of all jobs whose targets come and go.

Knows nothing of how they are collected: whoever owns this takes `collectors()` each time `changed` is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import CollectorRegistry

from collectors.collector import Collector
from collectors.discovery.discovery import Discovered, Discovery, Offer, Provider
from collectors.discovery.group import DiscoveryError, TargetGroup
from collectors.discovery.statistics import DiscoveryStatistics
from core.clock import Clock
from core.tasks import OnCrash, Tasks, cancel_and_wait

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DiscoveryStatus:
    """What is known about one way of finding targets now.

    Attributes:
        job: whose targets it finds.
        provider: which of the job's ways this is: `file_sd/0`.
        health: `up`, `down`, or `unknown` before the first look has ended.
        last_refresh: Unix seconds of the last look; None before the first.
        targets: how many it found, before relabelling.
    """

    job: str
    provider: str
    health: str
    last_error: str
    last_refresh: float | None
    refresh_seconds: float
    targets: int


@dataclass(slots=True, eq=False)
class _Look:
    """A provider at work."""

    provider: Provider
    groups: tuple[TargetGroup, ...] = ()
    health: str = "unknown"
    last_error: str = ""
    last_refresh: float | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class _Job:
    """A discovery and its providers at work."""

    discovery: Discovery
    looks: list[_Look] = field(default_factory=list)
    offer: Offer = field(default_factory=lambda: Offer(()))


class DiscoveryWatch:
    """Runs the providers of all jobs.

    Args:
        changed: called in the event loop when `collectors()` has changed.
    """

    def __init__(self, clock: Clock, tasks: Tasks, registry: CollectorRegistry, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._tasks = tasks
        self._statistics = DiscoveryStatistics(registry)
        self._changed = changed
        self._jobs: dict[str, _Job] = {}
        self._started = False

    def start(self) -> None:
        """Begin to look."""
        self._started = True
        for job in self._jobs.values():
            self._start(job)

    async def stop(self) -> None:
        """End all looking."""
        self._started = False
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            for look in job.looks:
                await self._close(look)

    def apply(self, discoveries: Sequence[Discovery]) -> None:
        """Look for the targets of exactly these jobs from now on.

        What an unchanged provider of a job has found stays, though the job's other settings may have changed.
        """
        wanted = {discovery.job: discovery for discovery in discoveries}
        for name in [name for name in self._jobs if name not in wanted]:
            job = self._jobs.pop(name)
            self._statistics.forget(name, [look.provider.name for look in job.looks])
            self._end(job.looks)
        for name, discovery in wanted.items():
            before = self._jobs.get(name)
            if before is not None and before.discovery.signature == discovery.signature:
                self._end([_Look(provider) for provider in discovery.providers])
                continue
            self._jobs[name] = self._replace(before, discovery)
            if self._started:
                self._start(self._jobs[name])

    def collectors(self) -> Iterator[Collector]:
        """Yield the collectors of all targets that are known now."""
        for job in self._jobs.values():
            yield from job.offer.collectors

    def statuses(self) -> list[DiscoveryStatus]:
        """Return what is known about every provider, by job."""
        return [_status(name, look) for name, job in sorted(self._jobs.items()) for look in job.looks]

    def offers(self) -> Mapping[str, Offer]:
        """Return what each job makes of what was found: its targets, dropped ones and faults."""
        return {name: job.offer for name, job in self._jobs.items()}

    def _replace(self, before: _Job | None, discovery: Discovery) -> _Job:
        old = list(before.looks) if before is not None else []
        job = _Job(discovery)
        unused: list[_Look] = []
        for provider in discovery.providers:
            same = next((look for look in old if look.provider.signature == provider.signature), None)
            if same is None:
                job.looks.append(_Look(provider))
                continue
            old.remove(same)
            unused.append(_Look(provider))
            job.looks.append(_Look(same.provider, same.groups, same.health, same.last_error, same.last_refresh))
            self._halt(same)
        for look in old:
            self._statistics.forget_provider(discovery.job, look.provider.name)
        self._end([*old, *unused])
        self._make_offer(job)
        return job

    def _start(self, job: _Job) -> None:
        for look in job.looks:
            if look.task is None:
                name = f"discovery {job.discovery.job}/{look.provider.name}"
                look.task = self._tasks.spawn(partial(self._run, job, look), name=name, on_crash=OnCrash.RESTART)

    def _halt(self, look: _Look) -> None:
        if look.task is not None:
            look.task.cancel()
            look.task = None

    def _end(self, looks: Sequence[_Look]) -> None:
        for look in looks:
            self._tasks.spawn(partial(self._close, look), name="discovery end", on_crash=OnCrash.FORGET)

    async def _close(self, look: _Look) -> None:
        await cancel_and_wait(look.task)
        await look.provider.close()

    async def _run(self, job: _Job, look: _Look) -> None:
        while True:
            await self._look(job, look)
            await self._clock.sleep(look.provider.refresh_seconds)

    async def _look(self, job: _Job, look: _Look) -> None:
        try:
            found = await look.provider.refresh()
        except DiscoveryError as error:
            found = Discovered(look.groups, str(error))
        look.last_refresh = self._clock.now()
        name = f"{job.discovery.job}/{look.provider.name}"
        if found.problem and found.problem != look.last_error:
            _log.warning("discovery %s: %s; the last known targets stay", name, found.problem)
        elif look.last_error and not found.problem:
            _log.info("discovery %s is well again", name)
        look.health, look.last_error = "down" if found.problem else "up", found.problem
        self._statistics.looked(job.discovery.job, look.provider.name, well=not found.problem)
        if found.groups != look.groups:
            look.groups = found.groups
            self._make_offer(job)
            self._changed()

    def _make_offer(self, job: _Job) -> None:
        before = job.offer.faults
        job.offer = offer = job.discovery.offer([group for look in job.looks for group in look.groups])
        if offer.faults and offer.faults != before:
            _log.warning("job %s: %d targets cannot be used; the first: %s", job.discovery.job, len(offer.faults),
                         offer.faults[0])  # fmt: skip
        self._statistics.found(
            job.discovery.job,
            active=len(offer.collectors),
            dropped=offer.dropped_count,
            faulty=len(offer.faults),
        )


def _status(job: str, look: _Look) -> DiscoveryStatus:
    count = sum(len(group.targets) for group in look.groups)
    return DiscoveryStatus(
        job, look.provider.name, look.health, look.last_error, look.last_refresh, look.provider.refresh_seconds, count
    )
