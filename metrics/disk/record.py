"""Checksummed records in a row, and how to find the next good one after damage. No I/O."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAGIC = b"\xf5WKr"
HEADER = struct.Struct("<4sIII")  # magic, checksum of all that follows, kind, length of the payload
_CHECKED = struct.Struct("<II")
CHECKED_FROM = 8

HEADER_BYTES = HEADER.size


class Record(NamedTuple):
    """A record whose checksum is right; `offset` is that of its first byte, `end` of the first one after it."""

    kind: int
    payload: memoryview
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no record. `torn`: nothing good follows and they look like a record that was not written whole."""

    offset: int
    end: int
    torn: bool


def pack(kind: int, *payload: bytes | memoryview) -> list[bytes | memoryview]:
    """Return the pieces of a record: to be written in this order."""
    length = sum(memoryview(piece).nbytes for piece in payload)
    return [HEADER.pack(MAGIC, _checksum(kind, length, payload), kind, length), *payload]


def unpack(data: memoryview, offset: int) -> Record | None:
    """Return the record that begins there; None if there is no whole, undamaged one."""
    if offset + HEADER_BYTES > len(data):
        return None
    magic, checksum, kind, length = HEADER.unpack_from(data, offset)
    end = offset + HEADER_BYTES + length
    if magic != MAGIC or end > len(data):
        return None
    if zlib.crc32(data[offset + CHECKED_FROM : end]) != checksum:
        return None
    return Record(kind, data[offset + HEADER_BYTES : end], offset, end)


def scan(data: bytes, offset: int = 0) -> Iterator[Record | Damage]:
    """Yield all records from there on, and in their place what lies between them and is none."""
    view = memoryview(data)
    while offset < len(data):
        record = unpack(view, offset)
        if record is not None:
            yield record
            offset = record.end
            continue
        following = _next_good(data, view, offset + 1)
        end = len(data) if following is None else following
        yield Damage(offset, end, torn=following is None and _unfinished(view, offset))
        offset = end


def _next_good(data: bytes, view: memoryview, offset: int) -> int | None:
    while (offset := data.find(MAGIC, offset)) >= 0:
        if unpack(view, offset) is not None:
            return offset
        offset += 1
    return None


def _unfinished(data: memoryview, offset: int) -> bool:
    """Tell whether the rest of the data may be the beginning of a record."""
    if offset + HEADER_BYTES > len(data):
        return MAGIC.startswith(bytes(data[offset : offset + len(MAGIC)]))
    magic, _, _, length = HEADER.unpack_from(data, offset)
    return bool(magic == MAGIC and offset + HEADER_BYTES + length > len(data))


def _checksum(kind: int, length: int, payload: tuple[bytes | memoryview, ...]) -> int:
    checksum = zlib.crc32(_CHECKED.pack(kind, length))
    for piece in payload:
        checksum = zlib.crc32(piece, checksum)
    return checksum
