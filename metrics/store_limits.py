"""How much the store may hold, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

_HOUR = 3600.0
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What the store keeps; times in seconds.

    Attributes:
        retention_seconds: how long samples stay as they came.
        five_minute_seconds, hour_seconds: how long the long history of that resolution stays; 0 for none.
        max_bytes: the most that all files together may take; the oldest go first. None for no such limit.
        max_series, max_source_series: further series are refused, in all and of one source.
        segment_seconds: the span of a segment; a divisor of a day.
        seal_after_seconds: how old a span's end must be before it is sealed; samples that bring times of their own
            may come so late.
        memory_seconds: how far back samples stay in memory when they cannot be sealed.
        memory_bytes: what samples in memory may take before they are sealed earlier than `seal_after_seconds`, once
            they are ten minutes old.
        max_unread_bytes: how many bytes of write-ahead files are kept for readers that lag behind.
    """

    retention_seconds: float = 15 * _DAY
    five_minute_seconds: float = 90 * _DAY
    hour_seconds: float = 365 * _DAY
    max_bytes: int | None = None
    max_series: int = 2_000_000
    max_source_series: int = 1_000_000
    segment_seconds: float = 2 * _HOUR
    seal_after_seconds: float = _HOUR
    memory_seconds: float = 6 * _HOUR
    memory_bytes: int = 1 << 30
    max_unread_bytes: int = 8 << 30
