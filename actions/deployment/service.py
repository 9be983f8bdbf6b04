"""What the config file says about a service in an environment, and the placeholders in its commands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from core.config import Duration, Section

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{(\w+)\}", re.ASCII)
PLACEHOLDERS = ("port", "artifact", "version", "instance")


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no name; use lower-case letters, digits and '-', such as shop or staging-2")
    return value


def _check_placeholders(value: str) -> str:
    for name in _PLACEHOLDER.findall(value):
        if name not in PLACEHOLDERS:
            known = " ".join("{" + known + "}" for known in PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{name}}}; known are {known}")
    return value


def _ports(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str):
        first, dash, last = value.partition("-")
        if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
            raise ValueError(f"{value!r} is no range of ports; write one such as 9001-9008, or a list")
        numbers = range(int(first), int(last if dash else first) + 1)
        if not numbers or len(numbers) > 1000:
            raise ValueError(f"{value!r} holds no port or more than 1000; write a range such as 9001-9008")
        return tuple(numbers)
    return value


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("a port is listed twice; remove one")
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{value!r} is no address; write host:port, such as 127.0.0.1:8080")
    return value


Name = Annotated[str, AfterValidator(_name)]
"""The name of a service, environment or policy: it is part of file names, labels and addresses."""

Templated = Annotated[str, AfterValidator(_check_placeholders)]
"""Text with the placeholders {port} {artifact} {version} {instance}."""

Ports = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65535)], ...],
    BeforeValidator(_ports),
    AfterValidator(_distinct),
    PlainSerializer(list, return_type=list[int], when_used="json"),
]


class ProcessConfig(Section):
    """How an instance is started as a process of this machine."""

    argv: list[Templated] = Field(
        min_length=1,
        description="Program and arguments, no shell. {port}, {artifact} (the unpacked folder), {version} and"
        " {instance} are filled in.",
        examples=[["python3", "{artifact}/app.py", "--port", "{port}"]],
    )
    working_directory: Templated = Field(
        default="{artifact}", description="Where it runs; default the unpacked artifact.", examples=["/srv/shop"]
    )
    environment: dict[str, Templated] = Field(
        default_factory=dict,
        description="Environment variables, added to a small clean environment.",
        examples=[{"APP_VERSION": "{version}"}],
    )
    user: str | None = Field(default=None, description="System user; default the daemon's own.", examples=["shop"])


class RuntimeConfig(Section):
    """What runs the instances."""

    process: ProcessConfig = Field(
        description="Run instances as processes of this machine.", examples=[{"argv": ["{artifact}/shop", "{port}"]}]
    )


class HttpCheckConfig(Section):
    """An instance is healthy when it answers a GET as expected."""

    path: str = Field(default="/", pattern="^/", description="Path to ask for.", examples=["/healthz"])
    expect_status: int = Field(default=200, ge=100, le=599, description="Status it must answer.", examples=[200])


class TcpCheckConfig(Section):
    """An instance is healthy when its port takes a connection."""


class CommandCheckConfig(Section):
    """An instance is healthy when a command ends with status 0."""

    argv: list[Templated] = Field(
        min_length=1, description="Program and arguments, no shell.", examples=[["check_shop", "--port", "{port}"]]
    )


class HealthCheckConfig(Section):
    """How the health of an instance is found out. Exactly one of http, tcp and command; default tcp."""

    http: HttpCheckConfig | None = Field(default=None, description="Ask by HTTP.", examples=[{"path": "/healthz"}])
    tcp: TcpCheckConfig | None = Field(default=None, description="Connect to the port.", examples=[{}])
    command: CommandCheckConfig | None = Field(
        default=None, description="Run a command.", examples=[{"argv": ["check_shop", "{port}"]}]
    )
    interval: Duration = Field(default=1.0, gt=0, description="Between two probes.", examples=["1s"])
    timeout: Duration = Field(default=2.0, gt=0, description="The most a probe may take.", examples=["2s"])
    healthy_after: int = Field(default=2, ge=1, description="Successes in a row that count as healthy.", examples=[2])
    deadline: Duration = Field(default=60.0, gt=0, description="How long to wait for health.", examples=["60s"])

    @model_validator(mode="after")
    def _one_kind(self) -> HealthCheckConfig:
        if sum(kind is not None for kind in (self.http, self.tcp, self.command)) > 1:
            raise ValueError("has more than one of http, tcp and command; keep one")
        return self


class RouterConfig(Section):
    """The built-in router, which gives a service one address and switches traffic without losing a connection."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        description="Where requests of the service arrive.", examples=["127.0.0.1:8080"]
    )


