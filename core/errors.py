"""The tree of errors, named by what the caller should do about them.

A message names the place, the value and the remedy. Everything else that is raised is a bug of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class WatchkeeperError(Exception):
    """Any failure that we expected and can explain; never shown with a traceback."""


class UserError(WatchkeeperError):
    """A person has to change something: a config file, an argument, an expression."""


class NotFoundError(UserError):
    """What was asked for by name does not exist."""


class ForbiddenError(UserError):
    """Who asked may not do what was asked."""


class ConflictError(UserError):
    """What was asked for cannot be done now, because of something that is already so."""


class TransientError(WatchkeeperError):
    """It may work later: retry with backoff."""


class StoreUnavailableError(TransientError):
    """The state database cannot be written or read now (full disk, lock, broken device)."""


class PermanentError(WatchkeeperError):
    """Trying again cannot help, and no person gave a wrong input."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file.

    `path` is the dotted way to the value inside the document; `line` and `column` count from 1 and are 0 where
    the mistake has no place (a missing file).
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        return place + (f"{self.path}: " if self.path else "") + self.message


class ConfigError(UserError):
    """One or more mistakes in configuration files, all that could be found at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
