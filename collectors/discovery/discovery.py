"""The contract between the ways of finding targets, what makes collectors of them, and what runs both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from collectors.collector import Collector, CollectorPlugin
from collectors.context import CollectorContext
from collectors.discovery.group import TargetGroup


@dataclass(frozen=True, slots=True)
class Discovered:
    """What one look brought.

    Attributes:
        problem: what of it could not be read and was taken from the look before, in one line; empty where all is well.
    """

    groups: tuple[TargetGroup, ...]
    problem: str = ""


class Provider(Protocol):
    """One way of finding targets, such as one entry of `file_sd_configs`.

    Attributes:
        name: what it is among those of its job: `file_sd/0`.
        signature: equal for two providers exactly when both find the same.
        refresh_seconds: how long to wait between two looks.
    """

    name: str
    signature: object
    refresh_seconds: float

    async def refresh(self) -> Discovered:
        """Look once; bounded in time.

        Raises: DiscoveryError: nothing could be found out; what was found before stays.
        """

    async def close(self) -> None:
        """Release connections; called once."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a job makes of all that was found for it.

    Attributes:
        dropped: the discovered labels of targets that a rule dropped; not more than are kept for people to see.
        dropped_count: how many were dropped.
        faults: why others cannot be targets, a line each.
    """

    collectors: tuple[Collector, ...]
    dropped: tuple[Mapping[str, str], ...] = ()
    dropped_count: int = 0
    faults: tuple[str, ...] = ()


class Discovery(Protocol):
    """A job whose targets come and go.

    Attributes:
        job: its name, unique.
        signature: as that of a collector.
        interval_seconds, timeout_seconds: those of its targets.
    """

    job: str
    signature: object
    interval_seconds: float
    timeout_seconds: float
    providers: Sequence[Provider]

    def offer(self, groups: Sequence[TargetGroup]) -> Offer:
        """Return the collectors for what the providers found, all together; the same object for the same target."""


@runtime_checkable
class DiscoveringPlugin(CollectorPlugin, Protocol):
    """A collector plugin that also has jobs whose targets come and go."""

    def discover(self, config: object, context: CollectorContext) -> Sequence[Discovery]:
        """Make them for a validated config value; `build` leaves them out.

        Raises: ConfigError: something that only shows in context is wrong.
        """
