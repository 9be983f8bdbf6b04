"""A write-ahead file in memory: what was appended can be read from any position."""

from __future__ import annotations

from metrics.disk.wal import Position
from metrics.disk.wal_reader import Unread
from metrics.frame import End, Frame


class FakeFrameLog:
    """Implements exporters.remote_write.log.FrameLog; an entry takes one byte."""

    def __init__(self) -> None:
        self.entries: list[Frame | End] = []
        self.held: dict[str, Position] = {}
        self.per_read = 1000
        self.lost_bytes = 0

    def read_wal(self, reader: str, position: Position, max_bytes: int = 1 << 20) -> Unread:
        fresh = reader not in self.held
        self.held[reader] = position
        before = None
        if fresh and position.offset:
            before = {one.source: one for one in self.entries[: position.offset] if isinstance(one, Frame)}
        found = self.entries[position.offset : position.offset + self.per_read]
        lost, self.lost_bytes = self.lost_bytes, 0
        return Unread(found, Position(1, position.offset + len(found)), lost, before)

    def forget_reader(self, reader: str) -> None:
        self.held.pop(reader, None)
