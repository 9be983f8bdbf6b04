"""`watchkeeper incident`: what people do with an incident."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.failure import OK, CommandError
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url
from daemon.cli.output import Cell, Output
from daemon.cli.status import service_name
from daemon.cli.wording import between, clock_time, date_time, length, state

Document = dict[str, Any]

Number = Annotated[int, typer.Argument(metavar="ID", min=1, help="The incident's number.")]
Note = Annotated[str, typer.Option("--note", "-m", help="A note for its timeline.")]
Person = Annotated[
    str, typer.Option("--as", metavar="NAME", envvar="WATCHKEEPER_PERSON", help="Your name, as others know you.")
]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is worth remembering.")]
Owner = Annotated[str, typer.Argument(metavar="NAME", help="Who works on it; '' for nobody.")]
Severity = Annotated[str, typer.Argument(metavar="SEVERITY", help="critical, high, medium or low.")]
Into = Annotated[int, typer.Argument(metavar="INTO", min=1, help="The incident that it is part of.")]
Alerts = Annotated[list[str], typer.Argument(metavar="ALERT...", help="Ids of the alerts that belong elsewhere.")]
NewTitle = Annotated[str, typer.Option("--title", help="Title of the new one; default: of its worst alert.")]
Title = Annotated[str, typer.Argument(metavar="TITLE", help="What is wrong, in a few words.")]
Service = Annotated[str, typer.Option("--service", help="The service that it is about.")]
Environment = Annotated[str, typer.Option("--environment", help="The service's environment.")]
SeverityOption = Annotated[str, typer.Option("--severity", help="critical, high, medium or low.")]
Html = Annotated[bool, typer.Option("--html", help="One HTML file with charts, rather than Markdown.")]
OutputFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; default: here.")
]
Cause = Annotated[str, typer.Option("--cause", help="Close the review: what caused it.")]
Impact = Annotated[str, typer.Option("--impact", help="Close the review: who felt it, and how.")]
FollowUps = Annotated[str, typer.Option("--follow-ups", help="Close the review: what will be done.")]
Close = Annotated[bool, typer.Option("--close", help="Close the review, with nothing to add.")]
Days = Annotated[int, typer.Option("--days", min=1, max=3650, help="How far back.")]


def show(number: Number, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """Show one incident with its alerts, suspects and timeline."""
    document = Client(url, token_file).get(f"incidents/{number}")
    output = Output()
    if as_json:
        output.document(document)
    else:
        print_incident(output, document)
    return OK


def acknowledge(
    number: Number, note: Note = "", person: Person = "", url: Url = DEFAULT_URL, token_file: TokenFile = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Say that you work on it; this stops its escalation."""
    return _act(Client(url, token_file), number, "acknowledge", {"note": note}, person, as_json=as_json)


