"""How long to wait before trying again."""

from __future__ import annotations

from collections.abc import Callable


def backoff_seconds(
    attempt: int,
    *,
    base_seconds: float = 1.0,
    cap_seconds: float = 300.0,
    random: Callable[[], float],
) -> float:
    """Return the pause before attempt number `attempt` + 1: doubling, capped, with half of it left to chance.

    Args:
        attempt: how many attempts have failed so far, from 1.
        random: gives a number in [0, 1); spreads clients that failed together ("equal jitter").
    Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(attempt - 1, 62))
    return ceiling / 2 + random() * ceiling / 2
