"""What templates of rules know beside their series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from metrics.promql.asking import InstantEngine


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What templates know beside their series.

    Attributes:
        external_url: where people reach the daemon.
        engine: whom `query` asks, about the time `at_ms` (Unix milliseconds); None where nobody can be asked.
    """

    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    engine: InstantEngine | None = None
    at_ms: int = 0


NOWHERE = Surroundings()
