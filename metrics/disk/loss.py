"""What was lost, said plainly: every loss of stored samples is one of these, in the log and in the store's list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that was stored, or should have been, and is not there any more.

    Attributes:
        file: the name of the file.
        reason: what happened and how much is gone, in one line.
        kind: for counting: `torn` (the write that a crash cut off), `damaged`, `unreadable`, `unread`, `not_written`.
    """

    file: str
    reason: str
    kind: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"
