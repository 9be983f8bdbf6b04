"""Real programs beside which collectors are tested: started on a free loopback port, ended by their process id."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterable
from urllib.error import URLError

from prometheus_client.parser import text_string_to_metric_families


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def running(argv: Iterable[str], ready_url: str) -> AsyncIterator[None]:
    """Run a program until the block ends; the block begins when `ready_url` answers."""
    devnull = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*argv, stdin=devnull, stdout=devnull, stderr=devnull)
    try:
        await _answering(process, ready_url)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _answering(process: asyncio.subprocess.Process, url: str) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            with contextlib.suppress(URLError, ConnectionError):
                await asyncio.to_thread(get, url)
                return
            await asyncio.sleep(0.02)
    raise AssertionError(f"the program ended with status {process.returncode} before it answered")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
    return content.decode()


def parse_text(text: str) -> tuple[dict[str, str], dict[tuple[str, frozenset[tuple[str, str]]], float]]:
    """Return types by the name of the TYPE line, and values by name and labels, as Prometheus' own parser has them."""
    types = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE ")}
    samples = {
        (sample.name, frozenset((k, v) for k, v in sample.labels.items() if v)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return types, samples
