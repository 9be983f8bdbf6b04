"""Whole processes under measurement: start, wait until they answer, read CPU and memory, end."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the start, and memory now, of a process with its children."""

    cpu_seconds: float
    rss_bytes: int
    pss_bytes: int


class Peer:
    """A running program."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.process = process

    def usage(self) -> Usage:
        """Return what the program has used so far."""
        main = psutil.Process(self.process.pid)
        cpu, rss, pss = 0.0, 0, 0
        for process in [main, *main.children(recursive=True)]:
            times = process.cpu_times()
            memory = process.memory_full_info()
            cpu += times.user + times.system
            rss += memory.rss
            pss += memory.pss
        return Usage(cpu, rss, pss)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Return a program's path; say how to get it and stop where it is missing."""
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is not installed; run `make components`")
    return path


@contextmanager
def running(name: str, argv: Sequence[str], folder: Path, **environment: str) -> Iterator[Peer]:
    """Start a program, its output in `folder`, and end it by its pid; a daemon is that of this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(_CHECKOUT), **environment}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd=folder)
    try:
        yield Peer(name, process)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_answers(url: str, *, timeout_seconds: float = 30.0) -> float:
    """Return how many seconds it took until `url` answered with a success."""
    start = time.perf_counter()
    while time.perf_counter() - start < timeout_seconds:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status < 400:
                    return time.perf_counter() - start
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.005)
    raise TimeoutError(f"{url} did not answer within {timeout_seconds:g} s")


def watchkeeper(config: Path) -> list[str]:
    """Return the command that runs the daemon of this checkout."""
    return [sys.executable, "-m", "daemon", "run", "--config", str(config)]


def describe_machine() -> str:
    """Return one line about where the figures come from."""
    memory = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count()
    return f"{time.strftime('%Y-%m-%d')}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def mebibytes(count: float) -> str:
    """Return bytes as MiB."""
    return f"{count / 2**20:.1f} MiB"
