"""What several steps do: start, wait for health, route, stop. Each is safe to repeat."""

from __future__ import annotations

from actions.deployment.service import from_snapshot
from actions.deployment.site import Probe, Site
from core.duration import format_duration
from core.errors import PermanentError


async def start(site: Site, number: int) -> str:
    """Make every instance of a revision run."""
    await site.ensure_ports(number)
    history = await site.revisions.history()
    states = [await site.runtime.ensure_running(spec) for spec in site.specs(history, number)]
    return "running: " + ", ".join(f"{state.id} (pid {state.pid}, port {state.port})" for state in states)


async def wait_healthy(site: Site, number: int, *, limit_seconds: float | None = None) -> str:
    """Start what does not run, and wait until all instances have passed enough probes in a row.

    Raises: PermanentError: an instance ended, or the health check's deadline passed; the last answers are given.
    """
    await start(site, number)
    history = await site.revisions.history()
    check = from_snapshot(history.get(number).settings).health_check
    limit = check.deadline if limit_seconds is None else min(check.deadline, limit_seconds)
    deadline = site.clock.monotonic() + limit
    ids = site.instance_ids(history, number)
    passed = dict.fromkeys(ids, 0)
    while True:
        answers = await site.probe(history, number)
        live = await site.live()
        for instance, probe in answers.items():
            if instance not in live:
                tail = await site.log_tail(history, number, instance)
                raise PermanentError(f"{instance} ended by itself" + (f"; its last words: {tail}" if tail else ""))
            passed[instance] = passed[instance] + 1 if probe.healthy else 0
        if all(count >= check.healthy_after for count in passed.values()):
            return f"all {len(ids)} instances of r{number} are healthy: {next(iter(answers.values())).answer}"
        if site.clock.monotonic() >= deadline:
            raise PermanentError(_unhealthy(number, limit, answers, passed, check.healthy_after))
        await site.clock.sleep(check.interval)


def _unhealthy(number: int, limit: float, answers: dict[str, Probe], passed: dict[str, int], needed: int) -> str:
    bad = [f"{i}: {probe.answer}" for i, probe in answers.items() if passed[i] < needed]
    return f"r{number} was not healthy within {format_duration(limit)}; last answers: {'; '.join(bad)}"


async def route(site: Site, to: int, idle: int | None) -> str:
    """Set the router's backends: all weight on `to`, none on `idle`."""
    if site.router is None:
        return f"r{to} runs; there is no router"
    backends = site.backends(await site.revisions.history(), to, idle)
    await site.router.ensure(backends)
    return f"all traffic goes to r{to}, on {len([b for b in backends if b.weight])} instances"


async def stop(site: Site, number: int, *, force: bool) -> str:
    """Take a revision's instances out of traffic, wait for their requests, and stop them.

    Args:
        force: also when they take the traffic of the service, which nothing else is there to take.
    Raises: PermanentError: they take traffic and it was not forced.
    """
    prefix = f"{site.prefix}r{number}/"
    ids = {state.id for state in await site.runtime.find(prefix)}
    await _leave_router(site, prefix, ids, force)
    for instance in sorted(ids):
        await site.runtime.ensure_stopped(instance, grace_seconds=site.config.stop_grace)
    await site.revisions.release_ports(number)
    return f"stopped {', '.join(sorted(ids))}" if ids else f"no instance of r{number} runs"


async def _leave_router(site: Site, prefix: str, ids: set[str], force: bool) -> None:
    traffic = await site.router.observe() if site.router is not None else None
    if site.router is None or traffic is None:
        return
    leaving = [backend for backend in traffic.backends if backend.id.startswith(prefix)]
    if any(backend.weight for backend in leaving) and not force:
        raise PermanentError(f"{leaving[0].id} still takes traffic; it is not stopped")
    if leaving:
        await site.router.ensure([backend for backend in traffic.backends if not backend.id.startswith(prefix)])
    gone = sorted(ids | {backend.id for backend in leaving})
    if gone and site.config.drain > 0:
        await site.router.drain(gone, timeout_seconds=site.config.drain)
