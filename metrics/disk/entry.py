"""What a write-ahead file records: layouts when they are new, frames as columns of values, ends of sources. No I/O."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from metrics.disk.label_table import LabelTable
from metrics.disk.record import Damage, Record, pack, scan
from metrics.frame import End, Frame, Layout

_LAYOUT, FRAME, _FRAME_WITH_TIMES, _END = 1, 2, 3, 4

_LAYOUT_HEADER = struct.Struct("<II")  # number, bytes of the source's name
FRAME_HEADER = struct.Struct("<IIq")  # layout's number, samples, time
_END_HEADER = struct.Struct("<q")

_REMEMBERED = 4
"""So many layouts of one source are known at a time: a target that fails now and then goes to and fro between two."""


Entry: TypeAlias = Frame | End


def size_of(entry: Entry) -> int:
    """Return about how many bytes an entry needs."""
    return 64 if isinstance(entry, End) else 64 + entry.values.nbytes * (1 if entry.timestamps_ms is None else 2)


class Encoder:
    """Makes entries into records of one file; the file must get all of them, in order.

    Args:
        before: that of the file before, whose layouts need not be made into bytes again.
    """

    def __init__(self, before: Encoder | None = None) -> None:
        self._made: dict[Layout, bytes] = {}
        self._made_before = {} if before is None else before._made
        self._known: dict[str, dict[Layout, int]] = {}
        self._next = 0
        self.layout_bytes = 0

    def encode(self, entry: Entry) -> list[bytes | memoryview]:
        """Return the pieces of the records for an entry: that of its layout first, where it is new here."""
        if isinstance(entry, End):
            return pack(_END, _END_HEADER.pack(entry.timestamp_ms), entry.source.encode())
        pieces: list[bytes | memoryview] = []
        known = self._known.setdefault(entry.source, {})
        number = known.get(entry.layout)
        if number is None:
            number = known[entry.layout] = self._next
            self._next += 1
            if len(known) > _REMEMBERED:
                forgotten = next(iter(known))
                del known[forgotten]
                self._made.pop(forgotten, None)
            pieces += self._layout(number, entry)
        header = FRAME_HEADER.pack(number, len(entry.layout), entry.timestamp_ms)
        values = np.ascontiguousarray(entry.values, dtype="<f8").tobytes()
        if entry.timestamps_ms is None:
            return pieces + pack(FRAME, header, values)
        times = np.ascontiguousarray(entry.timestamps_ms, dtype="<i8").tobytes()
        return pieces + pack(_FRAME_WITH_TIMES, header, values, times)

    def _layout(self, number: int, frame: Frame) -> list[bytes | memoryview]:
        source = frame.source.encode()
        table = self._made_before.get(frame.layout) or LabelTable.of(frame.layout.series).to_bytes()
        self._made[frame.layout] = table
        self.layout_bytes += len(table)
        return pack(_LAYOUT, _LAYOUT_HEADER.pack(number, len(source)), source, table)


class Decoder:
    """Makes the records of one file into entries again.

    Args:
        layouts: what was decoded before, of any file, so that the same bytes become the same object.
    """

    def __init__(self, layouts: dict[bytes, Layout] | None = None) -> None:
        self._layouts = {} if layouts is None else layouts
        self._known: dict[int, tuple[str, Layout]] = {}

    def layout(self, number: int) -> tuple[str, Layout] | None:
        """Return source and layout of a number, None where no such layout was decoded."""
        return self._known.get(number)

    def decode(self, record: Record) -> Entry | None:
        """Return the entry; None for a layout.

        The values are views of the record.

        Raises: ValueError: the record's layout is not known (its record was damaged), or it is of no known kind.
        """
        if record.kind == _LAYOUT:
            self._learn(record.payload)
            return None
        if record.kind == _END:
            (timestamp_ms,) = _END_HEADER.unpack_from(record.payload)
            return End(bytes(record.payload[_END_HEADER.size :]).decode(), timestamp_ms)
        if record.kind not in (FRAME, _FRAME_WITH_TIMES):
            raise ValueError(f"record of the unknown kind {record.kind}")
        number, count, timestamp_ms = FRAME_HEADER.unpack_from(record.payload)
        if number not in self._known:
            raise ValueError("record of a frame whose layout was lost")
        source, layout = self._known[number]
        if count != len(layout):
            raise ValueError("record of a frame that is not of its layout")
        values = np.frombuffer(record.payload, dtype="<f8", count=count, offset=FRAME_HEADER.size)
        if record.kind == FRAME:
            return Frame(source, timestamp_ms, layout, values)
        times = np.frombuffer(record.payload, dtype="<i8", count=count, offset=FRAME_HEADER.size + 8 * count)
        return Frame(source, timestamp_ms, layout, values, times)

    def _learn(self, payload: memoryview) -> None:
        number, source_bytes = _LAYOUT_HEADER.unpack_from(payload)
        start = _LAYOUT_HEADER.size
        source = bytes(payload[start : start + source_bytes]).decode()
        table = bytes(payload[start + source_bytes :])
        layout = self._layouts.get(table)
        if layout is None:
            layout = self._layouts[table] = Layout(tuple(LabelTable.from_bytes(table).all_labels()))
        self._known[number] = (source, layout)


def decode_all(data: bytes, offset: int, decoder: Decoder) -> Iterator[tuple[Entry | Damage, int]]:
    """Yield all entries from there on, and what is damaged, each with the offset after it."""
    for record in scan(data, offset):
        if isinstance(record, Damage):
            yield record, record.end
            continue
        try:
            entry = decoder.decode(record)
        except (ValueError, struct.error, zlib.error):
            yield Damage(record.offset, record.end, torn=False), record.end
            continue
        if entry is not None:
            yield entry, record.end
