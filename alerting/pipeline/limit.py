"""How many messages a receiver may get: in a storm of alerts it is told the worst ones, and a sum of the others. Pure.

Each receiver has a window of a minute that begins with its first message. Once all messages but one of a window are
used, what else is to be told is summed up in the last one; what comes after that waits for the next window.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_SECONDS = 60.0


@dataclass(slots=True)
class _Window:
    ends: float
    used: int = 0
    is_summed: bool = False


class Limiter:
    """Counts messages by receiver; times are monotonic seconds."""

    def __init__(self) -> None:
        self.limit = 0
        self._windows: dict[str, _Window] = {}

    def allows(self, receiver: str, now: float) -> bool:
        """Tell whether a message of its own may go out now, and count it; one of the window is kept for a sum."""
        if not self.limit:
            return True
        window = self._window(receiver, now)
        if window.is_summed or window.used >= self.limit - 1:
            return False
        window.used += 1
        return True

    def sums(self, receiver: str, now: float) -> bool:
        """Tell whether the sum of what is left over may go out now, and count it."""
        window = self._window(receiver, now)
        if window.is_summed:
            return False
        window.is_summed = True
        return True

    def window_end(self, receiver: str, now: float) -> float:
        """Return when the receiver may be told more."""
        return self._window(receiver, now).ends

    def _window(self, receiver: str, now: float) -> _Window:
        window = self._windows.get(receiver)
        if window is None or now >= window.ends:
            window = self._windows[receiver] = _Window(now + WINDOW_SECONDS)
        return window
