"""How full file systems are. A mount that hangs (a dead NFS server) must hold up nothing."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from collectors.readings import Batch
from collectors.system.proc import read_text, word_lines
from collectors.thread import in_own_thread
from metrics.frame import Family, MetricType


def _gauge(name: str, help_text: str) -> Family:
    return Family(f"node_filesystem_{name}", MetricType.GAUGE, help_text)


SIZE = _gauge("size_bytes", "Filesystem size in bytes.")
FREE = _gauge("free_bytes", "Filesystem free space in bytes.")
AVAILABLE = _gauge("avail_bytes", "Filesystem space that users other than root may fill, in bytes.")
FILES = _gauge("files", "File nodes that the filesystem has room for.")
FILES_FREE = _gauge("files_free", "File nodes that are free.")
READ_ONLY = _gauge("readonly", "1 if the filesystem is mounted read-only.")
ERROR = _gauge("device_error", "1 if the filesystem could not be read, or hangs.")

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system."""

    device: str
    mountpoint: str
    fstype: str
    read_only: bool

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """The labels of its series."""
        return (("device", self.device), ("fstype", self.fstype), ("mountpoint", self.mountpoint))


def parse_mounts(text: str, mountpoints_exclude: re.Pattern[str], types_exclude: re.Pattern[str]) -> list[Mount]:
    """Return the mounts of /proc/mounts that are wanted; of several on one place, the last, which hides the others."""
    mounts: dict[str, Mount] = {}
    for words in word_lines(text):
        device, mountpoint = _unescape(words[0]), _unescape(words[1])
        if not mountpoints_exclude.search(mountpoint) and not types_exclude.search(words[2]):
            mounts[mountpoint] = Mount(device, mountpoint, words[2], "ro" in words[3].split(","))
    return list(mounts.values())


def _unescape(text: str) -> str:
    """Undo the octal escapes by which the kernel writes spaces, tabs, newlines and backslashes."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def read_mounts(proc: Path) -> str:
    """Return the mounts of the machine; where they may not be read, those of this process."""
    return read_text(proc / "1/mounts") or read_text(proc / "mounts") or ""


@dataclass(slots=True)
class _Round:
    """One pass over the mounts in a thread, watched from outside."""

    usage: dict[Mount, os.statvfs_result | None] = field(default_factory=dict)
    current: Mount | None = None
    abandoned: bool = False


class MountReader:
    """Asks mounts for their state in a thread, and leaves out those that hang until they answer again.

    Args:
        patience_seconds: the most that all mounts together may take.
        statvfs: os.statvfs, or what a test puts in its place.
    """

    def __init__(self, patience_seconds: float = 2.0, statvfs: Callable[[str], os.statvfs_result] = os.statvfs) -> None:
        self._patience_seconds = patience_seconds
        self._statvfs = statvfs
        self._stuck: set[str] = set()

    async def read(self, mounts: Iterable[Mount]) -> dict[Mount, os.statvfs_result | None]:
        """Return the state of each mount, in order; None for those that failed or hang."""
        wanted = list(mounts)
        current = _Round()
        reachable = [mount for mount in wanted if mount.mountpoint not in self._stuck]
        try:
            async with asyncio.timeout(self._patience_seconds):
                await in_own_thread(lambda: self._walk(reachable, current), name="statvfs")
        except TimeoutError:
            pass
        finally:
            # Also when the collection was cancelled while a mount hangs: the next one must leave it out.
            self._abandon(current)
        usage = dict(current.usage)
        return {mount: usage.get(mount) for mount in wanted}

    def _abandon(self, current: _Round) -> None:
        current.abandoned = True
        hanging = current.current
        if hanging is not None:
            self._stuck.add(hanging.mountpoint)
            if current.current is None:  # it has answered in between
                self._stuck.discard(hanging.mountpoint)

    def _walk(self, mounts: list[Mount], current: _Round) -> None:
        for mount in mounts:
            if current.abandoned:
                return
            current.current = mount
            try:
                current.usage[mount] = self._statvfs(mount.mountpoint)
            except OSError:
                current.usage[mount] = None
            finally:
                current.current = None
                self._stuck.discard(mount.mountpoint)


def add_filesystems(batch: Batch, usage: dict[Mount, os.statvfs_result | None]) -> None:
    """Size, free space and free file nodes, by file system; of one that cannot be read, that this is so."""
    for mount, state in usage.items():
        labels = mount.labels
        batch.add(ERROR, float(state is None), labels)
        if state is None:
            continue
        batch.add(SIZE, state.f_blocks * state.f_frsize, labels)
        batch.add(FREE, state.f_bfree * state.f_frsize, labels)
        batch.add(AVAILABLE, state.f_bavail * state.f_frsize, labels)
        batch.add(FILES, state.f_files, labels)
        batch.add(FILES_FREE, state.f_ffree, labels)
        batch.add(READ_ONLY, float(mount.read_only), labels)
