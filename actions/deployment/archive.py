"""Unpacking archives that nobody vouches for; blocking.

Stricter than `tarfile` and `zipfile`: a member that is absolute, climbs out, is a device or comes twice refuses the
whole archive rather than being bent into shape. Links are made last, so that nothing is ever written through one,
and are then followed to see that they stay inside. The budget is on what comes out, not on what the archive claims.
"""

from __future__ import annotations

import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

from actions.deployment.tree import Budget
from core.errors import UserError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".zip")

_CHUNK_BYTES = 1024 * 1024
_MOST_HEADER_BYTES = 4 * 1024 * 1024
_MOST_LINK_BYTES = 4096
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError,
           NotImplementedError, RuntimeError, OverflowError)  # fmt: skip


def is_archive(path: Path) -> bool:
    """Return whether the name says that it is an archive we can unpack."""
    return path.name.endswith(SUFFIXES)


def unpack(path: Path, folder: Path, budget: Budget | None = None, *, name: str = "") -> None:
    """Unpack an archive into a directory that exists and is empty.

    Args:
        name: what the file is called, where `path` is a copy: it tells the format.
    Raises: UserError: it is damaged, no archive, unsafe, or more than the budget; the directory is then half full.
    """
    target = _Target(folder, budget or Budget())
    name = name or path.name
    try:
        if name.endswith(".zip"):
            _unpack_zip(path, target)
        else:
            _unpack_tar(path, name, target)
        target.make_links()
    except _BROKEN as error:
        raise UserError(
            f"it is damaged or no archive of the kind that its name says ({error}); build it again"
        ) from None


@dataclass(slots=True)
class _Target:
    """The directory that is filled; every check of names happens here."""

    folder: Path
    budget: Budget
    links: dict[PurePosixPath, str] = field(default_factory=dict)

    def directory(self, name: str) -> None:
        path = self._path(name)
        if path.parts:
            (self.folder / path).mkdir(parents=True, exist_ok=True)

    def file(self, name: str, chunks: Iterator[bytes], *, executable: bool) -> None:
        path = self._path(name)
        if not path.parts:
            raise UserError(f"member {name!r} has no name")
        where = self.folder / path
        where.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(where, flags, 0o755 if executable else 0o644), "wb") as file:
            for chunk in chunks:
                self.budget.take_bytes(len(chunk))
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    def link(self, name: str, target: str) -> None:
        path = self._path(name)
        if not path.parts or path in self.links:
            raise UserError(f"member {name!r} comes twice, or has no name")
        self.links[path] = target

    def copy(self, name: str, original: str) -> None:
        source = self.folder / self._path(original)
        if not source.is_file() or source.is_symlink():
            raise UserError(f"member {name!r} is a link to {original!r}, which does not come before it")
        with source.open("rb") as file:
            self.file(name, _chunks(file), executable=bool(source.stat().st_mode & stat.S_IXUSR))

    def make_links(self) -> None:
        for path, target in self.links.items():
            if self.links.keys() & set(path.parents):
                raise UserError(f"member {str(path)!r} lies behind a link; give it the name of its real place")
            if PurePosixPath(target).is_absolute() or "\0" in target or not target:
                raise UserError(f"link {str(path)!r} -> {target!r} leads out of the archive; make it relative")
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).symlink_to(target)
        root = self.folder.resolve()
        for path, target in self.links.items():
            if not (self.folder / path).resolve().is_relative_to(root):
                raise UserError(
                    f"link {str(path)!r} -> {target!r} leads out of the archive; make it relative and inside"
                )

    def _path(self, name: str) -> PurePosixPath:
        self.budget.take_entry()
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise UserError(f"member {name!r} would land outside; only relative names without '..' are unpacked")
        return path


def _unpack_tar(path: Path, name: str, target: _Target) -> None:
    with (
        _decompressed(path, name) as stream,
        tarfile.open(fileobj=cast("IO[bytes]", _Careful(stream)), mode="r:") as tar,
    ):
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined] # it would keep all of them in memory
            if member.isdir():
                target.directory(member.name)
            elif member.isreg():
                content = tar.extractfile(member)
                assert content is not None, "regular members have content"
                target.file(member.name, _chunks(content), executable=bool(member.mode & stat.S_IXUSR))
            elif member.issym():
                target.link(member.name, member.linkname)
            elif member.islnk():
                target.copy(member.name, member.linkname)
            else:
                raise UserError(f"member {member.name!r} is a device, pipe or of an unknown kind; leave it out")


def _decompressed(path: Path, name: str) -> IO[bytes]:
    if name.endswith((".gz", ".tgz")):
        return cast("IO[bytes]", gzip.open(path))
    if name.endswith(".xz"):
        return cast("IO[bytes]", lzma.open(path))
    return path.open("rb")


class _Careful:
    """Refuses the reads by which a header of a gigabyte would come into memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= _MOST_HEADER_BYTES:
            raise UserError(f"a header in it has {count} bytes; build it again with usual names")
        return self._stream.read(count)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _unpack_zip(path: Path, target: _Target) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if member.flag_bits & 1:
                raise UserError(f"member {member.filename!r} is encrypted; build the archive without a password")
            if member.is_dir():
                target.directory(member.filename)
                continue
            kind = stat.S_IFMT(mode)
            with archive.open(member) as content:
                if kind == stat.S_IFLNK:
                    target.link(member.filename, content.read(_MOST_LINK_BYTES).decode())
                elif kind in (0, stat.S_IFREG):
                    target.file(member.filename, _chunks(content), executable=bool(mode & stat.S_IXUSR))
                else:
                    raise UserError(f"member {member.filename!r} is a device or pipe; leave it out")


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK_BYTES):
        yield chunk
