"""The contract of what shares requests out among instances: our own router today; HAProxy and nginx later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Backend:
    """One instance that may take requests.

    Attributes:
        address: `host:port`.
        weight: its share is weight divided by the sum of all weights; 0 takes no new request.
        revision: what its requests are counted under.
    """

    id: str
    address: str
    weight: int
    revision: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a router does now.

    Attributes:
        listen: the `host:port` where requests arrive.
        in_flight: requests under way by backend id, those of backends already removed included.
    """

    listen: str
    backends: tuple[Backend, ...]
    in_flight: Mapping[str, int]


class TrafficRouter(Protocol):
    """The traffic of one service in one environment. Every method is safe to repeat."""

    async def observe(self) -> Traffic | None:
        """Return what the router does now; None when it is not running."""

    async def ensure(self, backends: Sequence[Backend]) -> None:
        """Start the router where it does not run, then give it exactly these backends, all at once.

        No request that is under way and no connection of a client is lost by it.

        Raises:
            PermanentError: it cannot be started (the port is taken), with the reason and the remedy.
            TransientError: it runs but does not answer.
        """

    async def drain(self, backend_ids: Sequence[str], *, timeout_seconds: float) -> bool:
        """Wait until none of these has a request under way.

        It waits only: the caller has removed them, or set their weight to 0, before.

        Returns: whether that was so within `timeout_seconds`.
        """

    async def ensure_stopped(self) -> None:
        """End the router after the requests under way, within a bounded time."""

    async def bound_log(self) -> None:
        """Keep what the router writes from filling the disk; called from time to time."""
