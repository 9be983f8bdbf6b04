"""Tells the demo's story as it happens, each line with its time since the beginning."""

from __future__ import annotations

import time
from typing import Any

from daemon.cli.follow import step_line
from daemon.cli.output import Cell, Output, Piece

Document = dict[str, Any]


class Narrator:
    """Writes lines; says nothing where only a document is wanted."""

    def __init__(self, output: Output, *, silent: bool = False) -> None:
        self._output = output
        self._silent = silent
        self._began = time.time()
        self._steps_said: set[tuple[str, int]] = set()

    def tell(self, *pieces: Piece, at: float | None = None) -> None:
        """Write what happened, now or at a wall time that a document gave."""
        elapsed = (time.time() if at is None else at) - self._began
        self.line(Cell(f"{elapsed:6.1f}s", "dim"), "  ", *pieces)

    def line(self, *pieces: Piece) -> None:
        """Write a line without a time."""
        if not self._silent:
            self._output.line(*pieces)

    def steps(self, operation: Document) -> None:
        """Write the steps of an operation that have ended and were not told before."""
        for index, step in enumerate(operation["steps"]):
            key = (str(operation["id"]), index)
            if step["state"] != "running" and key not in self._steps_said:
                self._steps_said.add(key)
                _when, _gap, mark, name, _detail, took = step_line(step)
                self.line(" " * 11, mark, name, took)
