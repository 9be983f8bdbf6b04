"""Unix sockets whose path is longer than an address can hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def reachable_path(path: Path) -> Iterator[str]:
    """Give a name for a socket that fits into an address, which holds 107 bytes, however deep the path is.

    Raises: FileNotFoundError: its directory does not exist.
    """
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
