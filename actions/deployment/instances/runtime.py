"""The contract of what runs instances: processes today; units and containers later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What is to run.

    Attributes:
        id: unique over services, environments and revisions: `shop/production/r7/0`.
        argv: program and arguments as they are executed, no shell; placeholders such as `{port}` are already filled in.
        environment: added to the small environment that the runtime gives to every instance.
        user: the system user to run as; None for the daemon's own.
        port: the one it will listen on, kept with it for whoever asks later; None where it listens nowhere.
        log_file: receives standard output and standard error, appended.
    """

    id: str
    argv: tuple[str, ...]
    working_directory: Path
    environment: Mapping[str, str]
    user: str | None
    port: int | None
    log_file: Path


@dataclass(frozen=True, slots=True)
class InstanceState:
    """What was seen of an instance.

    Attributes:
        started_at: in Unix seconds.
        alive: false for what `find` reports of an instance whose own process is gone while processes that it started
            are left; `ensure_stopped` ends those.
    """

    id: str
    pid: int
    started_at: float
    port: int | None
    alive: bool


class Runtime(Protocol):
    """Starts, finds and stops instances. Every method observes first and is safe to repeat."""

    async def observe(self, instance_id: str) -> InstanceState | None:
        """Return the live instance of this id; None when there is none."""

    async def ensure_running(self, spec: InstanceSpec) -> InstanceState:
        """Start the instance unless one of this id lives already, which is then kept as it is.

        Returns as soon as the process exists; whether it serves is for a health check to say.

        Raises: PermanentError: it cannot be started, with the reason and the remedy.
        """

    async def ensure_stopped(self, instance_id: str, *, grace_seconds: float) -> None:
        """Ask the instance to end, end it by force after `grace_seconds`; returns when nothing of it is left.

        Raises: PermanentError: something of it could not be ended.
        """

    async def find(self, prefix: str) -> list[InstanceState]:
        """Return all live instances whose id starts with `prefix`, sorted by id, orphans of a crash included.

        What is left of dead ones comes along, with `alive` false.
        """

    async def bound_logs(self) -> None:
        """Keep what instances write from filling the disk; called from time to time."""
