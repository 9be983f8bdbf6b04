"""The output of an instance: kept within bounds, and quoted in error messages; blocking.

The instance holds the file open and appends to it, so the file is never replaced under it: its end is copied to
`<name>.1` and the file is cut to nothing. What the instance writes in the instant between the two is lost.
"""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copyfileobj

MAX_BYTES = 20 * 1024 * 1024
_TAIL_BYTES = 64 * 1024
_LINE_CHARACTERS = 300


def open_for_append(path: Path) -> int:
    """Return a descriptor to append to a log file; makes it and its directory where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def bound(path: Path, max_bytes: int = MAX_BYTES) -> bool:
    """Move the last `max_bytes` of a larger log file to `<name>.1`; return whether that was needed."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    if size <= max_bytes:
        return False
    older, new = path.with_name(path.name + ".1"), path.with_name(path.name + ".1.new")
    with path.open("rb") as source, new.open("wb") as target:
        source.seek(size - max_bytes)
        copyfileobj(source, target)
    new.replace(older)
    os.truncate(path, 0)
    return True


def last_lines(path: Path, start: int = 0, count: int = 5) -> tuple[str, ...]:
    """Return the last lines that are not empty, shortened, without control characters.

    Args:
        start: only what was written from here on, in bytes; the whole file where it was cut since.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start if start <= size else 0, size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ()
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines())
    return tuple(line[:_LINE_CHARACTERS] for line in lines if line)[-count:]
