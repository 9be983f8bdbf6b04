"""Reading and cutting up the small files of /proc and /sys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
SYS = Path("/sys")


def read_text(path: Path | str) -> str | None:
    """Return a small file's content; None where it is missing or unreadable, as it may be in a container."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        chunks = []
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return b"".join(chunks).decode("utf-8", "replace")


def read_number(path: Path | str) -> float | None:
    """Return the number that is a file's whole content; None where there is none."""
    text = read_text(path)
    return None if text is None else number(text)


def number(text: str) -> float | None:
    """Return a decimal or 0x-hexadecimal number; None where it is none."""
    text = text.strip()
    try:
        return float(int(text, 16)) if text.startswith("0x") else float(text)
    except ValueError:
        return None


def word_lines(text: str | None) -> Iterator[list[str]]:
    """Yield the words of every line that is not empty."""
    for line in (text or "").splitlines():
        words = line.split()
        if words:
            yield words
