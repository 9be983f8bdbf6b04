"""The surroundings of the integrations of a config: its templates and what counts for all receivers."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from alerting.notify.global_config import NotificationDefaults
from alerting.notify.integration import Setting
from alerting.template.notification import Templates, notification_data
from core.clock import Clock, SystemClock


def make_setting(
    patterns: Sequence[str], base: Path, defaults: NotificationDefaults, clock: Clock | None = None
) -> Setting:
    """Return the surroundings; reads the files with templates, so it is for a thread.

    Args:
        patterns: of files with templates, from the folder `base`.
    Raises: UserError: a file cannot be read, or holds no template.
    """
    return Setting(
        base=base,
        clock=clock if clock is not None else SystemClock(),
        templates=Templates(template_files(patterns, base)),
        data_of=notification_data,
        defaults=defaults,
    )


def template_files(patterns: Sequence[str], base: Path) -> list[Path]:
    """Return the files that patterns name, each once, in order; a name that is no pattern is a file in any case."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        place = str(base / pattern)
        names = sorted(glob.glob(place)) if glob.has_magic(pattern) else [place]  # noqa: PTH207 - absolute ones too
        found |= dict.fromkeys(map(Path, names))
    return list(found)
