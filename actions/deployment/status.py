"""What people see of a service in an environment."""

from __future__ import annotations

from dataclasses import dataclass

from actions.deployment.revision import Revision, RevisionState
from actions.deployment.site import Site
from actions.operation import JSON

SHOWN_REVISIONS = 20


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One instance as it was last seen; `healthy` is None where it was not asked."""

    id: str
    revision: int
    pid: int | None
    port: int | None
    alive: bool
    healthy: bool | None
    weight: int | None

    def to_json(self) -> dict[str, JSON]:
        """Return the instance as the API gives it."""
        return {
            "id": self.id, "revision": self.revision, "pid": self.pid, "port": self.port, "alive": self.alive,
            "healthy": self.healthy, "weight": self.weight,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service in an environment as it was last seen.

    Attributes:
        address: where the router listens; None without one.
        problem: why something about it needs a person, in one line; None while all is well.
    """

    service: str
    environment: str
    strategy: str
    current: int | None
    last_good: int | None
    baking_until: float | None
    address: str | None
    revisions: tuple[Revision, ...]
    instances: tuple[InstanceStatus, ...]
    problem: str | None

    def to_json(self) -> dict[str, JSON]:
        """Return the service as the API gives it."""
        return {
            "service": self.service,
            "environment": self.environment,
            "strategy": self.strategy,
            "current": self.current,
            "last_good": self.last_good,
            "baking_until": self.baking_until,
            "address": self.address,
            "revisions": [revision.to_json() for revision in self.revisions],
            "instances": [instance.to_json() for instance in self.instances],
            "problem": self.problem,
        }


async def observe_status(site: Site, problem: str | None) -> ServiceStatus:
    """Look at the site: history, instances with their health, and traffic."""
    history = await site.revisions.history()
    live, weights = await site.live(), await site.weights() or {}
    instances = []
    for number in sorted(history.ports):
        answers = await site.probe(history, number)
        for (instance, answer), port in zip(answers.items(), history.ports[number], strict=True):
            state = live.get(instance)
            instances.append(
                InstanceStatus(
                    id=instance,
                    revision=number,
                    pid=state.pid if state else None,
                    port=port,
                    alive=state is not None,
                    healthy=answer.healthy,
                    weight=weights.get(instance),
                )
            )
    return ServiceStatus(
        service=site.service,
        environment=site.environment,
        strategy=site.config.strategy,
        current=history.current,
        last_good=history.last_good,
        baking_until=history.baking_until,
        address=site.config.router.listen if site.config.router else None,
        revisions=tuple(reversed(history.revisions[-SHOWN_REVISIONS:])),
        instances=tuple(instances),
        problem=problem or _problem(history.current, instances, history.revisions),
    )


def _problem(current: int | None, instances: list[InstanceStatus], revisions: tuple[Revision, ...]) -> str | None:
    sick = [i.id for i in instances if i.revision == current and not (i.alive and i.healthy)]
    if sick:
        return f"not healthy: {', '.join(sick)}"
    if current is None and revisions and revisions[-1].state is RevisionState.FAILED:
        return "nothing serves: the last deployment failed"
    return None
