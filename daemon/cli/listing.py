"""Commands that list what the daemon knows: `alerts`, `incidents`, `targets`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from daemon.cli.failure import OK, PROBLEMS
from daemon.cli.incident import print_incident
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url, items, now
from daemon.cli.output import Cell, Output
from daemon.cli.status import ALERT_COLUMNS, INCIDENT_COLUMNS, alert_row, incident_row
from daemon.cli.wording import clock_time, length, state

Document = dict[str, Any]

All = Annotated[bool, typer.Option("--all", help="Also pending and resolved ones.")]
IncidentId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this one with its timeline.")]


def alerts(show_all: All = False, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """List the alerts that are firing."""
    document = Client(url, token_file).get("alerts")
    output = Output()
    if as_json:
        output.document(document)
        return OK
    rows = [alert for alert in items(document, "alerts") if show_all or alert["state"] == "firing"]
    if not rows:
        output.line("No alert." if show_all else "No alert is firing.")
        return OK
    output.table(ALERT_COLUMNS, [alert_row(alert, now()) for alert in rows])
    return OK


def incidents(
    incident_id: IncidentId = None, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False
) -> int:
    """List incidents, or show one with its timeline."""
    client, output = Client(url, token_file), Output()
    document = client.get("incidents" if incident_id is None else f"incidents/{incident_id}")
    if as_json:
        output.document(document)
    elif incident_id is not None:
        print_incident(output, document)
    elif rows := items(document, "incidents"):
        output.table(INCIDENT_COLUMNS, [incident_row(incident, now()) for incident in rows])
    else:
        output.line("No incident yet.")
    return OK


def targets(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """List what is collected from where. Exit code 1 when a target is down."""
    document = Client(url, token_file).get("targets")
    rows, output = items(document, "targets"), Output()
    if as_json:
        output.document(document)
    elif rows:
        columns = ("health", "target", "collected", "took", "samples", "every", "error")
        output.table(columns, [_target_row(target) for target in rows])
    else:
        output.line("No target.")
    return PROBLEMS if any(target["health"] == "down" for target in rows) else OK


def _target_row(target: Document) -> list[str | Cell]:
    samples = target.get("samples")
    return [state(target["health"]), target["source"], clock_time(target.get("last_collected")),
            length(target.get("last_duration_seconds")), "-" if samples is None else str(samples),
            length(target["interval_seconds"]), target.get("last_error") or ""]  # fmt: skip
