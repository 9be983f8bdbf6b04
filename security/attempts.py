"""Counts what somebody does too often."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque

from core.clock import Clock


class Attempts:
    """Remembers, per key, the moments of the last window; forgets the longest silent key when there are too many.

    Args:
        limit: how many in `window_seconds` are allowed.
        max_keys: bounds the memory that a crowd of addresses can take.
    """

    def __init__(self, clock: Clock, *, limit: int, window_seconds: float, max_keys: int = 4096) -> None:
        self._clock = clock
        self._limit = limit
        self._window_seconds = window_seconds
        self._max_keys = max_keys
        self._moments: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, key: str) -> None:
        """Note one attempt now."""
        moments = self._moments.setdefault(key, deque(maxlen=self._limit))
        moments.append(self._clock.monotonic())
        self._moments.move_to_end(key)
        while len(self._moments) > self._max_keys:
            self._moments.popitem(last=False)

    def wait_seconds(self, key: str) -> float:
        """Return how long until another attempt is allowed; 0.0 when it is allowed now."""
        moments = self._moments.get(key)
        if moments is None or len(moments) < self._limit:
            return 0.0
        return max(0.0, moments[0] + self._window_seconds - self._clock.monotonic())


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 that one IPv6 host can move in."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
