"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.client import DEFAULT_URL, Client

Url = Annotated[str, typer.Option("--url", envvar="WATCHKEEPER_URL", metavar="URL", help="Address of the daemon.")]

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file", envvar="WATCHKEEPER_TOKEN_FILE", metavar="FILE", help="File with the token to sign in with."
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print the API's document instead of text.")]

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the logbook.")]

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the operation to its end, or only start it.")]

__all__ = ["DEFAULT_URL", "Client", "Json", "Reason", "TokenFile", "Url", "Wait", "items", "now"]


def items(document: Any, key: str) -> list[dict[str, Any]]:
    """Return the rows of a list document, whether the API sends them bare or under their name."""
    rows = document.get(key, []) if isinstance(document, dict) else document
    return list(rows)


def now() -> float:
    """Return the time, in Unix seconds."""
    from core.clock import SystemClock  # noqa: PLC0415 - brings asyncio, which --help does not need

    return SystemClock().now()
