"""Reading write-ahead files: all of them at a start, and behind the writer for those who send samples on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from metrics.disk.entry import Decoder, Entry, decode_all
from metrics.disk.folder import set_aside
from metrics.disk.loss import Loss
from metrics.disk.record import Damage
from metrics.disk.run import Piece, decode_runs
from metrics.disk.wal import FILE_HEADER, Position, WalFile, find_files
from metrics.frame import End, Frame, Layout, Run


def replay(folder: Path, on_loss: Callable[[Loss], None]) -> Iterator[tuple[WalFile, Iterator[Piece]]]:
    """Yield every file with what is in it, in order; what cannot be read is told and left out.

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
            yield file, _pieces(file, data, Decoder(layouts), on_loss)
        elif FILE_HEADER.startswith(data):
            file.path.unlink()  # a crash came before its first entry
        else:
            aside = set_aside(file.path)
            reason = f"its first bytes are damaged: up to {len(data)} bytes of samples are lost; kept as {aside.name}"
            on_loss(Loss(file.path.name, reason, "damaged"))


def _pieces(file: WalFile, data: bytes, decoder: Decoder, on_loss: Callable[[Loss], None]) -> Iterator[Piece]:
    for piece in decode_runs(data, len(FILE_HEADER), decoder):
        if isinstance(piece, Damage):
            on_loss(_loss(file, piece))
            if piece.torn:
                os.truncate(file.path, piece.offset)
                file.size = piece.offset
            continue
        if isinstance(piece, Run):
            file.note(int(piece.timestamps_ms.min()))
            file.note(int(piece.timestamps_ms.max()))
        else:
            file.note(piece.timestamp_ms)
        yield piece


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
        entries: frames, with their values copied, and ends of sources, in their order.
        position: where to go on.
        lost_bytes: what lay in between and is damaged, or was removed before it was read.
        before: where reading began anew in the middle of a file, the last frame of each source before; else None.
    """

    entries: list[Entry]
    position: Position
    lost_bytes: int
    before: Mapping[str, Frame] | None = None

    @property
    def frames(self) -> list[Frame]:
        """The frames among the entries."""
        return [entry for entry in self.entries if isinstance(entry, Frame)]


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
            unread = replace(unread, position=Position(following.number, 0))
        return unread

    def _read_file(self, file: WalFile, position: Position, max_bytes: int) -> Unread:
        start = max(position.offset, len(FILE_HEADER))
        last: dict[str, Frame] | None = None
        if self._position != Position(file.number, start):
            self._decoder = Decoder()
            if start > len(FILE_HEADER):  # the layouts before it are needed
                last = {}
                before = _read(file.path, len(FILE_HEADER), start)
                for entry, _ in decode_all(before, 0, self._decoder):
                    if isinstance(entry, Frame):
                        last[entry.source] = entry
                    elif isinstance(entry, End):
                        last.pop(entry.source, None)
        wanted = max_bytes
        while True:
            data = _read(file.path, start, min(start + wanted, file.size))
            entries, end, lost = self._decode(data, start, whole=start + len(data) >= file.size)
            if end > start or start + len(data) >= file.size or not data:
                break
            wanted *= 4  # one record is longer than all that was asked for
        self._position = Position(file.number, end)
        return Unread(entries, self._position, lost, last)

    def _decode(self, data: bytes, start: int, *, whole: bool) -> tuple[list[Entry], int, int]:
        entries: list[Entry] = []
        end = lost = 0
        for entry, after in decode_all(data, 0, self._decoder):
            if isinstance(entry, Damage):
                if entry.end == len(data) and not whole:
                    break  # the rest of a record, which the next read gets whole
                lost += entry.end - entry.offset
            else:
                entries.append(entry)
            end = after
        return entries, start + end, lost


def _read(path: Path, start: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(max(0, end - start))
