"""What a Nagios plugin says. Pure.

Source: Nagios Plugins Development Guidelines: exit codes, and `text | 'label'=value[unit];[warn];[crit];[min];[max]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNKNOWN = 3

_ITEM = re.compile(
    r"(?:'((?:[^']|'')+)'|([^\s='|]+))="  # the label, in quotes where it has spaces
    r"(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"  # the value; U stands for unknown and is left out
    r"([^\s;0-9.,][^\s;]*)?"  # the unit
    r"(?:;[^\s;]*){0,4}(?=\s|$)"
)


@dataclass(frozen=True, slots=True)
class PerformanceValue:
    """One number that a plugin has measured, in its own unit."""

    label: str
    unit: str
    value: float


def state_of(exit_code: int) -> int:
    """Return the state: 0 ok, 1 warning, 2 critical, 3 unknown; every other exit code is unknown too."""
    return exit_code if 0 <= exit_code <= UNKNOWN else UNKNOWN


def performance_values(output: str) -> list[PerformanceValue]:
    """Return the numbers behind the `|` of the first line and of the last lines of the long text, in order."""
    found: dict[tuple[str, str], PerformanceValue] = {}
    for match in _ITEM.finditer(_performance_data(output)):
        label = (match[1] or "").replace("''", "'") or match[2]
        value = PerformanceValue(label, match[4] or "", float(match[3]))
        found.setdefault((value.label, value.unit), value)
    return list(found.values())


def _performance_data(output: str) -> str:
    first, _, rest = output.partition("\n")
    parts = [first.partition("|")[2], rest.partition("|")[2]]
    return " ".join(parts)


def first_line(output: str) -> str:
    """Return what the plugin says to people."""
    return " ".join(output.partition("\n")[0].partition("|")[0].split())[:200]
