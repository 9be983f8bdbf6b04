"""The subcommands of `watchkeeper`, as typer shows and parses them."""

from __future__ import annotations

import typer

from daemon.cli import acting, listing, logbook, own, query, status, testing
from daemon.cli.demo import command as demo
from daemon.cli.doctor import command as doctor

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

_test = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Try out what you wrote, without a daemon.")
_test.command("rules")(testing.rules)

app.callback()(own.root)
app.command("run")(own.run)
app.command("check")(own.check)
app.add_typer(_test, name="test")
app.command("status")(status.status)
app.command("query")(query.query)
app.command("alerts")(listing.alerts)
app.command("incidents")(listing.incidents)
app.command("targets")(listing.targets)
app.command("deploy")(acting.deploy)
app.command("rollback")(acting.rollback)
app.command("operations")(acting.operations)
app.add_typer(_logbook, name="logbook")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("healthcheck")(own.healthcheck)
app.command("version")(own.version)
