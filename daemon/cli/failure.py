"""What goes wrong on the command line, each as one line with its remedy and its exit code."""

from __future__ import annotations

from core.errors import WatchkeeperError

OK = 0
PROBLEMS = 1
"""Something was found: unhealthy, an operation failed, a file has mistakes."""
USAGE = 2
"""The command was wrong, or there is no daemon to ask."""
INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell reports for a program whose reader went away."""


class CommandError(WatchkeeperError):
    """The command cannot go on.

    Args:
        message: what is wrong, with the place and the value.
        remedy: what the person can do about it; empty when the message says so already.
    """

    def __init__(self, message: str, remedy: str = "", *, exit_code: int = USAGE) -> None:
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.exit_code = exit_code


class UnreachableError(CommandError):
    """No daemon answers at the address."""


class ApiError(CommandError):
    """The daemon answered, and refused."""

    def __init__(self, status: int, message: str, remedy: str = "") -> None:
        found_problem = status == 409 or status >= 500
        super().__init__(message, remedy, exit_code=PROBLEMS if found_problem else USAGE)
        self.status = status
