"""What a collector plugin may use of the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from core.clock import Clock


@dataclass(frozen=True, slots=True)
class CollectorContext:
    """Handed to every plugin when it builds its collectors.

    Attributes:
        interval_seconds, timeout_seconds: the defaults of the config's `global` section.
        base: the folder that relative paths in the config start from.
        registry: the daemon's own metrics.
        hostname: this machine's name, for the `instance` label of what is measured here.
    """

    clock: Clock
    interval_seconds: float
    timeout_seconds: float
    base: Path
    registry: CollectorRegistry
    hostname: str
