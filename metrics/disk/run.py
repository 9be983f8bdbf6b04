"""Reading a write-ahead file whole: frames that resemble each other become columns at once, not one by one. No I/O."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from metrics.disk.entry import FRAME, FRAME_HEADER, Decoder
from metrics.disk.record import CHECKED_FROM, HEADER, HEADER_BYTES, MAGIC, Damage, scan
from metrics.frame import End, Frame, Layout, Run

_PLAIN = struct.Struct(HEADER.format + FRAME_HEADER.format.removeprefix("<"))
"""What a record of a plain frame begins with; its values follow."""

Piece: TypeAlias = Run | Frame | End


@dataclass(slots=True)
class _Waiting:
    """Frames of one layout that were found in a row: when they were collected, and where their values begin."""

    source: str
    layout: Layout
    width: int
    times: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def decode_runs(data: bytes, offset: int, decoder: Decoder) -> Iterator[Piece | Damage]:
    """Yield all that is recorded from there on, in the order that each source needs, and what is damaged.

    The sources' own order is kept, not that between them.
    """
    return _Reader(data, decoder).read(offset)


class _Reader:
    def __init__(self, data: bytes, decoder: Decoder) -> None:
        self._data = data
        self._view = memoryview(data)
        self._decoder = decoder
        self._waiting: dict[int, _Waiting] = {}
        self._number_of: dict[str, int] = {}
        self._done: list[Run] = []

    def read(self, offset: int) -> Iterator[Piece | Damage]:
        while True:
            offset = self._take_plain_frames(offset)
            if offset >= len(self._data):
                break
            piece, offset = self._read_one(offset)
            if isinstance(piece, Frame | End):
                self._finish(piece.source)
            yield from self._taken()
            if piece is not None:
                yield piece
        for source in list(self._number_of):
            self._finish(source)
        yield from self._taken()

    def _take_plain_frames(self, offset: int) -> int:
        """Take the frames that come next and can be taken together; return where something else begins.

        This runs once for every frame of a start: it is short on calls rather than on lines.
        """
        data, view, waiting = self._data, self._view, self._waiting
        last = len(data) - _PLAIN.size
        while offset <= last:
            magic, checksum, kind, length, number, count, timestamp_ms = _PLAIN.unpack_from(data, offset)
            end = offset + HEADER_BYTES + length
            if magic != MAGIC or kind != FRAME or end > len(data):
                break
            frames = waiting.get(number) or self._begin(number)
            if frames is None or count != frames.width or length != FRAME_HEADER.size + 8 * count:
                break
            if zlib.crc32(view[offset + CHECKED_FROM : end]) != checksum:
                break
            frames.times.append(timestamp_ms)
            frames.places.append(offset + _PLAIN.size)
            offset = end
        return offset

    def _begin(self, number: int) -> _Waiting | None:
        """Begin with another layout of a source, which ends the one before; None where the layout is not known."""
        known = self._decoder.layout(number)
        if known is None:
            return None
        source, layout = known
        self._finish(source)
        self._number_of[source] = number
        frames = self._waiting[number] = _Waiting(source, layout, len(layout))
        return frames

    def _finish(self, source: str) -> None:
        number = self._number_of.pop(source, None)
        if number is None:
            return
        frames = self._waiting.pop(number)
        if frames.places:
            size, view = 8 * frames.width, self._view
            joined = b"".join([view[place : place + size] for place in frames.places])
            values = np.frombuffer(joined, dtype="<f8").reshape(len(frames.places), frames.width)
            self._done.append(Run(source, np.array(frames.times, dtype=np.int64), frames.layout, values))

    def _taken(self) -> Iterator[Run]:
        done, self._done = self._done, []
        yield from done

    def _read_one(self, offset: int) -> tuple[Frame | End | Damage | None, int]:
        """Read what begins there by itself; None for a layout."""
        record = next(scan(self._data, offset))
        if isinstance(record, Damage):
            return record, record.end
        try:
            return self._decoder.decode(record), record.end
        except (ValueError, struct.error, zlib.error):
            return Damage(record.offset, record.end, torn=False), record.end
