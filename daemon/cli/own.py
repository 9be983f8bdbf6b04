"""Commands about the program itself: `run`, `check`, `healthcheck`, `version`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.version import __version__
from daemon.cli.failure import OK, PROBLEMS, UnreachableError
from daemon.cli.options import DEFAULT_URL, Client, Json, Url
from daemon.cli.output import Output
from daemon.cli.start import CONFIG_VARIABLE, Start

if TYPE_CHECKING:
    from core.errors import Problem

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The configuration; without one, defaults."
    ),
]
ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="A configuration file.")]


def run(config: Config = None) -> int:
    """Start the daemon, in the foreground."""
    return Start(config).run()


def check(file: ConfigFile, as_json: Json = False) -> int:
    """Check a configuration file.

    Prints every mistake with its place and what to do, and every key that has no effect here; exit code 1 when there
    is a mistake.
    """
    from daemon import preparation  # noqa: PLC0415

    verdict = preparation.judge(file)
    output = Output()
    if as_json:
        output.document(
            {
                "file": str(file),
                "problems": [_document(problem) for problem in verdict.problems],
                "notes": [_document(note) for note in verdict.notes],
            }
        )
        return PROBLEMS if verdict.problems else OK
    for problem in (*verdict.problems, *verdict.notes):
        output.line(str(problem))
    if verdict.problems:
        return PROBLEMS
    from daemon.cli.summary import summarise  # noqa: PLC0415

    output.line(f"{file}: ok: {summarise(file)}")
    return OK


def _document(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "line", "column", "path", "message")}


def healthcheck(url: Url = DEFAULT_URL) -> int:
    """Tell by the exit code whether the daemon is well.

    Only the daemon itself counts: one that finds its services unhealthy does its work, and must not be restarted
    for it.
    """
    output = Output()
    try:
        status, body = Client(url, timeout_seconds=5).root("/-/healthy")
    except UnreachableError as error:
        raise UnreachableError(str(error), exit_code=PROBLEMS) from error  # 2 is reserved by Docker
    word = _health_word(body)
    output.line(word or f"answered {status}")
    return OK if status == 200 and word not in (None, "failing") else PROBLEMS


def _health_word(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return str(document.get("status")) if isinstance(document, dict) and "status" in document else None


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]


def root(show_version: Version = False) -> None:
    """One daemon that watches and acts: metrics, alerts, incidents, deploys and rollbacks."""


def version(as_json: Json = False) -> int:
    """Print the version."""
    if as_json:
        Output().document({"version": __version__})
    else:
        Output().line(f"watchkeeper {__version__}")
    return OK
