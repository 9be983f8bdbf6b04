"""The command `watchkeeper`: one place where every error becomes one line and an exit code.

The daemon runs for months after `watchkeeper run`, so that is understood here without the machinery of the other
commands: it would stay in memory unused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from core.errors import ConfigError, WatchkeeperError
from daemon.cli.failure import INTERRUPTED, OK, PIPE_CLOSED, PROBLEMS, USAGE, CommandError
from daemon.cli.start import plain_start

if TYPE_CHECKING:
    import typer


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process with its exit code."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command, given without the program's name, and return its exit code."""
    # Names and messages from anywhere must not fail on a terminal that cannot show them.
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = _run(list(arguments) or ["--help"])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence()
        return PIPE_CLOSED
    except Exception as error:
        if os.environ.get("WATCHKEEPER_DEBUG") == "1":
            raise
        return _explain(error)
    return code


def _run(arguments: list[str]) -> int:
    direct = plain_start(arguments)
    if direct is not None:
        return direct.run()
    # Outside its standalone mode typer gives back what the command returned, or the code of an Exit.
    result = _command()(args=arguments, prog_name="watchkeeper", standalone_mode=False)
    return result if isinstance(result, int) else OK


@cache
def _command() -> Callable[..., object]:
    """Return all commands, put together once for a process."""
    from typer.main import get_command  # noqa: PLC0415 - the daemon itself needs none of it

    from daemon.cli.commands import app  # noqa: PLC0415

    return get_command(app)


def _explain(error: Exception) -> int:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            _complain(str(problem))
        return PROBLEMS
    if isinstance(error, WatchkeeperError):
        _complain(str(error))
        return error.exit_code if isinstance(error, CommandError) else PROBLEMS
    import typer  # noqa: PLC0415 - only an error of a command line that typer parsed gets here

    if isinstance(error, typer.TyperException):
        _complain(f"{error.format_message().rstrip('.')}; {_help_for(error)}")
        return USAGE
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    kind = type(error).__name__
    _complain(f"unexpected {kind}: {error}; a bug: run it again with WATCHKEEPER_DEBUG=1 and report what that shows")
    return PROBLEMS


def _help_for(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"see '{context.command_path if context is not None else 'watchkeeper'} --help'"


def _silence() -> None:
    from daemon.cli.output import silence  # noqa: PLC0415 - brings typer along

    silence(sys.stdout)


def _complain(message: str) -> None:
    line = " ".join(message.split())
    with suppress(BrokenPipeError):
        print(f"watchkeeper: {line}", file=sys.stderr)
