"""Section `commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from collectors.labels import ConfigLabels
from collectors.size import ByteSize
from core.config import Duration, Section
from core.text import Text


class CommandConfig(Section):
    """One command."""

    name: str = Field(min_length=1, description="Name of the command; its label `command`.", examples=["raid"])
    argv: list[Text] = Field(
        min_length=1,
        description="Program and arguments, as they are: no shell looks at them.",
        examples=[["/usr/lib/nagios/plugins/check_raid", "--quick"]],
    )
    interval: Duration | None = Field(
        None, gt=0, description="How often; without it, that of `global`.", examples=["1m"]
    )
    timeout: Duration | None = Field(
        None, gt=0, description="How long it may run; without it, that of `global`.", examples=["10s"]
    )
    format: Literal["prometheus", "nagios"] = Field(
        "prometheus",
        description="What it prints: Prometheus' text format, or the line of a Nagios plugin, whose exit code counts.",
        examples=["nagios"],
    )
    environment: list[str] = Field(
        ["PATH", "LANG", "TZ"],
        description="Names of the daemon's environment variables that it is given; all others are kept from it.",
        examples=[["PATH", "HOME"]],
    )
    working_directory: Path | None = Field(
        None, description="Folder that it runs in; without it, /.", examples=["/var/lib/watchkeeper"]
    )
    labels: ConfigLabels = Field({}, description="Labels for all its series.", examples=[{"service": "storage"}])
    max_output: ByteSize = Field(1024 * 1024, gt=0, description="The most that it may print.", examples=["1MB"])

    @field_validator("argv")
    @classmethod
    def _program(cls, value: list[str]) -> list[str]:
        if value and not value[0]:
            raise ValueError("names no program; write it first, such as [/usr/local/bin/check, --all]")
        if any("\0" in part for part in value):
            raise ValueError("has a NUL character in it; remove it")
        return value

    @model_validator(mode="after")
    def _timeout_within_interval(self) -> Self:
        if self.timeout is not None and self.interval is not None and self.timeout > self.interval:
            raise ValueError(f"timeout {self.timeout:g} s is longer than interval {self.interval:g} s; shorten it")
        return self


def _unique_names(configs: list[CommandConfig]) -> list[CommandConfig]:
    names = [config.name for config in configs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two commands are called {twice[0]!r}; rename one of them")
    return configs


CommandConfigs = Annotated[list[CommandConfig], AfterValidator(_unique_names)]
