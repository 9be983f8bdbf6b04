"""Snappy blocks, whose declared length is looked at before anything is decompressed."""

from __future__ import annotations

from core.errors import UserError

_MAX_LENGTH_BYTES = 5


class BlockError(UserError):
    """A body that is no snappy block."""


class TooLargeError(UserError):
    """A body, or what is in it, that is larger than we take."""


def decompress(body: bytes, max_bytes: int) -> bytes:
    """Return what a snappy block holds.

    Raises:
        TooLargeError: it says that it holds more than `max_bytes`; nothing was decompressed.
        BlockError: it is no snappy block.
    """
    length = declared_length(body)
    if length > max_bytes:
        raise TooLargeError(f"the body holds {length} bytes, more than {max_bytes}; send smaller requests")
    from cramjam import snappy  # noqa: PLC0415 - memory that a daemon to which nobody writes can spare

    try:
        plain = bytes(snappy.decompress_raw(body))
    except Exception as error:  # the library documents no error class; the bytes are to blame for each
        raise BlockError(f"the body is no snappy block: {error}; compress it in snappy's block format") from error
    if len(plain) != length:
        raise BlockError("the body is no snappy block: it holds another length than it says; send it again")
    return plain


def compress(plain: bytes) -> bytes:
    """Return bytes as a snappy block."""
    from cramjam import snappy  # noqa: PLC0415 - see decompress

    return bytes(snappy.compress_raw(plain))


def declared_length(body: bytes) -> int:
    """Return the length that a snappy block says it has when decompressed.

    Raises: BlockError: it does not begin with a length.
    """
    length = 0
    for place, byte in enumerate(body[:_MAX_LENGTH_BYTES]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return length
    raise BlockError("the body is no snappy block: it begins with no length; compress it in snappy's block format")
