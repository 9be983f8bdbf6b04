"""Where the daemon keeps what must outlive it, and the lock that keeps a second daemon out."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError


def default_state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return systemd's StateDirectory= where it is set, else the XDG state folder of the user."""
    if environment.get("STATE_DIRECTORY"):
        return Path(environment["STATE_DIRECTORY"].split(":")[0])
    base = environment.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(base) / "watchkeeper"


class StateDirectory:
    """A folder that one daemon at a time may use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder and take its lock, which the kernel releases however the daemon ends.

        Raises: UserError: it cannot be made or written, or another daemon has it.
        """
        lock_file = self.path / "lock"
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            remedy = "set state.directory to a folder that this user may write"
            raise UserError(f"state directory {self.path}: {error.strerror}; {remedy}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise UserError(f"state directory {self.path}: cannot lock: {error.strerror}") from error
            remedy = "stop it, or give this one another state.directory"
            raise UserError(f"state directory {self.path}: in use by the daemon with pid {owner}; {remedy}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
