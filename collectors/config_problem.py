"""Mistakes that show only when collectors are built, such as an unreadable secret file."""

from __future__ import annotations

from core.errors import ConfigError, Problem
from core.yaml_file import Path_, dotted


def config_error(path: Path_, message: str) -> ConfigError:
    """Return the error for the value at `path` of the config file, whose name only the daemon knows."""
    return ConfigError([Problem("config", 0, 0, dotted(path), message)])
