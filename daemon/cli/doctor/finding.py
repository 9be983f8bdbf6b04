"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; a remedy belongs to all but `ok`."""

    level: Level
    check: str
    message: str
    remedy: str = ""
