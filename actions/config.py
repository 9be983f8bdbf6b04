"""The parts of the config file that belong to actions: `services` and `policies`."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, model_validator

from actions.action import action_kinds
from actions.deployment.service import EnvironmentConfig, Services
from actions.policy import PolicyConfig
from core.config import Section


class ActionsConfig(Section):
    """What is deployed where, and what happens by itself."""

    services: Services = Field(
        default_factory=dict,
        description="The services that are deployed, by name.",
        examples=[{"shop": {"environments": {"production": {"ports": "9001-9008"}}}}],
    )
    policies: list[PolicyConfig] = Field(
        default_factory=list,
        description="What happens by itself when an alert fires or an incident opens.",
        examples=[[{"name": "roll-back", "when": {"alert": {}}, "do": {"operation": "rollback"}}]],
    )

    @model_validator(mode="after")
    def _consistent(self) -> ActionsConfig:
        check_ports(self.services)
        check_policies(self.policies)
        return self

    def sites(self) -> Iterator[tuple[str, str, EnvironmentConfig]]:
        """Give each service, environment and its config."""
        yield from sites_of(self.services)


def sites_of(services: Services) -> Iterator[tuple[str, str, EnvironmentConfig]]:
    """Give each service, environment and its config."""
    for service, config in services.items():
        for environment, settings in config.environments.items():
            yield service, environment, settings


def check_ports(services: Services) -> None:
    """Refuse that two services share a port.

    Raises: ValueError: naming both and the port.
    """
    owners: dict[int, str] = {}
    for service, environment, config in sites_of(services):
        name = f"{service}/{environment}"
        used = [*config.ports, *([int(config.router.listen.rpartition(":")[2])] if config.router else [])]
        for port in used:
            if port in owners:
                raise ValueError(f"port {port} belongs to {owners[port]} and to {name}; give each its own ports")
            owners[port] = name


def check_policies(policies: list[PolicyConfig]) -> None:
    """Refuse two policies of one name, and operations that do not exist.

    Raises: ValueError: naming the policy and the remedy.
    """
    names: set[str] = set()
    for policy in policies:
        if policy.name in names:
            raise ValueError(f"two policies are called {policy.name!r}; rename one")
        names.add(policy.name)
        if policy.do.operation not in action_kinds():
            known = ", ".join(action_kinds())
            raise ValueError(f"policy {policy.name!r}: no operation {policy.do.operation!r}; known are {known}")
