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

    It and all that it has started (and that has not left its session) are killed when the caller is cancelled, when
    it prints too much, and when it has ended but left somebody behind.

    Raises: CollectError: it cannot be started, or it prints more than `max_output_bytes`.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            cwd=working_directory,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CollectError(f"cannot start {argv[0]}: {reason}", reason="start") from error
    try:
        return await _outcome(process, max_output_bytes)
    finally:
        await _kill_group(process)


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


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the session, and wait until the command itself is gone."""
    # The group may outlive its leader. Its number is not given to others while a member lives, but after the last
    # one's end it could be: the leader, if not yet waited for, still holds it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    waiting = asyncio.ensure_future(process.wait())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        # Cancelled once more: SIGKILL has been sent, so the end is near, and the transport must be closed.
        await asyncio.wait({waiting}, timeout=1.0)
        raise
    finally:
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()
