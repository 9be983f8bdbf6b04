"""Who listens on a TCP port of this machine, for messages that name the culprit; blocking."""

from __future__ import annotations

import os
from pathlib import Path

from actions.deployment.instances import proc

_LISTEN = "0A"


def listening_inodes(table: str, port: int) -> set[str]:
    """Return the socket inodes that listen on `port`, from the text of /proc/net/tcp or tcp6.

    Source: kernel Documentation/networking/proc_net_tcp.rst.
    """
    rows = (line.split() for line in table.splitlines()[1:])
    return {row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port}


def is_listening(port: int) -> bool:
    """Return whether anything listens on a port, on whichever address."""
    return bool(_inodes(port))


def listener(port: int) -> str:
    """Return `process 123 (nginx)`, or `another process` where the kernel does not tell who it is."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for found in proc.processes():
        if wanted & _descriptors(found.pid):
            return f"process {found.pid} ({found.name})"
    return "another process"


def _inodes(port: int) -> set[str]:
    inodes: set[str] = set()
    for name in ("tcp", "tcp6"):
        table = Path("/proc/net", name)
        if table.exists():
            inodes |= listening_inodes(table.read_text(), port)
    return inodes


def _descriptors(pid: int) -> set[str]:
    folder = f"/proc/{pid}/fd"
    links: set[str] = set()
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - thousands of entries
            links.add(os.readlink(f"{folder}/{name}"))  # noqa: PTH115 - the same
    except OSError:
        return links
    return links
