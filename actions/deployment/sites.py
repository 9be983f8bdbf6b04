"""Makes the sites of the configured services, and keeps one runtime and one router client for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actions.deployment.instances.runtime import Runtime
from actions.deployment.revision import RevisionStore
from actions.deployment.service import EnvironmentConfig, Services, from_snapshot
from actions.deployment.site import Artifacts, Prober, Site
from actions.deployment.traffic.router import TrafficRouter
from actions.operation import Operation
from core.clock import Clock
from core.db.database import Database
from core.errors import NotFoundError, UserError
from core.logbook import Logbook


@dataclass(frozen=True, slots=True)
class Actuators:
    """What changes the world.

    Attributes:
        router_of: gives the router of a site by the site's name and the address it listens on.
    """

    runtime: Runtime
    router_of: Callable[[str, str], TrafficRouter]
    prober: Prober
    artifacts: Artifacts


class Sites:
    """The services that are configured, by name and environment."""

    def __init__(
        self, database: Database, logbook: Logbook, clock: Clock, folder: Path, actuators: Callable[[], Actuators]
    ) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._folder = folder
        self._make_actuators = actuators
        self._actuators: Actuators | None = None
        self._routers: dict[tuple[str, str], TrafficRouter] = {}
        self._configs: dict[tuple[str, str], EnvironmentConfig] = {}

    def apply(self, services: Services) -> None:
        """Know these services from now on; operations under way keep to the configuration they began with."""
        self._configs = {
            (service, environment): config
            for service, settings in services.items()
            for environment, config in settings.environments.items()
        }

    def names(self) -> list[tuple[str, str]]:
        """Return service and environment of every configured site, sorted."""
        return sorted(self._configs)

    def known(self, service: str, environment: str) -> bool:
        """Tell whether it is configured."""
        return (service, environment) in self._configs

    def config(self, service: str, environment: str) -> EnvironmentConfig:
        """Return a site's present configuration.

        Raises: NotFoundError: it is not configured; those that are are listed.
        """
        if (service, environment) not in self._configs:
            known = ", ".join("/".join(name) for name in self.names()) or "none"
            what = f"{service}/{environment}" if environment else service
            raise NotFoundError(f"no service {what!r} is configured; known are: {known}")
        return self._configs[service, environment]

    def environment_of(self, service: str, environment: str) -> str:
        """Return the environment, found out where it was left open and the service has only one.

        Raises: UserError: it has several; NotFoundError: there is no such service.
        """
        if environment:
            return environment
        found = [name for owner, name in self.names() if owner == service]
        if len(found) > 1:
            raise UserError(f"service {service!r} has the environments {', '.join(found)}; say which one")
        return found[0] if found else ""

    def site(self, service: str, environment: str) -> Site:
        """Return a configured site.

        Raises: NotFoundError: it is not configured.
        """
        return self._site(service, environment, self.config(service, environment))

    def site_of(self, operation: Operation) -> Site | None:
        """Return the site of an operation, with the configuration it was asked for under; None where it has none."""
        if not operation.settings:
            return None
        return self._site(operation.service, operation.environment, from_snapshot(operation.settings))

    def _site(self, service: str, environment: str, config: EnvironmentConfig) -> Site:
        actuators = self.actuators()
        router = self._router(f"{service}/{environment}", config.router.listen) if config.router else None
        return Site(
            service,
            environment,
            config,
            revisions=RevisionStore(self._database, self._logbook, self._clock, service, environment),
            runtime=actuators.runtime,
            router=router,
            prober=actuators.prober,
            artifacts=actuators.artifacts,
            folder=self._folder / service / environment,
            clock=self._clock,
        )

    def _router(self, name: str, listen: str) -> TrafficRouter:
        if (name, listen) not in self._routers:
            self._routers[name, listen] = self.actuators().router_of(name, listen)
        return self._routers[name, listen]

    async def bound_logs(self) -> None:
        """Keep what instances and routers write from filling the disk.

        Raises: OSError: a log cannot be read or cut.
        """
        await self.actuators().runtime.bound_logs()
        for router in self._routers.values():
            await router.bound_log()

    def actuators(self) -> Actuators:
        """Return the actuators, made at their first use."""
        if self._actuators is None:
            self._actuators = self._make_actuators()
        return self._actuators
