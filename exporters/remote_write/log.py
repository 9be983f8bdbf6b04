"""What the sender reads: everything that was stored, in the order in which it was."""

from __future__ import annotations

from typing import Protocol

from metrics.disk.wal import Position
from metrics.disk.wal_reader import Unread

BEGINNING = Position(0, 0)


class FrameLog(Protocol):
    """The write-ahead files of metrics.store.Store. Both functions are for threads."""

    def read_wal(self, reader: str, position: Position, max_bytes: int = ...) -> Unread:
        """Return what was written after a position; all before it may be removed from then on."""

    def forget_reader(self, reader: str) -> None:
        """Keep nothing for a reader any more."""


def reader_name(key: str) -> str:
    """Return the name under which a receiver's place in the store's files is kept."""
    return f"remote_write/{key}"
