"""Mistakes that show only when collectors are built, such as an unreadable secret file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from core.config import config_error
from core.errors import ConfigError, Problem
from core.yaml_file import Path_

__all__ = ["build_each", "config_error"]


EntryT = TypeVar("EntryT")
MadeT = TypeVar("MadeT")


def build_each(key: str, entries: Sequence[EntryT], build: Callable[[EntryT, Path_], Iterable[MadeT]]) -> list[MadeT]:
    """Return what `build` makes of each entry of the section `key`, given with its path.

    Raises: ConfigError: the mistakes of all entries together.
    """
    made: list[MadeT] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        try:
            made += build(entry, (key, index))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return made
