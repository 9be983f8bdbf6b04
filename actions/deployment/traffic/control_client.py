"""Talking to a router's control socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from actions.deployment.traffic.sockets import reachable_path
from core.errors import PermanentError, TransientError

_SECONDS = 5.0


async def call(path: Path, method: str, target: str, body: bytes = b"") -> dict[str, Any] | None:
    """Return a router's answer; None where nothing listens at the socket.

    Raises:
        TransientError: it takes too long, or breaks off.
        PermanentError: it refuses the request.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            try:
                return await _call(path, method, target, body)
            except (ConnectionResetError, BrokenPipeError):  # accepted by a router that was just ending
                return await _call(path, method, target, body)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except TimeoutError:
        raise TransientError(f"router at {path} did not answer {method} {target} within {_SECONDS:g} s") from None
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise TransientError(f"router at {path} broke off while answering {method} {target}: {error!r}") from None


async def _call(path: Path, method: str, target: str, body: bytes) -> dict[str, Any]:
    with reachable_path(path) as name:
        reader, writer = await asyncio.open_unix_connection(name)
    try:
        head = f"{method} {target} HTTP/1.1\r\nHost: router\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.read(-1)
    finally:
        writer.close()
    top, _, content = answer.partition(b"\r\n\r\n")
    status, value = int(top.split()[1]), json.loads(content)
    if not isinstance(value, dict):
        raise TypeError(f"the answer is a {type(value).__name__}")
    if status != 200:
        raise PermanentError(f"router at {path} refused {method} {target}: {value.get('error')}")
    return value
