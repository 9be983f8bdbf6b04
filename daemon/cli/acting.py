"""Commands that change something: `deploy`, `rollback`, and `operations` to follow and cancel them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.failure import OK, PROBLEMS, CommandError
from daemon.cli.follow import ENDED, StepPrinter, follow, print_outcome
from daemon.cli.options import DEFAULT_URL, Client, Json, Reason, TokenFile, Url, Wait, items
from daemon.cli.output import Cell, Output
from daemon.cli.status import OPERATION_COLUMNS, operation_row, service_name
from daemon.cli.wording import date_time, state

Document = dict[str, Any]

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="A service of the configuration.")]
Environment = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="One of its environments.")]
Artifact = Annotated[
    str, typer.Option("--artifact", metavar="PATH", help="The release: a directory or an archive.", show_default=False)
]
Version = Annotated[str, typer.Option("--version", metavar="TEXT", help="What to call the release.")]
Checksum = Annotated[str, typer.Option("--sha256", metavar="HEX", help="What the artifact must be.")]
Force = Annotated[bool, typer.Option("--force", help="Deploy even what runs already or is in quarantine.")]
To = Annotated[
    str,
    typer.Option("--to", metavar="REVISION|VERSION", help="A revision (3 or r3) or a version; default: the last good."),
]
OperationId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this one with its steps.")]
ServiceFilter = Annotated[str, typer.Option("--service", help="Only those of this service.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many of the newest.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Stop it; what it did is undone where that is possible.")]


def deploy(
    service: Service,
    environment: Environment,
    artifact: Artifact,
    version: Version = "",
    sha256: Checksum = "",
    force: Force = False,
    reason: Reason = "",
    wait: Wait = True,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Deploy a release, showing each step as it happens."""
    # The daemon has another working directory than the person who types.
    parameters: Document = {"artifact": str(Path(artifact).absolute()), "version": version, "sha256": sha256}
    given = {name: value for name, value in parameters.items() if value} | ({"force": True} if force else {})
    request = _request("deploy", service, environment, given, reason)
    return _start(Client(url, token_file), request, wait=wait, as_json=as_json)


def rollback(
    service: Service,
    environment: Environment,
    to: To = "",
    reason: Reason = "",
    wait: Wait = True,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Go back to the last good release, or to a given one."""
    request = _request("rollback", service, environment, _target(to), reason)
    return _start(Client(url, token_file), request, wait=wait, as_json=as_json)


def _target(to: str) -> Document:
    number = to.removeprefix("r")
    if number.isascii() and number.isdecimal():
        return {"revision": int(number)}
    return {"version": to} if to else {}


def _request(kind: str, service: str, environment: str, parameters: Document, reason: str) -> Document:
    return {"kind": kind, "service": service, "environment": environment, "parameters": parameters, "reason": reason}


def _start(client: Client, request: Document, *, wait: bool, as_json: bool) -> int:
    operation: Document = client.post("operations", request)
    return _show(client, operation, watch=wait, as_json=as_json)


def operations(
    operation_id: OperationId = None,
    watch: Watch = False,
    cancel: Cancel = False,
    service: ServiceFilter = "",
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """List operations, or show, follow or cancel one."""
    client = Client(url, token_file)
    if operation_id is None:
        if watch or cancel:
            raise CommandError("--watch and --cancel need an operation", "give its ID; 'watchkeeper operations' lists")
        return _list(client, {"service": service, "limit": limit}, as_json=as_json)
    if cancel:
        client.post(f"operations/{operation_id}/cancel")
    operation: Document = client.get(f"operations/{operation_id}")
    if not watch and not as_json:
        _print_head(Output(), operation)
    return _show(client, operation, watch=watch, as_json=as_json)


def _list(client: Client, parameters: Document, *, as_json: bool) -> int:
    document = client.get("operations", parameters)
    rows, output = items(document, "operations"), Output()
    if as_json:
        output.document(document)
    elif rows:
        output.table(OPERATION_COLUMNS, [_list_row(operation) for operation in rows])
    else:
        output.line("No operation yet.")
    return OK


def _list_row(operation: Document) -> list[str | Cell]:
    started = operation["started_at"] or operation["created_at"]
    return operation_row(operation, operation["ended_at"] or started)


def _show(client: Client, operation: Document, *, watch: bool, as_json: bool) -> int:
    output = Output()
    on_change = (lambda _operation: None) if as_json else StepPrinter(output)
    if watch:
        operation = follow(client, str(operation["id"]), on_change)
    elif not as_json:
        on_change(operation)
    if as_json:
        output.document(operation)
    else:
        print_outcome(output, operation)
    return PROBLEMS if operation["state"] in ENDED and operation["state"] != "succeeded" else OK


def _print_head(output: Output, operation: Document) -> None:
    output.line(Cell(f"Operation {operation['id']}", "strong"), f": {operation['kind']} of {service_name(operation)}")
    output.line("  state   ", state(operation["state"]))
    output.line(f"  asked   {date_time(operation['created_at'])} by {operation['requested_by']}")
    if operation["reason"]:
        output.line(f"  reason  {operation['reason']}")
    if operation["parameters"]:
        output.line("  with    " + " ".join(f"{key}={value}" for key, value in operation["parameters"].items()))
    output.line()
