"""What the kernel tells about processes under /proc; reads only, blocking, a few microseconds a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A line of /proc/<pid>/stat.

    Attributes:
        state: one letter; of the first thread alone: it is `Z` while other threads still run or are being ended.
        threads: how many are left, the first one included.
        start_ticks: clock ticks from boot to its start. A pid together with this and the boot never comes twice.
    """

    pid: int
    name: str
    state: str
    parent: int
    session: int
    threads: int
    start_ticks: int

    @property
    def is_dead(self) -> bool:
        """Whether it has ended and only waits for its parent to notice."""
        return self.state in "ZXx" and self.threads <= 1


def parse_stat(text: str) -> Process:
    """Return what a stat line says; the name in it may hold spaces and parentheses.

    Source: proc(5), /proc/pid/stat.
    """
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition("(")
    fields = tail.split()
    return Process(int(pid), name, fields[0], int(fields[1]), int(fields[3]), int(fields[17]), int(fields[19]))


def process(pid: int) -> Process | None:
    """Return one process, None when there is none."""
    data = _read(f"/proc/{pid}/stat")
    return parse_stat(data.decode(errors="replace")) if data else None


def is_alive(known: Process) -> bool:
    """Return whether a process seen before still lives."""
    now = process(known.pid)
    return now is not None and now.start_ticks == known.start_ticks and not now.is_dead


def pids() -> list[int]:
    """Return the numbers of all processes that this user can see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - the names are enough


def processes() -> Iterator[Process]:
    """Yield all processes that this user can see."""
    for pid in pids():
        if (found := process(pid)) is not None:
            yield found


def environment(pid: int, containing: str = "") -> dict[str, str]:
    """Return the environment a process was started with; empty when it is gone or belongs to somebody else.

    Args:
        containing: give nothing where this text is not in it, which is a lot faster to find out.
    """
    data = _read(f"/proc/{pid}/environ")
    if os.fsencode(containing) not in data:
        return {}
    pairs = (entry.partition(b"=") for entry in data.split(b"\0") if entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def boot_id() -> str:
    """Return what is different after each boot of the machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def age_seconds(found: Process) -> float:
    """Return how long ago a process was started."""
    uptime = float((_PROC / "uptime").read_text().split()[0])
    return max(0.0, uptime - found.start_ticks / _TICKS_PER_SECOND)


def _read(path: str) -> bytes:
    # A Path and a buffered file for each of a thousand processes take five times as long.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        pieces = []
        while piece := os.read(descriptor, 65_536):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def send_signal(found: Process, number: signal.Signals) -> None:
    """Signal exactly this process; nothing happens when it has ended, even if another one has its pid by now.

    Raises: PermissionError: it belongs to somebody else.
    """
    try:
        descriptor = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return
    try:
        # The descriptor pins the process, so what is compared here is what gets the signal.
        now = process(found.pid)
        if now is not None and now.start_ticks == found.start_ticks:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)
