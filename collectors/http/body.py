"""Reading the body of a response piece by piece, within a limit before and after decompression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator

import aiohttp

from collectors.collector import CollectError

_STEP_BYTES = 1 << 20
"""A piece of decompressed data: half a millisecond of work."""

_GZIP = 16 + zlib.MAX_WBITS


async def read_body(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    """Return the whole body, decompressed.

    Args:
        limit_bytes: the most that it may hold; 0 is no limit.
    Raises: CollectError: the body is larger, or its compression is broken or unknown.
    """
    if limit_bytes and (response.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces: list[bytes] = []
    total = 0
    async for piece in _pieces(response):
        total += len(piece)
        if limit_bytes and total > limit_bytes:
            raise _too_large(limit_bytes)
        pieces.append(piece)
    return b"".join(pieces)


async def read_beginning(response: aiohttp.ClientResponse, limit_bytes: int) -> tuple[bytes, int]:
    """Return the first bytes of the body, decompressed, and the length of all of it.

    What comes after the limit is read and dropped, so that the transfer's time is that of the whole.
    """
    kept = bytearray()
    total = 0
    async for piece in _pieces(response):
        total += len(piece)
        kept += piece[: limit_bytes - len(kept)]
    return bytes(kept), total


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        async for chunk in response.content.iter_any():
            yield chunk
        return
    if encoding not in ("gzip", "x-gzip"):
        raise CollectError(f"content encoding {encoding[:40]!r} was not asked for", reason="parse")
    inflater = Inflater()
    async for chunk in response.content.iter_any():
        for index, piece in enumerate(inflater.feed(chunk)):
            if index:
                await asyncio.sleep(0)  # a small chunk may inflate to very much: let others run in between
            yield piece
    inflater.finish()


class Inflater:
    """Decompresses gzip, several members included, in pieces of bounded size."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` inflates to; what is not asked for is not inflated."""
        try:
            while data:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                piece = self._member.decompress(data, _STEP_BYTES)
                data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
                if piece:
                    yield piece
        except zlib.error as error:
            raise CollectError(f"broken gzip: {error}", reason="parse") from error

    def finish(self) -> None:
        """Raise CollectError where the data ended too early."""
        if not self._member.eof:
            raise CollectError("broken gzip: it ends too early", reason="parse")


def _too_large(limit_bytes: int) -> CollectError:
    return CollectError(
        f"body is larger than {limit_bytes} bytes; raise body_size_limit if that is right", reason="limit"
    )
