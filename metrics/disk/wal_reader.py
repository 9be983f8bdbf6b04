"""Reading write-ahead files: all of them at a start, and behind the writer for those who send samples on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from metrics.disk.entry import Decoder, Entry, decode_all
from metrics.disk.folder import set_aside
from metrics.disk.loss import Loss
from metrics.disk.record import Damage
from metrics.disk.wal import FILE_HEADER, Position, WalFile, find_files
from metrics.frame import Frame, Layout


def replay(folder: Path, on_loss: Callable[[Loss], None]) -> Iterator[tuple[WalFile, Iterator[Entry]]]:
    """Yield every file with its entries, in order; what cannot be read is told and left out.

    A file whose end was torn by a crash is cut there; one that is no such file at all is set aside.
    """
    layouts: dict[bytes, Layout] = {}
    for file in find_files(folder):
        try:
            data = file.path.read_bytes()
        except OSError as error:
            on_loss(Loss(file.path.name, f"cannot be read ({error.strerror}): its samples are lost", "unreadable"))
            continue
        if data.startswith(FILE_HEADER):
            yield file, _entries(file, data, Decoder(layouts), on_loss)
        elif FILE_HEADER.startswith(data):
            file.path.unlink()  # a crash came before its first entry
        else:
            aside = set_aside(file.path)
            reason = f"its first bytes are damaged: up to {len(data)} bytes of samples are lost; kept as {aside.name}"
            on_loss(Loss(file.path.name, reason, "damaged"))


def _entries(file: WalFile, data: bytes, decoder: Decoder, on_loss: Callable[[Loss], None]) -> Iterator[Entry]:
    for entry, _ in decode_all(data, len(FILE_HEADER), decoder):
        if isinstance(entry, Damage):
            on_loss(_loss(file, entry))
            if entry.torn:
                os.truncate(file.path, entry.offset)
                file.size = entry.offset
        else:
            file.note(entry.timestamp_ms)
            yield entry


def _loss(file: WalFile, damage: Damage) -> Loss:
    size = damage.end - damage.offset
    if damage.torn:
        reason = f"the last write was cut off at byte {damage.offset}: {size} bytes of one scrape are lost"
        return Loss(file.path.name, reason, "torn")
    reason = f"bytes {damage.offset} to {damage.end} are damaged: the {size} bytes of samples there are lost"
    return Loss(file.path.name, reason, "damaged")


@dataclass(frozen=True, slots=True)
class Unread:
    """What a reader gets.

    Attributes:
        frames: with their values copied; ends of sources are among the positions but not given.
        position: where to go on.
        lost_bytes: what lay in between and is damaged, or was removed before it was read.
    """

    frames: list[Frame]
    position: Position
    lost_bytes: int


class WalCursor:
    """Reads behind the writer; goes on from where it was without reading anything twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._position = Position(0, 0)
        self._decoder = Decoder()

    def read(self, position: Position, files: list[WalFile], max_bytes: int) -> Unread:
        """Return what was written after a position.

        Args:
            files: those that are there, in order, each with the size up to which it may be read.
            max_bytes: about how much to read at most.
        """
        if files and position.file > files[-1].number:
            position = Position(0, 0)  # these are not the files that the reader knew
        file = next((file for file in files if file.number >= position.file), None)
        if file is None:
            return Unread([], position, 0)
        if file.number > position.file:
            position = Position(file.number, 0)
        unread = self._read_file(file, position, max_bytes)
        if unread.position.offset >= file.size and file is not files[-1]:
            following = files[files.index(file) + 1]
            unread = Unread(unread.frames, Position(following.number, 0), unread.lost_bytes)
        return unread

    def _read_file(self, file: WalFile, position: Position, max_bytes: int) -> Unread:
        start = max(position.offset, len(FILE_HEADER))
        if self._position != Position(file.number, start):
            self._decoder = Decoder()
            if start > len(FILE_HEADER):  # the layouts before it are needed
                before = _read(file.path, len(FILE_HEADER), start)
                for _ in decode_all(before, 0, self._decoder):
                    pass
        wanted = max_bytes
        while True:
            data = _read(file.path, start, min(start + wanted, file.size))
            frames, end, lost = self._decode(data, start, whole=start + len(data) >= file.size)
            if end > start or start + len(data) >= file.size or not data:
                break
            wanted *= 4  # one record is longer than all that was asked for
        self._position = Position(file.number, end)
        return Unread(frames, self._position, lost)

    def _decode(self, data: bytes, start: int, *, whole: bool) -> tuple[list[Frame], int, int]:
        frames: list[Frame] = []
        end = lost = 0
        for entry, after in decode_all(data, 0, self._decoder):
            if isinstance(entry, Damage):
                if entry.end == len(data) and not whole:
                    break  # the rest of a record, which the next read gets whole
                lost += entry.end - entry.offset
            elif isinstance(entry, Frame):
                frames.append(entry)
            end = after
        return frames, start + end, lost


def _read(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(max(0, end - start))
