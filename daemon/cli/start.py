"""`run` in its plain forms, understood without the parser of the other commands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONFIG_VARIABLE = "WATCHKEEPER_CONFIG"


@dataclass(frozen=True, slots=True)
class Start:
    """A daemon to be run with a config file; None for the built-in defaults."""

    config: Path | None

    def run(self) -> int:
        """Run the daemon in the foreground and return its exit status."""
        from core.http.trust import late_trust  # noqa: PLC0415 - every other command does without the rest

        with late_trust():
            from daemon import app  # noqa: PLC0415

        return app.run(self.config)


def plain_start(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Start | None:
    """Return what `run`, `run --config FILE` or `run -c FILE` asks for; None for whatever else is written.

    Help, mistakes and every other command are the parser's; it has a `run` too, which does the same.
    """
    match list(arguments):
        case ["run"]:
            name = environment.get(CONFIG_VARIABLE, "")
            return Start(Path(name) if name else None)
        case ["run", "--config" | "-c", name] if name and not name.startswith("-"):
            return Start(Path(name))
        case _:
            return None
