"""`host:port` as people write it."""

from __future__ import annotations

from core.errors import UserError


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:8080` or `[::1]:8080`.

    Raises: UserError: it is neither.
    """
    host, colon, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not colon or not bare or (":" in bare and bare == host) or not (port.isascii() and port.isdigit()):
        raise UserError(f"{address!r} is no address; write host:port, such as 127.0.0.1:8080")
    if not 0 < int(port) < 65536:
        raise UserError(f"{address!r} has no valid port; give one from 1 to 65535")
    return bare, int(port)