class EnvironmentConfig(Section):
    """A service in one environment: what runs, how many, how it is checked, and how it is deployed."""

    runtime: RuntimeConfig = Field(
        description="What runs the instances.", examples=[{"process": {"argv": ["{artifact}/shop", "{port}"]}}]
    )
    ports: Ports = Field(
        min_length=1,
        description="Ports of this machine that instances may use: a range or a list. Blue-green needs two for each"
        " instance, because the old revision keeps running while the new one starts.",
        examples=["9001-9008"],
    )
    instances: int = Field(default=2, ge=1, le=500, description="How many instances run.", examples=[2])
    health_check: HealthCheckConfig = Field(
        default_factory=HealthCheckConfig, description="How health is found out.", examples=[{"http": {"path": "/"}}]
    )
    router: RouterConfig | None = Field(
        default=None,
        description="The built-in router; without it deployments only start and stop instances.",
        examples=[{"listen": "127.0.0.1:8080"}],
    )
    strategy: Literal["blue-green", "recreate"] = Field(
        default="blue-green",
        description="blue-green: new instances beside the old, then traffic switches at once. recreate: old ones stop"
        " before new ones start, so requests fail in between.",
        examples=["blue-green"],
    )
    bake: Duration = Field(
        default=300.0,
        ge=0,
        description="How long the old revision keeps running after the switch, so that a rollback is instant.",
        examples=["5m"],
    )
    deadline: Duration = Field(
        default=1800.0, gt=0, description="When an operation is given up and undone.", examples=["30m"]
    )
    drain: Duration = Field(
        default=30.0, ge=0, description="How long requests under way may take before instances stop.", examples=["30s"]
    )
    stop_grace: Duration = Field(
        default=10.0, ge=0, description="How long an instance may take to end before it is killed.", examples=["10s"]
    )
    history: int = Field(default=5, ge=2, le=1000, description="Revisions whose artifacts are kept.", examples=[5])
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels on this service's own series.", examples=[{"team": "shop"}]
    )

    @model_validator(mode="after")
    def _enough_ports(self) -> EnvironmentConfig:
        needed = self.instances * (2 if self.strategy == "blue-green" else 1)
        if len(self.ports) < needed:
            have = f"{len(self.ports)} port{'s' if len(self.ports) > 1 else ''}"
            raise ValueError(
                f"{self.strategy} with {self.instances} instances needs {needed} ports, there are {have}; add ports"
            )
        if self.router is not None and int(self.router.listen.rpartition(":")[2]) in self.ports:
            raise ValueError(f"the router's {self.router.listen} is among the ports of the instances; use another")
        return self


class ServiceConfig(Section):
    """A thing that is deployed, by the environments it is deployed to."""

    environments: dict[Name, EnvironmentConfig] = Field(
        min_length=1, description="By name.", examples=[{"production": {"ports": "9001-9008"}}]
    )


Services = dict[Name, ServiceConfig]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the text with its placeholders filled in, in one pass, so that a value is never read as a placeholder."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def snapshot(config: EnvironmentConfig) -> dict[str, Any]:
    """Return the config as plain data that `from_snapshot` reads back."""
    return config.model_dump(mode="json")


def from_snapshot(data: Mapping[str, Any]) -> EnvironmentConfig:
    """Read what `snapshot` gave."""
    return EnvironmentConfig.model_validate(dict(data))


def log_folder(folder: Path) -> Path:
    """Return where the instances of a site write their output."""
    return folder / "log"
