"""A directory as a list of what is in it, with one checksum over all; blocking.

The checksum covers sorted relative paths, kinds, whether a file is executable, contents and link targets. It leaves
out owners, times and other mode bits, which differ from one check-out of the same content to the next. Empty
directories count.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError

MAX_ENTRIES = 200_000
MAX_BYTES = 8 * 1024**3


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a tree.

    Attributes:
        path: relative, with slashes.
        kind: `file`, `program` (an executable file), `link` or `directory`.
        content: the SHA-256 of a file, the target of a link, empty for a directory.
    """

    path: str
    kind: str
    content: str


class Budget:
    """What a tree may hold: it keeps a bomb from filling the disk.

    Raises (both methods): UserError: it is used up.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_entries: int = MAX_ENTRIES) -> None:
        self._max_bytes, self._bytes = max_bytes, max_bytes
        self._max_entries, self._entries = max_entries, max_entries

    def take_entry(self) -> None:
        """Use up one entry."""
        self._entries -= 1
        if self._entries < 0:
            raise UserError(f"it holds more than {self._max_entries} files; make it smaller")

    def take_bytes(self, count: int) -> None:
        """Use up bytes of unpacked content."""
        self._bytes -= count
        if self._bytes < 0:
            raise UserError(f"it holds more than {self._max_bytes} bytes unpacked; make it smaller")


def read_tree(root: Path, budget: Budget | None = None) -> list[Item]:
    """Return everything below a directory, sorted by path.

    Raises: UserError: it holds a device, socket or pipe, a link that leads out of it, or more than the budget.
    """
    budget = budget or Budget()
    return sorted(_items(root, root.resolve(), "", budget), key=lambda item: item.path)


def checksum(items: list[Item]) -> str:
    """Return the SHA-256 of a tree, in hexadecimal."""
    return hashlib.sha256(json.dumps(to_json(items)).encode()).hexdigest()


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_item(root: Path, path: str) -> Item | None:
    """Return one entry of a tree; None where it is missing.

    Raises: UserError: as `read_tree`.
    """
    where = root / path
    try:
        status = where.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _item(where, status, root.resolve(), path)


def to_json(items: list[Item]) -> list[list[str]]:
    """Return a tree as JSON values."""
    return [[item.path, item.kind, item.content] for item in items]


def from_json(values: list[list[str]]) -> list[Item]:
    """Return what `to_json` was given.

    Raises: TypeError: the values are something else.
    """
    return [Item(*entry) for entry in values]


def first_difference(expected: Sequence[Item], found: Sequence[Item | None]) -> str | None:
    """Return what is missing or changed, in words; None when all is as expected.

    Args:
        found: what is there now, in the order of `expected`; None for what is missing.
    """
    for item, now in zip(expected, found, strict=True):
        if now is None:
            return f"{item.path} is missing"
        if now != item:
            return f"{item.path} was changed"
    return None


def _items(folder: Path, root: Path, prefix: str, budget: Budget) -> Iterator[Item]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        budget.take_entry()
        path, status = prefix + entry.name, entry.stat(follow_symlinks=False)
        _check_name(path)
        if stat.S_ISREG(status.st_mode):
            budget.take_bytes(status.st_size)
        yield _item(Path(entry.path), status, root, path)
        if stat.S_ISDIR(status.st_mode):
            yield from _items(Path(entry.path), root, path + "/", budget)


def _item(where: Path, status: os.stat_result, root: Path, path: str) -> Item:
    if stat.S_ISLNK(status.st_mode):
        return Item(path, "link", _link_target(where, root, path))
    if stat.S_ISDIR(status.st_mode):
        return Item(path, "directory", "")
    if stat.S_ISREG(status.st_mode):
        return Item(path, "program" if status.st_mode & stat.S_IXUSR else "file", file_checksum(where))
    raise UserError(f"{path} is a device, socket or pipe; only files, directories and links can be deployed")


def _check_name(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UserError(f"{path!r} has a name that is not UTF-8; rename it") from None


def _link_target(link: Path, root: Path, path: str) -> str:
    target = str(link.readlink())
    try:
        leads_to = link.resolve()
    except (OSError, RuntimeError):
        raise UserError(f"link {path} -> {target} leads nowhere but in a circle; remove it") from None
    if target.startswith("/") or not leads_to.is_relative_to(root):
        raise UserError(f"link {path} -> {target} leads out of the artifact; make it relative and inside")
    return target
