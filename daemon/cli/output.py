"""How answers look: colour and tables on a terminal, plain aligned text for pipes and files, JSON when asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import typer

from daemon.cli.failure import PIPE_CLOSED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STYLES = {"good": "green", "warn": "yellow", "bad": "bold red", "dim": "dim", "strong": "bold", "": ""}


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text that means something: `good`, `warn`, `bad`, `dim` or `strong`."""

    text: str
    style: str = ""


Piece = str | Cell


class Output:
    """Writes to a stream; decorated where a person watches.

    Args:
        decorated: colours and tables by rich; by default where the stream is a terminal. NO_COLOR keeps the tables
            and drops the colours.
    """

    def __init__(self, stream: TextIO | None = None, *, decorated: bool | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self.decorated = self._stream.isatty() if decorated is None else decorated

    def line(self, *pieces: Piece) -> None:
        """Write the pieces, joined by nothing, and end the line."""
        if self.decorated:
            self._render(lambda console: console.print(_assemble(pieces), soft_wrap=True))
        else:
            self.write("".join(clean(piece) for piece in pieces).rstrip() + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Piece]], *, indent: int = 0) -> None:
        """Write rows under their column names; the last column may run on."""
        if self.decorated:
            self._render(lambda console: _print_table(console, columns, rows, indent))
        else:
            self.write(plain_table(columns, rows, indent=indent))

    def document(self, document: Any) -> None:
        """Write a document exactly as the API gave it."""
        self.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def write(self, text: str) -> None:
        """Write text as it is; when its reader has gone away, end quietly.

        Raises: typer.Exit.
        """
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            silence(self._stream)
            raise typer.Exit(PIPE_CLOSED) from None

    def _render(self, draw: Callable[[Console], None]) -> None:
        from rich.console import Console  # noqa: PLC0415 - 80 ms that pipes and --help need not pay

        console = Console(file=self._stream, highlight=False, markup=False, emoji=False, force_terminal=True)
        with console.capture() as capture:
            draw(console)
        self.write(capture.get())


def silence(stream: TextIO) -> None:
    """Let what is still buffered for a closed pipe vanish, so that the interpreter's end says nothing about it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        return
    finally:
        os.close(nowhere)


def clean(piece: Piece) -> str:
    """Return a piece's text on one line, without control characters: labels and messages come from anywhere."""
    text = piece.text if isinstance(piece, Cell) else piece
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c in "\n\r\t" else "\ufffd" for c in text)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[Piece]], *, indent: int = 0) -> str:
    """Return an aligned table without colour, two spaces between its columns."""
    lines = [[column.upper() for column in columns], *([clean(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    text = ""
    for line in lines:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        text += " " * indent + padded.rstrip() + "\n"
    return text


def _assemble(pieces: Sequence[Piece]) -> Text:
    from rich.text import Text  # noqa: PLC0415

    text = Text()
    for piece in pieces:
        text.append(clean(piece), style=_STYLES[piece.style] if isinstance(piece, Cell) else "")
    return text


def _print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[Piece]], indent: int) -> None:
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index < len(columns) - 1, overflow="fold")
    for row in rows:
        table.add_row(*(_assemble([cell]) for cell in row))
    console.print(Padding(table, (0, 0, 0, indent)))