def mitigate(
    number: Number, note: Note = "", person: Person = "", url: Url = DEFAULT_URL, token_file: TokenFile = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Say that its effects are contained, though its cause may not be removed."""
    return _act(Client(url, token_file), number, "mitigate", {"note": note}, person, as_json=as_json)


def resolve(
    number: Number, note: Note = "", person: Person = "", url: Url = DEFAULT_URL, token_file: TokenFile = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """End it, whether or not its alerts still fire."""
    return _act(Client(url, token_file), number, "resolve", {"note": note}, person, as_json=as_json)


def reopen(
    number: Number, note: Note = "", person: Person = "", url: Url = DEFAULT_URL, token_file: TokenFile = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Take it up again; only a person resolves it then."""
    return _act(Client(url, token_file), number, "reopen", {"note": note}, person, as_json=as_json)


def note(
    number: Number, text: Text, person: Person = "", url: Url = DEFAULT_URL, token_file: TokenFile = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Put a note on its timeline."""
    return _act(Client(url, token_file), number, "note", {"note": text}, person, as_json=as_json)


def assign(
    number: Number, owner: Owner, note: Note = "", person: Person = "", url: Url = DEFAULT_URL,
    token_file: TokenFile = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Say who works on it."""
    body = {"owner": owner, "note": note}
    return _act(Client(url, token_file), number, "assign", body, person, as_json=as_json)


def severity(
    number: Number, severity: Severity, note: Note = "", person: Person = "", url: Url = DEFAULT_URL,
    token_file: TokenFile = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Say how bad it is."""
    body = {"severity": severity, "note": note}
    return _act(Client(url, token_file), number, "severity", body, person, as_json=as_json)


def merge(
    number: Number, into: Into, note: Note = "", person: Person = "", url: Url = DEFAULT_URL,
    token_file: TokenFile = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Put its alerts and history into another incident."""
    body: Document = {"into": into, "note": note}
    return _act(Client(url, token_file), number, "merge", body, person, as_json=as_json)


def split(
    number: Number, alerts: Alerts, title: NewTitle = "", note: Note = "", person: Person = "", url: Url = DEFAULT_URL,
    token_file: TokenFile = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Make some of its alerts an incident of their own."""
    body: Document = {"alerts": alerts, "title": title, "note": note}
    return _act(Client(url, token_file), number, "split", body, person, as_json=as_json)


def open_one(
    title: Title, service: Service = "", environment: Environment = "", severity: SeverityOption = "high",
    note: Note = "", person: Person = "", url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Open an incident that no alert tells of."""
    body = {
        "title": title, "service": service, "environment": environment, "severity": severity, "note": note,
        "person": person,
    }  # fmt: skip
    return _tell(Client(url, token_file).post("incidents", body), as_json=as_json)


def review(
    number: Number, html: Html = False, output_file: OutputFile = None, cause: Cause = "", impact: Impact = "",
    follow_ups: FollowUps = "", close: Close = False, person: Person = "", url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
) -> int:  # fmt: skip
    """Print the drafted review as Markdown or HTML; with findings, close it first."""
    client = Client(url, token_file)
    findings = {"cause": cause, "impact": impact, "follow_ups": follow_ups}
    if close or any(findings.values()):
        client.post(f"incidents/{number}/review", {**findings, "person": person})
    report = client.text(f"incidents/{number}/review", {"format": "html" if html else "markdown"})
    if output_file is None:
        Output().write(report)
        return OK
    try:
        output_file.write_text(report, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{output_file}: {error.strerror}", "give another file with --output") from error
    Output().line(f"review of incident {number} written to {output_file}")
    return OK


def figures(days: Days = 30, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """Show how many incidents there were, and how soon they were acknowledged and over."""
    document, output = Client(url, token_file).get("incidents/figures", {"days": days}), Output()
    if as_json:
        output.document(document)
        return OK
    columns = ("service", "incidents", "open", "detected", "acknowledged", "over", "longest")
    rows = [_figures_row(one["service"] or "-", one) for one in document["services"]]
    output.line(f"The last {days} days; times are medians.")
    output.table(columns, [*rows, _figures_row("all", document["all"])])
    return OK


def _figures_row(name: str, one: Document) -> list[str | Cell]:
    return [name, str(one["incidents"]), str(one["open"]), length(one["detect"]["median"]),
            length(one["acknowledge"]["median"]), length(one["recover"]["median"]),
            length(one["recover"]["worst"])]  # fmt: skip


def _act(client: Client, number: int, action: str, body: Document, person: str, *, as_json: bool) -> int:
    return _tell(client.post(f"incidents/{number}/{action}", {**body, "person": person}), as_json=as_json)


def _tell(incident: Document, *, as_json: bool) -> int:
    output = Output()
    if as_json:
        output.document(incident)
        return OK
    owner = f", with {incident['owner']}" if incident["owner"] else ""
    head, severity = f"incident {incident['id']}: ", state(incident["severity"])
    output.line(head, state(incident["status"]), ", ", severity, f"{owner}: {incident['title']}")
    return OK


def print_incident(output: Output, incident: Document) -> None:
    """Write one incident and everything that happened in it."""
    output.line(Cell(f"Incident {incident['id']}", "strong"), f": {incident['title']}")
    output.line("  status    ", state(incident["status"]))
    output.line("  severity  ", state(incident["severity"]))
    output.line(f"  service   {service_name(incident)}")
    if incident.get("owner"):
        output.line(f"  owner     {incident['owner']}")
    output.line(f"  opened    {date_time(incident['opened_at'])}")
    for name, word in (("acknowledged", "taken"), ("mitigated", "contained"), ("resolved", "resolved")):
        moment = incident.get(f"{name}_at")
        if moment:
            by = f" by {incident['acknowledged_by']}" if name == "acknowledged" else ""
            after = between(incident["opened_at"], moment)
            output.line(f"  {word:<10}{date_time(moment)}, after {after}{by}")
    if incident.get("merged_into"):
        output.line(f"  merged    into incident {incident['merged_into']}")
    for suspect in incident.get("suspects") or ():
        output.line("  suspect   ", Cell(str(suspect), "warn"))
    if incident.get("alert_details"):
        rows = [_alert_row(alert) for alert in incident["alert_details"]]
        output.line()
        output.table(["alert", "state", "since", "id", "summary"], rows, indent=2)
    if incident.get("timeline"):
        output.line()
        output.table(["time", "what", "more"], list(map(_line_row, incident["timeline"])), indent=2)


def _alert_row(alert: Document) -> list[str | Cell]:
    condition = state("firing" if alert["resolved_at"] is None else "resolved")
    annotations = alert["annotations"]
    summary = annotations.get("summary") or annotations.get("description") or alert["expr"]
    return [alert["name"], condition, clock_time(alert["joined_at"]), alert["id"], summary]


def _line_row(line: Document) -> list[str | Cell]:
    text = Cell(line["text"], "warn") if line["is_suspect"] else line["text"]
    return [clock_time(line["time"]), text, line["detail"]]
