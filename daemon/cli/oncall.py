"""The command `oncall`: who is on call now, next and at any time, and who stands in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from daemon.cli.failure import OK, PROBLEMS
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url, items
from daemon.cli.output import Cell, Output
from daemon.cli.wording import date_time

Document = dict[str, Any]

NOBODY = Cell("nobody", "bad")

At = Annotated[
    str,
    typer.Option(
        "--at", metavar="TIME", help="When: '+8h', '2026-12-24 09:00', with a zone or not, or Unix seconds; else now."
    ),
]
ScheduleFilter = Annotated[str, typer.Option("--schedule", metavar="NAME", help="Only this schedule.")]
Days = Annotated[int, typer.Option("--days", min=0, max=92, help="List the shifts of so many days too.")]
Schedule = Annotated[str, typer.Argument(metavar="SCHEDULE", help="A schedule of the configuration.")]
Person = Annotated[str, typer.Argument(metavar="PERSON", help="Who stands in.")]
To = Annotated[
    str,
    typer.Option(
        "--to", metavar="TIME", help="Until when: '+8h' from now, or '2026-12-24 09:00' in the schedule's time.",
        show_default=False,
    ),
]  # fmt: skip
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Since when.")]
InsteadOf = Annotated[str, typer.Option("--instead-of", metavar="PERSON", help="Whose place; else that of all.")]
Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why.")]
OverrideId = Annotated[int, typer.Argument(metavar="ID", help="What 'watchkeeper oncall' shows.")]

COLUMNS = ("schedule", "on call", "until", "then", "zone")


def oncall(
    context: typer.Context,
    at: At = "",
    schedule: ScheduleFilter = "",
    days: Days = 0,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Say who is on call. Exit code 1 when nobody is, by one of the schedules."""
    if context.invoked_subcommand is not None:
        return OK
    parameters = {name: value for name, value in {"at": at, "schedule": schedule, "days": days}.items() if value}
    document = Client(url, token_file).get("oncall", parameters)
    rows, output = items(document, "schedules"), Output()
    if as_json:
        output.document(document)
    elif rows:
        output.table(COLUMNS, [_row(one) for one in rows])
        for one in rows:
            _print_more(output, one)
    else:
        output.line("No schedule; add some under 'schedules' of the config file.")
    return PROBLEMS if any(not one["people"] for one in rows) else OK


def add(
    schedule: Schedule,
    person: Person,
    to: To,
    from_: From = "now",
    instead_of: InsteadOf = "",
    comment: Comment = "",
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Let somebody stand in for a time."""
    asked: Document = {"schedule": schedule, "person": person, "from": from_, "to": to}
    asked |= {name: value for name, value in {"instead_of": instead_of, "comment": comment}.items() if value}
    override = Client(url, token_file).post("oncall/overrides", asked)
    _show(override, f"Override {override['id']}: {_override_text(override)}", as_json=as_json)
    return OK


def remove(override_id: OverrideId, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """Take back that somebody stands in."""
    override = Client(url, token_file).post(f"oncall/overrides/{override_id}/remove")
    _show(override, f"Removed override {override_id}: {_override_text(override)}", as_json=as_json)
    return OK


def _show(override: Document, text: str, *, as_json: bool) -> None:
    if as_json:
        Output().document(override)
    else:
        Output().line(text)


def _row(one: Document) -> list[str | Cell]:
    coming = one["next"]
    then = "-" if coming is None else ", ".join(coming["people"]) or "nobody"
    return [one["name"], _people(one["people"]), date_time(one["until"]), then, one["time_zone"]]


def _people(people: list[str]) -> str | Cell:
    return ", ".join(people) if people else NOBODY


def _print_more(output: Output, one: Document) -> None:
    if one["shifts"]:
        output.line()
        output.line(Cell(one["name"], "strong"))
        rows = [[date_time(shift["starts_at"]), date_time(shift["ends_at"]), _people(shift["people"])]
                for shift in one["shifts"]]  # fmt: skip
        output.table(("from", "to", "on call"), rows, indent=2)
    if one["overrides"]:
        output.line()
        output.line(Cell(f"Overrides of {one['name']}", "strong"))
        rows = [[str(each["id"] or "config"), _override_text(each), each["comment"]] for each in one["overrides"]]
        output.table(("id", "who", "why"), rows, indent=2)


def _override_text(override: Document) -> str:
    place = f" for {override['instead_of']}" if override["instead_of"] else ""
    when = f"{date_time(override['starts_at'])} to {date_time(override['ends_at'])}"
    return f"{override['person']}{place}, {when}"
