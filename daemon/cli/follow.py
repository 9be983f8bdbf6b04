"""Following an operation to its end, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from daemon.cli.client import Client
from daemon.cli.failure import UnreachableError
from daemon.cli.output import Cell, Output, Piece
from daemon.cli.status import service_name
from daemon.cli.wording import between, clock_time

Document = dict[str, Any]

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 30.0
"""How long a daemon that restarts is waited for: the operation goes on when it is back."""

ENDED = ("succeeded", "failed", "cancelled")


def follow(
    client: Client,
    operation_id: str,
    on_change: Callable[[Document], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Document:
    """Return the operation when it has ended; `on_change` sees every state of it in between.

    Raises: UnreachableError: the daemon stays away; ApiError: there is no such operation.
    """
    seen: Document | None = None
    last_answer = monotonic()
    while True:
        try:
            operation: Document = client.get(f"operations/{operation_id}")
        except UnreachableError:
            if monotonic() - last_answer > PATIENCE_SECONDS:
                raise
        else:
            last_answer = monotonic()
            if operation != seen:
                on_change(operation)
                seen = operation
            if operation["state"] in ENDED:
                return operation
        sleep(POLL_SECONDS)


class StepPrinter:
    """Writes each step once when it is seen running and once when it has ended."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said: set[tuple[int, str]] = set()

    def __call__(self, operation: Document) -> None:
        """Write what is new in this state of the operation."""
        for index, step in enumerate(operation.get("steps", [])):
            if (index, step["state"]) not in self._said:
                self._said.add((index, step["state"]))
                self._output.line(*step_line(step))


_MARKS = {
    "succeeded": Cell("✓", "good"),
    "failed": Cell("✗", "bad"),
    "skipped": Cell("-", "dim"),
    "running": Cell("…", "warn"),
}


def step_line(step: Document) -> list[Piece]:
    """Return a step on one line."""
    ended = step["ended_at"] is not None
    when = clock_time(step["ended_at"] if ended else step["started_at"])
    detail = str(step.get("detail") or "")
    took = f"  ({between(step['started_at'], step['ended_at'])})" if ended and step["started_at"] is not None else ""
    mark = _MARKS.get(step["state"], Cell("?"))
    return [Cell(when, "dim"), "  ", mark, f" {step['name']}", f"  {detail}" if detail else "", Cell(took, "dim")]


def print_outcome(output: Output, operation: Document) -> None:
    """Write how an operation ended, or how far it is."""
    what = f"{operation['kind']} of {service_name(operation)}"
    took = between(operation["started_at"], operation["ended_at"])
    if operation["state"] == "succeeded":
        output.line(what, ": ", Cell("succeeded", "good"), f" in {took}  (operation {operation['id']})")
    elif operation["state"] in ENDED:
        error = f": {operation['error']}" if operation["error"] else ""
        output.line(what, ": ", Cell(operation["state"], "bad"), f"{error}  (operation {operation['id']})")
    else:
        output.line(what, ": ", Cell(operation["state"], "warn"), f"  (operation {operation['id']})")
