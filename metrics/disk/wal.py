"""The write-ahead file: what was taken in lately, so that a crash loses none of it.

Numbered files of bounded size. Each stands alone: a layout is recorded in every file that has frames of it. A file is
written by one process only; after a start a new one begins.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metrics.disk.entry import Encoder, Entry
from metrics.disk.folder import sync_folder

FILE_HEADER = b"watchkeeper wal 1\n"

_MAX_BYTES = 64 << 20
_MAX_AGE_MS = 30 * 60_000
_LAYOUT_SHARE = 8
"""A file holds at least so many times the bytes of its layouts, since the next one repeats them."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the write-ahead files; everything before it has been read."""

    file: int
    offset: int


@dataclass(slots=True)
class WalFile:
    """One of the files; `first_ms` and `last_ms` are the times of its oldest and newest entry, None without any."""

    number: int
    path: Path
    size: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def note(self, timestamp_ms: int) -> None:
        """Take the time of an entry into account."""
        self.first_ms = timestamp_ms if self.first_ms is None else min(self.first_ms, timestamp_ms)
        self.last_ms = timestamp_ms if self.last_ms is None else max(self.last_ms, timestamp_ms)


def path_of(folder: Path, number: int) -> Path:
    """Return where the file of this number is."""
    return folder / f"wal-{number:08d}.log"


def find_files(folder: Path) -> list[WalFile]:
    """Return the files in a folder in their order."""
    paths = sorted(folder.glob("wal-*.log"))
    numbered = [(int(path.stem[4:]), path) for path in paths if path.stem[4:].isdecimal()]
    return [WalFile(number, path, path.stat().st_size) for number, path in sorted(numbered)]


class WalWriter:
    """Writes entries; only for one thread, but for `sync`.

    `finished` gets each file that will not be written any more.

    Args:
        first_number: that of the first file.
        write: os.write, or what stands for it where a test fills the disk.
    """

    def __init__(
        self,
        folder: Path,
        first_number: int,
        *,
        max_bytes: int = _MAX_BYTES,
        max_age_ms: int = _MAX_AGE_MS,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self._folder = folder
        self._next_number = first_number
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._write = write
        self._descriptor: int | None = None
        self._encoder = Encoder()
        self._file = WalFile(first_number, path_of(folder, first_number))
        self._dirty = False
        self.finished: deque[WalFile] = deque()

    @property
    def current(self) -> WalFile:
        """The file that is being written, or will be."""
        return self._file

    @property
    def dirty(self) -> bool:
        """Whether anything was written that a power cut would lose."""
        return self._dirty

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries with one call to the system; afterwards they outlive this process.

        Raises: OSError: nothing of them is in the file.
        """
        if self._descriptor is None or self._is_full(entries[0]):
            self._begin()
        try:
            pieces = [piece for entry in entries for piece in self._encoder.encode(entry)]
            self._write_all(b"".join(pieces))
        except BaseException:
            # What of it reached the file may be torn, and the encoder counts on layouts that are not there.
            self._abandon()
            raise
        for entry in entries:
            self._file.note(entry.timestamp_ms)
        self._dirty = True

    def sync(self) -> None:
        """Bring what was written to the device, so that it outlives a power cut too."""
        descriptor = self._descriptor
        if descriptor is None or not self._dirty:
            return
        self._dirty = False
        duplicate = os.dup(descriptor)  # the writer may close the file meanwhile
        try:
            os.fsync(duplicate)
        except OSError:
            self._dirty = True
            raise
        finally:
            os.close(duplicate)

    def close(self) -> None:
        """End the current file."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                self.finished.append(self._file)
            self._file = WalFile(self._next_number, path_of(self._folder, self._next_number))

    def _is_full(self, entry: Entry) -> bool:
        file = self._file
        most = max(self._max_bytes, _LAYOUT_SHARE * self._encoder.layout_bytes)
        return file.size >= most or (
            file.first_ms is not None and entry.timestamp_ms - file.first_ms > self._max_age_ms
        )

    def _begin(self) -> None:
        self.close()
        number = self._next_number
        self._file = WalFile(number, path_of(self._folder, number))
        self._descriptor = os.open(self._file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._next_number += 1
        self._encoder = Encoder(self._encoder)
        try:
            self._write_all(FILE_HEADER)
            sync_folder(self._folder)
        except BaseException:
            self._abandon()
            raise

    def _write_all(self, data: bytes) -> None:
        assert self._descriptor is not None
        written = self._write(self._descriptor, data)
        while written < len(data):  # the disk is full, or a signal came: the next call tells
            written += self._write(self._descriptor, data[written:])
        self._file.size += len(data)

    def _abandon(self) -> None:
        """Give the file up after a failed write, cut to what was whole."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        file = self._file
        try:
            if file.last_ms is None:
                file.path.unlink(missing_ok=True)
            else:
                os.ftruncate(descriptor, file.size)
                self.finished.append(file)
        finally:
            os.close(descriptor)
            self._file = WalFile(self._next_number, path_of(self._folder, self._next_number))
