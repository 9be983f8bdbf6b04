"""The doctor's checks of the machine: each looks at one thing, changes nothing and returns what it found.

Their limits are arguments, so that each outcome can be shown without breaking a machine.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from daemon.cli.client import Client
from daemon.cli.doctor.finding import Finding
from daemon.cli.failure import CommandError
from daemon.cli.wording import plural

LEAST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 1024**3
LEAST_OPEN_FILES = 4096
FOREIGN_PACKAGE = "python-daemon"
_TIME_ERROR = 5  # adjtimex(2): TIME_ERROR, the clock is not synchronised


def python_version(running: Sequence[int] = sys.version_info[:3]) -> Finding:
    """Look whether the interpreter is new enough."""
    shown = ".".join(str(part) for part in running)
    if tuple(running[:2]) < LEAST_PYTHON:
        return Finding("fail", "python", f"Python {shown} is too old", "install Python 3.11 or newer")
    return Finding("ok", "python", f"Python {shown} on {platform.system()} {platform.machine()}")


def foreign_daemon(installed: Callable[[str], object] = distribution) -> Finding:
    """Look for the package that also owns the module name `daemon`: with both, each breaks the other."""
    try:
        installed(FOREIGN_PACKAGE)
    except PackageNotFoundError:
        return Finding("ok", "packages", f"no {FOREIGN_PACKAGE} beside Watchkeeper")
    message = f"{FOREIGN_PACKAGE} is installed beside Watchkeeper in {sys.prefix}, and both own the module 'daemon'"
    return Finding("fail", "packages", message, f"'pip uninstall {FOREIGN_PACKAGE}', or give Watchkeeper its own venv")


def state_directory(directory: Path, *, least_free_bytes: int = LEAST_FREE_BYTES) -> Finding:
    """Look whether state can be written, and for how long still."""
    place = next(folder for folder in (directory, *directory.absolute().parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        remedy = "set state.directory to a folder that this user may write, or run this as the daemon's user"
        return Finding("fail", "state", f"{directory} cannot be written by this user", remedy)
    free = shutil.disk_usage(place).free
    shown = f"{directory} can be {'written' if place == directory else 'made'}, {free / 1e9:.1f} GB free"
    if free < least_free_bytes:
        return Finding("warn", "state", shown, "free some space: state and artifacts need at least 1 GB")
    return Finding("ok", "state", shown)


def address(listen: str, *, timeout_seconds: float = 3.0) -> Finding:
    """Look whether the daemon's address is free, or our daemon is there already."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "0.0.0.0"  # noqa: S104 - what the configuration says is tried, nothing is served
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except OSError as error:
        return _occupied(listen, error, timeout_seconds)
    return Finding("ok", "address", f"{listen} is free: no daemon runs")


def _occupied(listen: str, error: OSError, timeout_seconds: float) -> Finding:
    host, _, port = listen.rpartition(":")
    reachable = "127.0.0.1" if host in ("", "0.0.0.0") else "[::1]" if host == "[::]" else host  # noqa: S104
    try:
        status, body = Client(f"http://{reachable}:{port}", timeout_seconds=timeout_seconds).root("/-/healthy")
        ours = status == 200 and b'"status"' in body
    except CommandError:
        ours = False
    if ours:
        return Finding("ok", "address", f"a Watchkeeper daemon answers at {listen}")
    remedy = f"stop what uses it ('ss -ltnp sport = :{port}' shows it), or set web.listen to another port"
    return Finding("fail", "address", f"{listen} cannot be used: {error.strerror}", remedy)


def clock_synchronised(state: int | None = None) -> Finding:
    """Look whether the kernel says that something keeps its clock right."""
    found = _adjtimex() if state is None else state
    if found is None:
        return Finding("ok", "clock", "this system does not say whether its clock is kept right")
    if found == _TIME_ERROR:
        remedy = "start a time service, such as 'timedatectl set-ntp true'"
        return Finding("warn", "clock", "the clock is not synchronised; times of alerts may be wrong", remedy)
    return Finding("ok", "clock", "the clock is synchronised")


def _adjtimex() -> int | None:
    """Ask without setting anything (modes = 0); a negative answer means that we may not ask."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "adjtimex"):
        return None
    answer = int(library.adjtimex(ctypes.create_string_buffer(512)))
    return answer if answer >= 0 else None


def open_files(limit: int | None = None) -> Finding:
    """Look whether enough files and connections can be open at once."""
    found = resource.getrlimit(resource.RLIMIT_NOFILE)[1] if limit is None else limit
    if found == resource.RLIM_INFINITY:
        return Finding("ok", "files", "any number of open files is allowed")
    shown = f"{plural(found, 'open file')} allowed"
    if found < LEAST_OPEN_FILES:
        remedy = f"raise it: LimitNOFILE={LEAST_OPEN_FILES} in the unit, or 'ulimit -Hn {LEAST_OPEN_FILES}'"
        return Finding("warn", "files", shown, remedy)
    return Finding("ok", "files", shown)


_OPTIONAL = {
    "systemctl": "to run as a service",
    "promtool": "to check rule files and metrics as Prometheus would",
    "psql": "to look into a PostgreSQL that is watched",
}


def optional_programs(find: Callable[[str], str | None] = shutil.which) -> list[Finding]:
    """Look for programs that are of use beside the daemon; none is needed."""
    return [
        Finding("ok", "program", f"{name}: {find(name) or f'not installed; only needed {purpose}'}")
        for name, purpose in _OPTIONAL.items()
    ]
