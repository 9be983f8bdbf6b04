"""Protocol buffers on the wire, as far as remote write needs them.

Source: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import UserError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_MASK = (1 << 64) - 1
_SIGN = 1 << 63


class MessageError(UserError):
    """Bytes that are no such message."""


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return an unsigned number of 64 bits and the position after it.

    Raises: MessageError.
    """
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, position
        shift += 7
    raise MessageError(f"the message is damaged: no number at byte {position}; send it again")


def fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field of a message: its number and wire type, and where its content starts and ends.

    Raises: MessageError: the message is cut off, or of an old kind (groups).
    """
    while position < end:
        tag, position = read_varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise MessageError(f"the message is damaged: field 0 at byte {position}; send it again")
        start = position
        if kind == VARINT:
            _, position = read_varint(data, position)
        elif kind == FIXED64:
            position += 8
        elif kind == FIXED32:
            position += 4
        elif kind == BYTES:
            length, start = read_varint(data, position)
            position = start + length
        else:
            raise MessageError(f"the message is damaged: wire type {kind} at byte {start}; send it again")
        if position > end:
            raise MessageError(f"the message is cut off at byte {end}; send it again")
        yield number, kind, start, position


def signed(number: int) -> int:
    """Return a varint as the signed number of 64 bits that it stands for."""
    return number - (1 << 64) if number & _SIGN else number


def varint(number: int) -> bytes:
    """Return a number as varint; a negative one in ten bytes."""
    number &= _MASK
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def delimited(field: int, content: bytes) -> bytes:
    """Return a field whose content is bytes."""
    return varint(field << 3 | BYTES) + varint(len(content)) + content
