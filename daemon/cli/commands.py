"""The subcommands of `watchkeeper`, as typer shows and parses them."""

from __future__ import annotations

import typer

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
app.add_typer(_silence, name="silence")
app.command("status")(status.status)
app.command("query")(query.query)
app.command("alerts")(listing.alerts)
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
