"""`watchkeeper logbook`: what happened, and whether the record was touched."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.client import Document
from daemon.cli.failure import OK, PROBLEMS, CommandError, UnreachableError
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url, items
from daemon.cli.output import Cell, Output
from daemon.cli.wording import date_time, plural

if TYPE_CHECKING:
    from core.logbook import Fault

FOLLOW_SECONDS = 1.0
KIND_WIDTH = 19
"""So wide are most kinds (`operation.succeeded`); a column for lines that come one by one."""

Kind = Annotated[str, typer.Option("--kind", help="Only this kind; 'alert.' with a dot for all below it.")]
Subject = Annotated[str, typer.Option("--subject", help="Only what happened to this, such as 'incident/7'.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many of the newest entries.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new entries as they come.")]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Check a state directory itself, without the daemon."),
]


def logbook(
    context: typer.Context,
    kind: Kind = "",
    subject: Subject = "",
    limit: Limit = 30,
    follow: Follow = False,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Show what happened; 'logbook verify' checks the record."""
    if context.invoked_subcommand is not None:
        return OK
    client, output = Client(url, token_file), Output()
    wanted = {"kind": kind, "subject": subject}
    document = client.get("logbook", {**wanted, "limit": limit, "newest": 1})
    entries = items(document, "entries")
    if as_json and not follow:
        output.document(document)
        return OK
    write = _json_writer(output) if as_json else _text_writer(output)
    write(entries)
    if follow:
        last = entries[-1]["number"] if entries else 0
        _follow(lambda after: items(client.get("logbook", {**wanted, "after": after, "limit": 1000}), "entries"),
                write, last)  # fmt: skip
    elif not entries:
        output.line("No entry.")
    return OK


def _follow(
    newer: Callable[[int], list[Document]],
    write: Callable[[list[Document]], None],
    last: int,
) -> None:
    """Write new entries until the person has seen enough; a daemon that restarts is waited for."""
    while True:
        time.sleep(FOLLOW_SECONDS)
        try:
            entries = newer(last)
        except UnreachableError:
            continue
        write(entries)
        last = entries[-1]["number"] if entries else last


def _text_writer(output: Output) -> Callable[[list[Document]], None]:
    def write(entries: list[Document]) -> None:
        for when, kind, subject, details in entry_lines(entries):
            padding = " " * (KIND_WIDTH - len(kind.text))
            output.line(Cell(when, "dim"), "  ", kind, padding, "  ", subject, "  ", details)

    return write


def _json_writer(output: Output) -> Callable[[list[Document]], None]:
    import json  # noqa: PLC0415

    def write(entries: list[Document]) -> None:
        output.write("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))

    return write


def entry_lines(entries: list[Document]) -> list[tuple[str, Cell, str, str]]:
    """Return time, kind, subject and details of each entry."""
    return [
        (date_time(entry["time"]), _kind(entry["kind"]), entry["subject"], details(entry.get("data") or {}))
        for entry in entries
    ]


def _kind(kind: str) -> Cell:
    ending = kind.rpartition(".")[2]
    if ending in ("failed", "refused", "firing", "opened"):
        return Cell(kind, "bad")
    return Cell(kind, "good" if ending in ("succeeded", "resolved") else "")


def details(data: dict[str, Any]) -> str:
    """Return an entry's data as `key=value` words; times and what is empty or nested deeper is left to --json."""
    return " ".join(f"{key}={_word(value)}" for key, value in data.items() if _is_worth_a_word(key, value))


def _is_worth_a_word(key: str, value: object) -> bool:
    return value not in (None, "") and not isinstance(value, dict | list) and not key.endswith(("_at", "_since"))


def _word(value: object) -> str:
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if " " in text else text


def verify(state: State = None, url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """Check that no entry was changed, removed or inserted.

    Exit code 1 when one was; each is named.
    """
    document = Client(url, token_file).get("logbook/verify") if state is None else verify_directory(state)
    output = Output()
    if as_json:
        output.document(document)
        return PROBLEMS if document["faults"] else OK
    for fault in document["faults"]:
        output.line(Cell(f"entry {fault['number']}", "bad"), f": {fault['reason']}")
    count = plural(document["entries"], "entry")
    if document["faults"]:
        output.line(f"logbook: {plural(len(document['faults']), 'fault')} in {count}")
        return PROBLEMS
    output.line("logbook: ", Cell("ok", "good"), f": {count}, the chain holds")
    return OK


def verify_directory(directory: Path) -> Document:
    """Check the logbook in a state directory, reading only; the daemon may run or not.

    Raises: CommandError: there is no logbook, or it cannot be read.
    """
    file = _find_database(directory)
    try:
        count, faults = _read_faults(file)
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error)
        raise CommandError(f"{file}: the logbook cannot be read: {reason}", "restore it from a backup") from error
    return {"entries": count, "faults": [{"number": fault.number, "reason": fault.reason} for fault in faults]}


def _read_faults(file: Path) -> tuple[int, list[Fault]]:
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - 200 ms that only this command needs
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    from core.logbook import find_faults  # noqa: PLC0415

    engine = create_engine("sqlite://", creator=lambda: _open_read_only(file), poolclass=NullPool)
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM logbook_entry")).scalar_one()
        return int(count), list(find_faults(connection))


def _open_read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)


def _find_database(directory: Path) -> Path:
    if not directory.is_dir():
        raise CommandError(f"{directory} is no directory", "give the daemon's state directory with --state")
    try:
        for file in _sqlite_files(directory):
            if _has_logbook(file):
                return file
    except OSError as error:
        raise CommandError(f"{directory}: {error.strerror}", "run this as the daemon's user") from None
    raise CommandError(f"{directory} has no state database with a logbook", "give the daemon's state directory")


def _sqlite_files(directory: Path) -> Iterator[Path]:
    for file in sorted(directory.iterdir()):
        if file.is_file():
            with file.open("rb") as stream:
                if stream.read(16) == b"SQLite format 3\x00":
                    yield file


def _has_logbook(file: Path) -> bool:
    try:
        with closing(_open_read_only(file)) as connection:
            query = "SELECT 1 FROM sqlite_master WHERE name = 'logbook_entry'"
            return connection.execute(query).fetchone() is not None
    except sqlite3.Error as error:
        raise CommandError(f"{file}: {error}", "restore it from a backup, or check who may read it") from None
