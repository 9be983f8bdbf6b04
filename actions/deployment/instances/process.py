"""Instances as plain processes of this machine; they outlive the daemon and are found again by the next one.

The daemon's systemd unit needs `KillMode=process`, else systemd ends the instances with the daemon. A program must
stay in the foreground: one that puts itself into the background counts as ended.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from actions.deployment.instances import census, launch, listening, log_file, proc, user
from actions.deployment.instances.census import Census
from actions.deployment.instances.proc import Process
from actions.deployment.instances.record import Records
from actions.deployment.instances.runtime import InstanceSpec, InstanceState
from core.clock import Clock
from core.errors import PermanentError

_FORCED_SECONDS = 5.0
_LEFTOVER_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How an instance ended by itself.

    Attributes:
        exit_code: negative: ended by that signal; None: not known, because an earlier daemon had started it.
        after_seconds: from its start until its end was noticed.
        last_lines: the end of what it wrote, oldest first.
    """

    exit_code: int | None
    after_seconds: float
    last_lines: tuple[str, ...]

    def __str__(self) -> str:
        last = f": {self.last_lines[-1]}" if self.last_lines else ", having written nothing"
        return f"{_how(self.exit_code)} after {self.after_seconds:.1f} s{last}"


class ProcessRuntime:
    """Implements the Runtime contract.

    Args:
        state_directory: the daemon's; records are kept in `instances/` below it. Instances of another state
            directory are never touched.
    """

    def __init__(self, state_directory: Path, clock: Clock) -> None:
        self._state_directory = state_directory.resolve()
        self._clock = clock
        self._records = Records(self._state_directory / "instances")
        self._census = Census(self._state_directory, self._records, clock)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # A cancelled call leaves its thread at work: this lock keeps the next call from starting a second process.
        self._starting = threading.Lock()

    async def observe(self, instance_id: str) -> InstanceState | None:
        """Return the live instance of this id; None when there is none."""
        return await asyncio.to_thread(self._census.observe, instance_id)

    async def ensure_running(self, spec: InstanceSpec) -> InstanceState:
        """Start the instance unless one of this id lives already, which is then kept as it is.

        What is left of an earlier one (workers whose parent died) is ended first: it would hold the port.

        Raises:
            PermanentError: it cannot be started, with the reason and the remedy.
            UserError: the configured user cannot be switched to.
        """
        async with self._turn(spec.id):
            if (state := await self.observe(spec.id)) is not None:
                return state
            await self._end(spec.id, _LEFTOVER_GRACE_SECONDS)
            return await asyncio.to_thread(self._start, spec)

    async def ensure_stopped(self, instance_id: str, *, grace_seconds: float) -> None:
        """End every process of the instance: SIGTERM, after `grace_seconds` SIGKILL; then forget it.

        Raises: PermanentError: a process did not even end by force, or belongs to somebody else.
        """
        async with self._turn(instance_id):
            await self._end(instance_id, grace_seconds)
            await asyncio.to_thread(self._forget, instance_id)

    async def find(self, prefix: str) -> list[InstanceState]:
        """Return all live instances whose id starts with `prefix`, sorted by id, orphans of a crash included.

        What is left of dead ones comes along, with `alive` false.
        """
        return await asyncio.to_thread(self._census.find, prefix)

    async def ended(self, instance_id: str) -> Ended | None:
        """Return how an instance that was not stopped by us ended; None while it lives, or when it is not known."""
        return await asyncio.to_thread(self._ended, instance_id)

    async def bound_logs(self, max_bytes: int = log_file.MAX_BYTES) -> None:
        """Keep the log of every instance within bounds; to be called from time to time."""
        await asyncio.to_thread(self._bound_logs, max_bytes)

    def _turn(self, instance_id: str) -> asyncio.Lock:
        return self._turns.setdefault(instance_id, asyncio.Lock())

    def _start(self, spec: InstanceSpec) -> InstanceState:
        with self._starting:
            if (state := self._census.observe(spec.id)) is not None:
                return state
            account = user.account(spec.user)
            _refuse_taken_port(spec)
            log_start = spec.log_file.stat().st_size if spec.log_file.exists() else 0
            # Without a record, a start that is not recorded any more is found by its marker.
            self._records.remove(spec.id)
            pid = launch.launch(
                spec.argv,
                working_directory=spec.working_directory,
                environment=launch.environment(account, {**spec.environment, **self._markers(spec)}),
                account=account,
                log=spec.log_file,
            )
            state = self._census.record(spec.id, pid, spec.port, spec.log_file, log_start)
        if state is None:
            raise PermanentError(f"instance {spec.id}: process {pid} was gone at once; something else reaped it")
        return state

    def _markers(self, spec: InstanceSpec) -> dict[str, str]:
        port = {census.PORT: str(spec.port)} if spec.port is not None else {}
        return {census.INSTANCE: spec.id, census.STATE: str(self._state_directory), **port}

    async def _end(self, instance_id: str, grace_seconds: float) -> None:
        deadline = self._clock.monotonic() + grace_seconds
        members: list[Process] = []
        while members := await asyncio.to_thread(self._census.members, instance_id, members):
            if self._clock.monotonic() >= deadline:
                break
            _signal(instance_id, members, signal.SIGTERM)
            await self._wait_for(members, deadline)
        deadline = self._clock.monotonic() + _FORCED_SECONDS
        while members:
            _signal(instance_id, members, signal.SIGKILL)
            await self._wait_for(members, min(deadline, self._clock.monotonic() + 0.5))
            if self._clock.monotonic() >= deadline:
                raise PermanentError(_stuck(instance_id, members))
            members = await asyncio.to_thread(self._census.members, instance_id, members)

    async def _wait_for(self, members: Sequence[Process], deadline: float) -> None:
        pause = 0.01
        while self._clock.monotonic() < deadline and any(proc.is_alive(member) for member in members):
            await self._clock.sleep(pause)
            pause = min(pause * 1.5, 0.25)

    def _forget(self, instance_id: str) -> None:
        self._census.observe(instance_id)  # reaps it where it is our child
        self._records.remove(instance_id)

    def _ended(self, instance_id: str) -> Ended | None:
        self._census.observe(instance_id)
        record = self._records.read(instance_id)
        if record is None or record.ended_at is None:
            return None
        lines = log_file.last_lines(Path(record.log_file), record.log_start)
        return Ended(record.exit_code, max(0.0, record.ended_at - record.started_at), lines)

    def _bound_logs(self, max_bytes: int) -> None:
        for path in {record.log_file for record in self._records.all()}:
            if path.startswith("/") and not path.startswith("/dev/"):
                log_file.bound(Path(path), max_bytes)


def _refuse_taken_port(spec: InstanceSpec) -> None:
    if spec.port is not None and listening.is_listening(spec.port):
        culprit = listening.listener(spec.port)
        raise PermanentError(
            f"instance {spec.id}: port {spec.port} is in use by {culprit}; end that process or choose other ports"
        )


def _signal(instance_id: str, members: Sequence[Process], number: signal.Signals) -> None:
    for member in members:
        try:
            proc.send_signal(member, number)
        except PermissionError:
            raise PermanentError(
                f"instance {instance_id}: process {member.pid} ({member.name}) belongs to another user and cannot be"
                " ended; run Watchkeeper as the user that had started it, or as root"
            ) from None


def _stuck(instance_id: str, members: Sequence[Process]) -> str:
    names = ", ".join(f"{member.pid} ({member.name}, state {member.state})" for member in members)
    return f"instance {instance_id}: process {names} did not end even on SIGKILL; it hangs in the kernel (see `ps`)"


def _how(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended (exit code not known: an earlier daemon had started it)"
    if exit_code >= 0:
        return f"exited with {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
