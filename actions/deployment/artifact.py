"""Artifacts: what is deployed, checked against its checksum, unpacked as a whole or not at all.

An artifact is a directory or an archive (.tar, .tar.gz, .tgz, .tar.xz, .zip). Its checksum is the SHA-256 of the
archive's bytes, or, for a directory, that of `tree.checksum`.

Beside an unpacked folder `NAME` lies `NAME.manifest.json`, by which it is checked again before it is used again. The
manifest is written before the folder gets its name: a folder without one was never whole.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from actions.deployment import archive, tree
from actions.deployment.instances.record import write_atomically
from core.errors import PermanentError, TransientError, UserError

_T = TypeVar("_T")
_CHECKSUM = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)
_CHUNK_BYTES = 1024 * 1024
_MANIFEST = ".manifest.json"
_UNFINISHED = ".unfinished-"


async def digest(path: Path) -> str:
    """Return the checksum of an artifact, in hexadecimal.

    Raises: UserError: it does not exist, cannot be read, or is neither a directory nor an archive we know.
    """
    return await asyncio.to_thread(_explained, path, lambda: _digest(path))


async def unpack(path: Path, sha256: str, folder: Path) -> None:
    """Put an artifact's content into a folder: all of it, checked, or nothing.

    Does nothing where the folder holds it already and is undamaged; a damaged one is replaced. What is checked is
    what is unpacked: a file that changes meanwhile makes no difference.

    Raises:
        UserError: it cannot be read, has another checksum, is damaged, unsafe or too large.
        TransientError: the disk is full or fails.
    """
    wanted = _checksum_of(sha256)
    await asyncio.to_thread(_explained, path, lambda: _unpack(path, wanted, folder))


async def ensure_unpacked(path: Path, sha256: str, store: Path) -> Path:
    """Return the folder `store`/<checksum> that holds an artifact's content, made if need be as by `unpack`."""
    folder = store / _checksum_of(sha256)
    await unpack(path, sha256, folder)
    return folder


async def verify(folder: Path) -> None:
    """Check that an unpacked folder is still what was unpacked; files that were added since do not matter.

    Raises: PermanentError: it is gone, was never whole, or something in it is missing or changed; names the first.
    """
    problem = await asyncio.to_thread(_damage, folder)
    if problem is not None:
        raise PermanentError(f"artifact in {folder}: {problem}; deploy its version again from its original")


async def is_whole(folder: Path) -> bool:
    """Return whether `verify` would find nothing."""
    return await asyncio.to_thread(_damage, folder) is None


async def remove(folder: Path) -> None:
    """Remove an unpacked folder and its manifest; does nothing where there is none."""
    await asyncio.to_thread(_remove, folder)


async def remove_unused(store: Path, used: Collection[str]) -> list[str]:
    """Remove what `ensure_unpacked` made, except the checksums in use, and what a crash left unfinished.

    Not to be called while something is unpacked into the same store.

    Returns: the checksums removed, sorted.
    """
    return await asyncio.to_thread(_remove_unused, store, frozenset(used))


def _explained(path: Path, work: Callable[[], _T]) -> _T:
    """Put the artifact's name before what is wrong with it."""
    try:
        return work()
    except UserError as error:
        raise UserError(f"artifact {path}: {error}") from None
    except OSError as error:
        kind = TransientError if error.errno in _MAY_PASS else UserError
        raise kind(f"artifact {path}: {error.filename or path}: {error.strerror or error}") from None


def _checksum_of(text: str) -> str:
    bare = text.removeprefix("sha256:").lower()
    if _CHECKSUM.fullmatch(bare) is None:
        raise UserError(f"{text!r} is no sha256; give its 64 hexadecimal digits")
    return bare


def _digest(path: Path) -> str:
    _check_kind(path)
    return tree.checksum(tree.read_tree(path)) if path.is_dir() else tree.file_checksum(path)


def _check_kind(path: Path) -> None:
    if not path.exists():
        raise UserError("it does not exist; give the path of a directory or archive")
    if not path.is_dir() and not (path.is_file() and archive.is_archive(path)):
        raise UserError(f"it is neither a directory nor an archive we know ({' '.join(archive.SUFFIXES)})")


def _unpack(path: Path, sha256: str, folder: Path) -> None:
    if _damage(folder, sha256) is None:
        return
    _check_kind(path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    try:
        content = work / "content"
        content.mkdir()
        if path.is_dir():
            _fill_from_directory(path, sha256, content)
        else:
            _fill_from_archive(path, sha256, work / "archive", content)
        _put_in_place(content, sha256, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fill_from_directory(path: Path, sha256: str, content: Path) -> None:
    for item in tree.read_tree(path):
        target = content / item.path
        if item.kind == "directory":
            target.mkdir()
        elif item.kind == "link":
            target.symlink_to(item.content)
        else:
            _copy_file(path / item.path, target)
            target.chmod(0o755 if item.kind == "program" else 0o644)  # read again for the checksum
    _compare(tree.checksum(tree.read_tree(content)), sha256)


def _fill_from_archive(path: Path, sha256: str, copy: Path, content: Path) -> None:
    _compare(_copy_file(path, copy), sha256)
    archive.unpack(copy, content, name=path.name)


def _compare(found: str, wanted: str) -> None:
    if found != wanted:
        raise UserError(f"its sha256 is {found}, but {wanted} is expected; give the right file or the right sum")


def _copy_file(source: Path, target: Path) -> str:
    """Copy one file durably and return the checksum of what was copied."""
    checksum = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            checksum.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return checksum.hexdigest()


def _put_in_place(content: Path, sha256: str, folder: Path) -> None:
    items = tree.read_tree(content)
    content.chmod(0o755)
    _sync_directory(content)
    for item in items:  # whatever our umask is, the instance's user may read it all
        if item.kind != "link":
            (content / item.path).chmod(0o644 if item.kind == "file" else 0o755)
        if item.kind == "directory":
            _sync_directory(content / item.path)
    _remove(folder)
    write_atomically(_manifest(folder), json.dumps({"sha256": sha256, "items": tree.to_json(items)}).encode())
    content.rename(folder)
    _sync_directory(folder.parent)


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(folder: Path) -> Path:
    return folder.with_name(folder.name + _MANIFEST)


def _damage(folder: Path, sha256: str | None = None) -> str | None:
    """Return what is wrong with an unpacked folder; None when it is whole and, where given, of that checksum."""
    if not folder.is_dir():
        return "it is not there"
    try:
        manifest = json.loads(_manifest(folder).read_bytes())
        expected, known = tree.from_json(manifest["items"]), manifest["sha256"]
    except (OSError, ValueError, TypeError, KeyError):
        return "its manifest is missing or broken"
    if sha256 not in (None, known):
        return f"it holds the artifact with the sha256 {known}"
    return _difference(folder, expected)


def _difference(folder: Path, expected: list[tree.Item]) -> str | None:
    try:
        return tree.first_difference(expected, [tree.read_item(folder, item.path) for item in expected])
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"


def _remove(folder: Path) -> None:
    if folder.is_dir():
        # Renamed first: a removal that a crash cuts short leaves no folder that looks whole.
        doomed = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
        folder.rename(doomed / "content")
        shutil.rmtree(doomed)
    _manifest(folder).unlink(missing_ok=True)


def _remove_unused(store: Path, used: frozenset[str]) -> list[str]:
    if not store.is_dir():
        return []
    for unfinished in store.glob(_UNFINISHED + "*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    unused = sorted(path for path in store.iterdir() if _CHECKSUM.fullmatch(path.name) and path.name not in used)
    for folder in unused:
        _remove(folder)
    return [folder.name for folder in unused]
