"""Which backend takes the next request: smooth weighted round robin, no I/O.

Each choice adds every backend's weight to its credit, takes the one with most credit and lowers that by the sum, so
that shares are exact over each cycle and equal turns are spread rather than bunched (weights 5:1:1 give aabacaa).
Source: the algorithm of nginx, commit 52327e0627f4 ("Upstream: smooth weighted round-robin balancing").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from actions.deployment.traffic.router import Backend


class Balancer:
    """Chooses backends and counts what is under way.

    Args:
        ejection_seconds: how long a backend that could not be reached is passed over while others can take its turn.
    """

    def __init__(self, backends: Sequence[Backend] = (), *, ejection_seconds: float = 2.0) -> None:
        self._backends = tuple(backends)
        self._ejection_seconds = ejection_seconds
        self._credit: dict[str, int] = {}
        self._ejected_until: dict[str, float] = {}
        self._in_flight: dict[str, int] = {}

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The backends in effect."""
        return self._backends

    @property
    def in_flight(self) -> dict[str, int]:
        """Requests under way by backend; removed backends stay in it until their last request has ended."""
        return {**{backend.id: 0 for backend in self._backends}, **self._in_flight}

    def replace(self, backends: Sequence[Backend]) -> None:
        """Use exactly these from the next request on; those under way are left alone."""
        addresses = {backend.id: backend.address for backend in self._backends}
        same = {backend.id for backend in backends if addresses.get(backend.id) == backend.address}
        self._ejected_until = {key: until for key, until in self._ejected_until.items() if key in same}
        self._credit = {}
        self._backends = tuple(backends)

    def choose(self, now: float, tried: Collection[str] = ()) -> Backend | None:
        """Return who takes the next request; None when nobody is left.

        Those that could not be reached a moment ago come only after all others were tried.

        Args:
            now: seconds on any clock that only grows.
            tried: ids that this request was offered to in vain.
        """
        open_ = [backend for backend in self._backends if backend.weight > 0 and backend.id not in tried]
        reachable = [backend for backend in open_ if self._ejected_until.get(backend.id, now) <= now]
        candidates = reachable or open_
        if not candidates:
            return None
        for backend in candidates:
            self._credit[backend.id] = self._credit.get(backend.id, 0) + backend.weight
        chosen = max(candidates, key=lambda backend: self._credit[backend.id])
        self._credit[chosen.id] -= sum(backend.weight for backend in candidates)
        return chosen

    def eject(self, backend_id: str, now: float) -> None:
        """Note that a backend could not be reached."""
        if any(backend.id == backend_id for backend in self._backends):
            self._ejected_until[backend_id] = now + self._ejection_seconds

    @contextmanager
    def carrying(self, backend_id: str) -> Iterator[None]:
        """Count a request as under way at a backend."""
        self._in_flight[backend_id] = self._in_flight.get(backend_id, 0) + 1
        try:
            yield
        finally:
            left = self._in_flight[backend_id] - 1
            if left:
                self._in_flight[backend_id] = left
            else:
                del self._in_flight[backend_id]
