"""When the first of many ends, though each is put off again and again. Pure but for memory.

Putting off costs no more than a look into a dictionary: the queue keeps the old time, and what turns up in it too early
goes back with its new one.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Deadlines(Generic[Key]):
    """One time for each of many keys."""

    def __init__(self) -> None:
        self._times: dict[Key, float] = {}
        self._queued: dict[Key, float] = {}
        self._queue: list[tuple[float, int, Key]] = []
        self._count = 0

    def set(self, key: Key, time: float) -> None:
        """Set or change the time of a key."""
        self._times[key] = time
        queued = self._queued.get(key)
        if queued is None or time < queued:
            self._push(key, time)

    def drop(self, key: Key) -> None:
        """Forget a key, where it is known."""
        self._times.pop(key, None)

    def next(self) -> float | None:
        """Return the earliest time; None where there is no key."""
        while self._queue:
            time, _, key = self._queue[0]
            current, is_latest = self._times.get(key), self._queued.get(key) == time
            if is_latest and current == time:
                return time
            heapq.heappop(self._queue)
            if is_latest:
                del self._queued[key]
                if current is not None:
                    self._push(key, current)
        return None

    def pop_until(self, now: float) -> Iterator[Key]:
        """Yield the keys whose time has come, earliest first, and forget them."""
        while (time := self.next()) is not None and time <= now:
            _, _, key = heapq.heappop(self._queue)
            del self._queued[key], self._times[key]
            yield key

    def _push(self, key: Key, time: float) -> None:
        self._queued[key] = time
        self._count += 1  # keys need not be comparable, and what was queued first comes first
        heapq.heappush(self._queue, (time, self._count, key))
