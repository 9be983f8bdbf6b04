"""Which processes are which instances: by record, by the marker in their environment, by session and descent.

Blocking; the asynchronous side is `process.py`. Three facts carry it:

- a record names an instance's own process by pid, start time and boot, so that a pid that was used again is never
  taken for it;
- every process of an instance inherits the marker, so that one whose record was never written (the daemon was
  killed between starting and recording) is found all the same;
- the state directory is part of the marker, so that two daemons on one machine leave each other's instances alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from actions.deployment.instances import launch, proc
from actions.deployment.instances.proc import Process
from actions.deployment.instances.record import Record, Records
from actions.deployment.instances.runtime import InstanceState
from core.clock import Clock

INSTANCE = "WATCHKEEPER_INSTANCE"
STATE = "WATCHKEEPER_STATE"
PORT = "WATCHKEEPER_PORT"
ROUTER = "WATCHKEEPER_ROUTER"


@dataclass(frozen=True, slots=True)
class Marked:
    """A process that carries our marker."""

    id: str
    process: Process
    port: int | None


class Census:
    """Counts the instances of one state directory."""

    def __init__(self, state_directory: Path, records: Records, clock: Clock) -> None:
        self._state = str(state_directory)
        self._records = records
        self._clock = clock
        self._boot_id = proc.boot_id()
        self._noting = threading.Lock()

    def observe(self, instance_id: str) -> InstanceState | None:
        """Return the live instance of an id; makes a missing record good, notes and reaps one that has ended."""
        record = self._records.read(instance_id)
        if record is None:
            return self._adopt([found for found in self._marked() if found.id == instance_id])
        return self._state_of(record)

    def find(self, prefix: str) -> list[InstanceState]:
        """Return the live instances whose id starts with `prefix`, and what is left of dead ones."""
        groups: dict[str, list[Marked]] = {}
        for found in self._marked():
            if found.id.startswith(prefix):
                groups.setdefault(found.id, []).append(found)
        records = {record.id: record for record in self._records.all() if record.id.startswith(prefix)}
        states = [self._found(records.get(name), groups.get(name, ())) for name in groups.keys() | records.keys()]
        return sorted((state for state in states if state is not None), key=lambda state: state.id)

    def members(self, instance_id: str, known: Collection[Process] = ()) -> list[Process]:
        """Return all live processes of an instance: those marked, those of its session, and what they started.

        Args:
            known: members found before; whatever they started since is found even if they are gone by now.
        """
        table = {found.pid: found for found in proc.processes()}
        record = self._records.read(instance_id)
        sessions = {member.session for member in known}
        if record is not None and self._is_same(record, table.get(record.pid)):
            sessions.add(record.pid)
        marks = {pid: self._mark(pid) for pid in table}
        chosen = {pid for pid, mark in marks.items() if mark == instance_id}
        chosen |= {pid for pid, found in table.items() if found.session in sessions and marks[pid] in ("", instance_id)}
        chosen = _with_descendants(chosen, table, marks)
        return [table[pid] for pid in sorted(chosen - {1, os.getpid()}) if not table[pid].is_dead]

    def record(self, instance_id: str, pid: int, port: int | None, log: Path, log_start: int) -> InstanceState | None:
        """Write down an instance that was just started."""
        found = proc.process(pid)
        if found is None:
            return None
        started_at = self._clock.now()
        record = Record(instance_id, pid, found.start_ticks, self._boot_id, started_at, port, str(log), log_start)
        self._records.write(record)
        return InstanceState(instance_id, pid, started_at, port, alive=not found.is_dead)

    def _found(self, record: Record | None, marked: Collection[Marked]) -> InstanceState | None:
        if record is None:
            return self._adopt(marked) or self._left(marked)
        return self._state_of(record) or self._left(marked)

    def _state_of(self, record: Record) -> InstanceState | None:
        found = proc.process(record.pid)
        if self._is_same(record, found) and found is not None and not found.is_dead:
            return InstanceState(record.id, record.pid, record.started_at, record.port, alive=True)
        self._note_end(record.id, is_ours=self._is_same(record, found))
        return None

    def _note_end(self, instance_id: str, *, is_ours: bool) -> None:
        with self._noting:  # the exit code is given once: a second thread would write that it is not known
            record = self._records.read(instance_id)
            if record is not None and record.ended_at is None:
                code = launch.exit_code(record.pid) if is_ours else None
                self._records.write(replace(record, exit_code=code, ended_at=self._clock.now()))

    def _adopt(self, marked: Collection[Marked]) -> InstanceState | None:
        leaders = [found for found in marked if found.process.pid == found.process.session]
        if not leaders:
            return None
        first = min(leaders, key=lambda found: found.process.start_ticks)
        started_at = self._clock.now() - proc.age_seconds(first.process)
        log = _output_file(first.process.pid)
        record = Record(
            first.id, first.process.pid, first.process.start_ticks, self._boot_id, started_at, first.port, log
        )
        self._records.write(record)
        return InstanceState(first.id, first.process.pid, started_at, first.port, alive=True)

    def _left(self, marked: Iterable[Marked]) -> InstanceState | None:
        first = min(marked, key=lambda found: found.process.start_ticks, default=None)
        if first is None:
            return None
        started_at = self._clock.now() - proc.age_seconds(first.process)
        return InstanceState(first.id, first.process.pid, started_at, first.port, alive=False)

    def _is_same(self, record: Record, found: Process | None) -> bool:
        return found is not None and found.start_ticks == record.start_ticks and record.boot_id == self._boot_id

    def _marked(self) -> list[Marked]:
        marked: list[Marked] = []
        for pid in proc.pids():
            variables = proc.environment(pid, containing=INSTANCE)
            if variables.get(STATE) != self._state or not variables.get(INSTANCE):
                continue
            found = proc.process(pid)
            if found is not None and not found.is_dead:
                port = variables.get(PORT, "")
                marked.append(Marked(variables[INSTANCE], found, int(port) if port.isdigit() else None))
        return marked

    def _mark(self, pid: int) -> str:
        """Return the instance a process says it belongs to, `` for none, another text for somebody else's."""
        variables = proc.environment(pid, containing="WATCHKEEPER_")
        if variables.get(ROUTER) or variables.get(STATE, self._state) != self._state:
            return "\0other"
        return variables.get(INSTANCE, "")


def _with_descendants(chosen: set[int], table: dict[int, Process], marks: dict[int, str]) -> set[int]:
    """Add whatever the chosen processes started, except what belongs to another instance or another daemon."""
    children: dict[int, list[int]] = {}
    for found in table.values():
        children.setdefault(found.parent, []).append(found.pid)
    result, waiting = set(chosen), list(chosen)
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            if pid not in result and marks[pid] == "":
                result.add(pid)
                waiting.append(pid)
    return result


def _output_file(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/fd/1").readlink())
    except OSError:
        return ""
