"""The command `watchkeeper`: one place where every error becomes one line and an exit code.

The daemon runs for months after `watchkeeper run`, so that is understood here without the machinery of the other
commands: it would stay in memory unused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from core.errors import ConfigError, WatchkeeperError
<<<<<<< HEAD
from daemon.cli import (
    acting,
    incident,
    listing,
    logbook,
    notify,
    oncall,
    own,
    query,
    routes,
    silencing,
    status,
    testing,
)
from daemon.cli.demo import command as demo
from daemon.cli.doctor import command as doctor
=======
>>>>>>> main
from daemon.cli.failure import INTERRUPTED, OK, PIPE_CLOSED, PROBLEMS, USAGE, CommandError
from daemon.cli.start import plain_start

<<<<<<< HEAD
# Plain help: rich would take 100 ms to draw boxes around it.
app = typer.Typer(
    name="watchkeeper",
    epilog="Exit codes: 0 all is well, 1 problems were found, 2 wrong usage or no daemon to ask.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
_logbook = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
_logbook.callback()(logbook.logbook)
_logbook.command("verify")(logbook.verify)

_oncall = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
_oncall.callback()(oncall.oncall)
_override = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Let somebody stand in, or take it back.")
_override.command("add")(oncall.add)
_override.command("remove")(oncall.remove)
_oncall.add_typer(_override, name="override")

_incident = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Work on an incident.")
for _name, _command in (
    ("show", incident.show), ("ack", incident.acknowledge), ("note", incident.note), ("assign", incident.assign),
    ("severity", incident.severity), ("mitigate", incident.mitigate), ("resolve", incident.resolve),
    ("reopen", incident.reopen), ("merge", incident.merge), ("split", incident.split), ("open", incident.open_one),
    ("review", incident.review), ("figures", incident.figures),
):  # fmt: skip
    _incident.command(_name)(_command)

_test = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Try out what you wrote, without a daemon.")
_test.command("rules")(testing.rules)

_routes = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Show and try out who is told of what.")
_routes.command("show")(routes.show)
_routes.command("test")(routes.test)

_notify = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Try out who is told.")
_notify.command("test")(notify.test)

_silence = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Keep alerts from being told for a while.")
_silence.command("add")(silencing.add)
_silence.command("list")(silencing.show)
_silence.command("update")(silencing.update)
_silence.command("expire")(silencing.expire)

app.callback()(own.root)
app.command("run")(own.run)
app.command("check")(own.check)
app.add_typer(_test, name="test")
app.add_typer(_routes, name="routes")
app.add_typer(_notify, name="notify")
app.command("status")(status.status)
app.command("query")(query.query)
app.command("alerts")(listing.alerts)
app.add_typer(_silence, name="silence")
app.command("incidents")(listing.incidents)
app.add_typer(_oncall, name="oncall")
app.add_typer(_incident, name="incident")
app.command("targets")(listing.targets)
app.command("deploy")(acting.deploy)
app.command("rollback")(acting.rollback)
app.command("operations")(acting.operations)
app.add_typer(_logbook, name="logbook")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("healthcheck")(own.healthcheck)
app.command("version")(own.version)
=======
if TYPE_CHECKING:
    import typer
>>>>>>> main


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
    from daemon.cli.commands import app  # noqa: PLC0415 - the daemon itself needs none of it

    # Outside its standalone mode typer gives back what the command returned, or the code of an Exit.
    result = app(args=arguments, prog_name="watchkeeper", standalone_mode=False)
    return result if isinstance(result, int) else OK


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
