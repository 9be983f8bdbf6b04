"""Numbers, times and states as a person reads them; every function here is pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.duration import format_duration
from daemon.cli.output import Cell

_GOOD = {"healthy", "up", "succeeded", "resolved", "reviewed", "good", "ok"}
_WARN = {
    "degraded",
    "unknown",
    "pending",
    "running",
    "acknowledged",
    "mitigated",
    "baking",
    "candidate",
    "medium",
    "warn",
}
_BAD = {
    "unhealthy", "down", "failed", "firing", "open", "critical", "high", "quarantined", "fail", "cancelled"
}  # fmt: skip


def state(word: str) -> Cell:
    """Return a state, severity or health with the colour of its meaning."""
    style = "good" if word in _GOOD else "warn" if word in _WARN else "bad" if word in _BAD else ""
    return Cell(word, style)


def clock_time(seconds: float | None) -> str:
    """Return a time of day as this machine's wall clock shows it, or a dash."""
    return "-" if seconds is None else _local(seconds).strftime("%H:%M:%S")


def date_time(seconds: float | None) -> str:
    """Return date and time as this machine's wall clock shows them, or a dash."""
    return "-" if seconds is None else _local(seconds).strftime("%Y-%m-%d %H:%M:%S")


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()


def length(seconds: float | None) -> str:
    """Return a length of time with no more precision than a person wants: `350ms`, `4.2s`, `3m12s`, `2h5m`, `4d3h`."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    if seconds < 60:
        return f"{seconds:.1f}s".replace(".0s", "s")
    step = 1 if seconds < 3600 else 60 if seconds < 86400 else 3600
    return format_duration(seconds // step * step)


def between(start: float | None, end: float | None) -> str:
    """Return the length from `start` to `end`, or a dash where one is unknown."""
    return "-" if start is None or end is None else length(end - start)


def number(value: float) -> str:
    """Return a value with at most six significant digits, and PromQL's words for what is no number."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.6g}" if abs(value) < 1e6 or value != round(value) else f"{value:.0f}"


def labels(values: Mapping[str, Any]) -> str:
    """Return labels as PromQL writes a series: `up{job="shop"}`."""
    name = str(values.get("__name__", ""))
    pairs = [f'{key}="{_escape(str(values[key]))}"' for key in sorted(values) if key != "__name__"]
    return name + ("{" + ", ".join(pairs) + "}" if pairs or not name else "")


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def plural(count: int, noun: str) -> str:
    """Return `1 rule`, `2 rules`, `2 policies`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"
