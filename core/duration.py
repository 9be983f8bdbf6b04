"""Durations as Prometheus writes them: `5m`, `1h30m`, `250ms`, `1d`."""

from __future__ import annotations

import re

from core.errors import UserError

_UNIT_SECONDS = {
    "y": 31_536_000.0,
    "w": 604_800.0,
    "d": 86_400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
_PATTERN = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for.

    Units go from large to small, each at most once, as in Prometheus' documentation ("Time durations"); `0` needs
    no unit.

    Raises: UserError: the text is no duration.
    """
    if text == "0":
        return 0.0
    match = _PATTERN.fullmatch(text)
    if not text or match is None:
        raise UserError(f"{text!r} is no duration; write a number and a unit, such as 30s, 5m, 1h30m or 7d")
    return sum(
        int(count) * seconds
        for count, seconds in zip(match.groups(), _UNIT_SECONDS.values(), strict=True)
        if count is not None
    )


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back as `seconds`, rounded to a millisecond."""
    rest = round(abs(seconds) * 1000)
    parts = []
    for unit, unit_seconds in _UNIT_SECONDS.items():
        if unit in ("y", "w") and rest % round(unit_seconds * 1000):
            continue  # 8d reads better than 1w1d
        count, rest = divmod(rest, round(unit_seconds * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def spell_duration(seconds: float) -> str:
    """Return a length of time for people, in at most two units: `4 s`, `3 min 20 s`, `5 h 12 min`, `2 d`."""
    rest = max(0, round(seconds))
    parts = []
    for unit, unit_seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, unit_seconds)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break  # 1 d and 5 s is 1 d
    return " ".join(parts[:2]) or "0 s"
