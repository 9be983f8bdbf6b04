"""Runs a command in a session of its own, with bounded output, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.collector import CollectError

_ERROR_BYTES = 16 * 1024
"""How much of what a command says on stderr is kept; the rest is read and dropped."""

_PIECE_BYTES = 64 * 1024
_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did. A command that was ended by signal n has the exit code -n."""

    exit_code: int
    output: bytes
    errors: bytes


async def run_command(
    argv: Sequence[str], *, environment: Mapping[str, str], working_directory: Path, max_output_bytes: int
) -> Outcome:
    """Run a command to its end.

    When the caller is cancelled or the command prints too much, it and all that it has started are killed, except
    what has left its session.

    Raises: CollectError: it cannot be started, or it prints more than `max_output_bytes`.
    """
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            cwd=working_directory,
            start_new_session=True,
        )
    )
    try:
        # asyncio would kill a half-started command alone, and then wait for what it has started itself.
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting})
        if starting.exception() is None:
            _kill_group(starting.result())
            await _release(starting.result())
        raise
    except (OSError, ValueError) as error:
        raise CollectError(f"cannot start {argv[0]}: {_reason(error)}", reason="start") from error
    try:
        return await _outcome(process, max_output_bytes)
    except BaseException:
        _kill_group(process)
        raise
    finally:
        await _release(process)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


async def _outcome(process: asyncio.subprocess.Process, max_output_bytes: int) -> Outcome:
    assert process.stdout is not None
    assert process.stderr is not None
    # Both must be read at once: a full pipe would stop the command.
    errors = asyncio.ensure_future(_read_beginning(process.stderr, _ERROR_BYTES))
    try:
        output = await _read_all(process.stdout, max_output_bytes)
        return Outcome(await process.wait(), output, await errors)
    finally:
        errors.cancel()
        await asyncio.wait({errors})


async def _read_all(stream: asyncio.StreamReader, limit_bytes: int) -> bytes:
    content = bytearray()
    while piece := await stream.read(_PIECE_BYTES):
        content += piece
        if len(content) > limit_bytes:
            message = f"prints more than {limit_bytes} bytes; raise max_output if that is right"
            raise CollectError(message, reason="limit")
    return bytes(content)


async def _read_beginning(stream: asyncio.StreamReader, limit_bytes: int) -> bytes:
    content = bytearray()
    while piece := await stream.read(_PIECE_BYTES):
        content += piece[: limit_bytes - len(content)]
    return bytes(content)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    # Only when it did not come to its end: the number of a group whose last member is gone may be another's soon.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _release(process: asyncio.subprocess.Process) -> None:
    """Wait until the command is gone, and close the pipes, which somebody who left the session may still hold."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({waiting}, timeout=_END_SECONDS)
    finally:
        waiting.cancel()
        transport = getattr(process, "_transport", None)  # asyncio has no public way to close it
        if transport is not None:
            transport.close()
