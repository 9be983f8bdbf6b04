"""What is written down about a started instance, so that the next daemon finds it again; blocking.

A record is a hint, never the truth: a live process is taken for the instance only when pid, start time and boot
agree. A record that is missing or broken is made good by the marker in the process' environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Record:
    """One instance.

    Attributes:
        log_start: how long its log file was when it was started.
        exit_code, ended_at: None while it was not seen to end; the code also where it is not known.
    """

    id: str
    pid: int
    start_ticks: int
    boot_id: str
    started_at: float
    port: int | None
    log_file: str
    log_start: int = 0
    exit_code: int | None = None
    ended_at: float | None = None


class Records:
    """The records of one state directory, one file each, replaced as a whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, instance_id: str) -> Record | None:
        """Return the record of an instance; None where there is none that makes sense."""
        found = _read(self._path(instance_id))
        return found if found is not None and found.id == instance_id else None

    def all(self) -> Iterator[Record]:
        """Yield every record, in the order of file names."""
        for path in sorted(self._directory.glob("*.json")):
            if (found := _read(path)) is not None:
                yield found

    def write(self, record: Record) -> None:
        """Replace the record of an instance; it is on the disk when this returns."""
        write_atomically(self._path(record.id), json.dumps(asdict(record)).encode())

    def remove(self, instance_id: str) -> None:
        """Forget an instance."""
        self._path(instance_id).unlink(missing_ok=True)

    def _path(self, instance_id: str) -> Path:
        return self._directory / (file_name(instance_id) + ".json")


def file_name(name: str) -> str:
    """Return a name as one path component: readable, unique, at most 200 bytes, never hidden."""
    safe = quote(name, safe="").replace(".", "%2E")
    return safe if len(safe) <= 200 else safe[:100] + "-" + sha256(name.encode()).hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole, durably, readable by its owner alone; makes its directory."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
