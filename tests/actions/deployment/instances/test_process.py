from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from actions.deployment.instances import proc
from actions.deployment.instances.process import Ended, ProcessRuntime
from actions.deployment.instances.runtime import InstanceSpec
from core.clock import SystemClock
from core.errors import PermanentError, UserError

pytestmark = pytest.mark.slow

SLEEP = ("sleep", "300")
FORKING = (
    "import subprocess, sys, time\n"
    "kids = [subprocess.Popen(['sleep', '301']), subprocess.Popen(['sleep', '302'], start_new_session=True)]\n"
    "print('ready', flush=True)\n"
    "time.sleep(300)\n"
)
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(300)\n"
)
STARTER = """
import asyncio, sys
from pathlib import Path
from actions.deployment.instances.process import ProcessRuntime
from actions.deployment.instances.runtime import InstanceSpec
from core.clock import SystemClock

async def main(state):
    runtime = ProcessRuntime(state, SystemClock())
    spec = InstanceSpec("shop/production/r1/0", ("sleep", "300"), state, {}, None, 4711, state / "log")
    print((await runtime.ensure_running(spec)).pid, flush=True)
    await asyncio.sleep(300)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    runtime = ProcessRuntime(tmp_path, SystemClock())
    yield runtime
    for state in await runtime.find(""):
        await runtime.ensure_stopped(state.id, grace_seconds=0)


def spec(directory: Path, *argv: str) -> InstanceSpec:
    return InstanceSpec(
        "shop/production/r1/0", argv, directory, {"GREETING": "hello"}, None, None, directory / "log" / "out.log"
    )


def is_alive(pid: int) -> bool:
    found = proc.process(pid)
    return found is not None and not found.is_dead


async def until(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


async def wrote(directory: Path, text: str) -> None:
    log = directory / "log" / "out.log"
    await until(lambda: log.exists() and text in log.read_text())


async def test_instance_is_started_once_and_stopped_without_a_trace(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(tmp_path, *SLEEP)
    assert await runtime.observe(wanted.id) is None
    first, second = await asyncio.gather(runtime.ensure_running(wanted), runtime.ensure_running(wanted))
    assert first == second == await runtime.observe(wanted.id)
    assert os.getsid(first.pid) == first.pid != os.getsid(0)
    assert await runtime.find("shop/") == [first]
    assert await runtime.find("other/") == []

    await runtime.ensure_stopped(wanted.id, grace_seconds=5)
    await runtime.ensure_stopped(wanted.id, grace_seconds=5)
    assert proc.process(first.pid) is None
    assert await runtime.observe(wanted.id) is None
    assert list((tmp_path / "instances").iterdir()) == []


async def test_start_that_was_cancelled_is_not_made_twice(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(tmp_path, *SLEEP)
    for turns in range(1, 12):
        start = asyncio.create_task(runtime.ensure_running(wanted))
        for _ in range(turns * 3):
            await asyncio.sleep(0)
        start.cancel()
        await asyncio.wait({start})
    state = await runtime.ensure_running(wanted)
    assert [found.pid for found in proc.processes() if _is_of(found.pid, tmp_path)] == [state.pid]


def _is_of(pid: int, state_directory: Path) -> bool:
    return proc.environment(pid).get("WATCHKEEPER_STATE") == str(state_directory.resolve())


async def test_output_and_environment_are_those_asked_for(runtime: ProcessRuntime, tmp_path: Path) -> None:
    await runtime.ensure_running(spec(tmp_path, "sh", "-c", "pwd; env; echo problem >&2; sleep 300"))
    await wrote(tmp_path, "problem")
    written = (tmp_path / "log" / "out.log").read_text()
    assert written.startswith(str(tmp_path))
    assert "GREETING=hello" in written
    assert "WATCHKEEPER_INSTANCE=shop/production/r1/0" in written
    assert "PYTEST_CURRENT_TEST" not in written


async def test_end_by_itself_is_told_with_code_time_and_last_line(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(tmp_path, "sh", "-c", "echo starting; echo 'no database at 10.0.0.9' >&2; exit 3")
    state = await runtime.ensure_running(wanted)
    await until(lambda: not is_alive(state.pid))
    assert await runtime.observe(wanted.id) is None
    ended = await runtime.ended(wanted.id)
    assert ended is not None
    assert ended.exit_code == 3
    assert ended.last_lines == ("starting", "no database at 10.0.0.9")
    assert str(ended).startswith("exited with 3 after ")
    assert str(ended).endswith(" s: no database at 10.0.0.9")
    assert proc.process(state.pid) is None, "the zombie is reaped"
    again = await runtime.ensure_running(replace(wanted, argv=SLEEP))
    assert again.pid != state.pid
    assert await runtime.ended(wanted.id) is None


async def test_grandchildren_are_ended_too_whatever_session_they_made(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(tmp_path, sys.executable, "-c", FORKING)
    await runtime.ensure_running(wanted)
    await wrote(tmp_path, "ready")
    family = [found.pid for found in proc.processes() if _is_of(found.pid, tmp_path)]
    assert len(family) == 3
    await runtime.ensure_stopped(wanted.id, grace_seconds=5)
    assert not any(is_alive(pid) for pid in family)


async def test_processes_that_hide_their_environment_are_ended_by_session_and_descent(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    script = "env -i sleep 303 & env -i setsid sh -c 'sleep 304 & sleep 305' & echo ready; sleep 306"
    wanted = spec(tmp_path, "sh", "-c", script)
    state = await runtime.ensure_running(wanted)
    await wrote(tmp_path, "ready")
    await until(lambda: len(_descendants(state.pid)) == 5)
    family = _descendants(state.pid)
    await runtime.ensure_stopped(wanted.id, grace_seconds=5)
    assert not any(is_alive(pid) for pid in family)


def _descendants(pid: int) -> set[int]:
    table = list(proc.processes())
    family: set[int] = set()
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        kids = {found.pid for found in table if found.parent == parent}
        family |= kids
        waiting += kids
    return family


async def test_workers_whose_parent_was_killed_are_reported_and_ended_before_the_next_start(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    wanted = spec(tmp_path, sys.executable, "-c", FORKING)
    state = await runtime.ensure_running(wanted)
    await wrote(tmp_path, "ready")
    os.kill(state.pid, signal.SIGKILL)
    await until(lambda: not is_alive(state.pid))
    assert await runtime.observe(wanted.id) is None
    left = await runtime.find("shop/")
    assert [(found.id, found.alive) for found in left] == [(wanted.id, False)]
    again = await runtime.ensure_running(replace(wanted, argv=SLEEP))
    assert [found.pid for found in proc.processes() if _is_of(found.pid, tmp_path)] == [again.pid]


async def test_instance_that_ignores_sigterm_is_killed_after_the_grace(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(tmp_path, sys.executable, "-c", STUBBORN)
    state = await runtime.ensure_running(wanted)
    await wrote(tmp_path, "ready")
    begin = time.monotonic()
    await runtime.ensure_stopped(wanted.id, grace_seconds=0.3)
    assert 0.3 <= time.monotonic() - begin < 3
    assert not is_alive(state.pid)


async def test_instance_outlives_kill_9_of_the_daemon_and_is_adopted(runtime: ProcessRuntime, tmp_path: Path) -> None:
    pid = _start_and_kill_the_starter(tmp_path)
    adopted = await runtime.observe("shop/production/r1/0")
    assert adopted is not None
    assert (adopted.pid, adopted.port, adopted.alive) == (pid, 4711, True)
    assert abs(adopted.started_at - time.time()) < 30
    assert await runtime.ensure_running(spec(tmp_path, *SLEEP)) == adopted
    await runtime.ensure_stopped(adopted.id, grace_seconds=5)
    assert not is_alive(pid)


async def test_instance_whose_record_was_never_written_is_found_by_its_marker(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    pid = _start_and_kill_the_starter(tmp_path)
    for record in (tmp_path / "instances").iterdir():
        record.unlink()
    assert [(found.pid, found.port, found.alive) for found in await runtime.find("")] == [(pid, 4711, True)]
    assert (await runtime.ensure_running(spec(tmp_path, *SLEEP))).pid == pid
    assert len(list((tmp_path / "instances").iterdir())) == 1, "the record is made good"


async def test_end_of_an_adopted_instance_is_told_without_a_code(runtime: ProcessRuntime, tmp_path: Path) -> None:
    pid = _start_and_kill_the_starter(tmp_path)
    assert await runtime.observe("shop/production/r1/0") is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_alive(pid))
    ended = await runtime.ended("shop/production/r1/0")
    assert ended is not None
    assert "exit code not known: an earlier daemon had started it" in str(ended)
    assert "having written nothing" in str(ended)


def _start_and_kill_the_starter(state_directory: Path) -> int:
    command = [sys.executable, "-c", STARTER, str(state_directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.kill()
    assert is_alive(pid)
    return pid


async def test_pid_that_was_used_again_is_not_taken_for_the_instance(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(tmp_path, *SLEEP)
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as stranger:
        own = proc.process(stranger.pid)
        assert own is not None
        record = {
            "id": wanted.id, "pid": stranger.pid, "start_ticks": own.start_ticks - 100, "boot_id": proc.boot_id(),
            "started_at": time.time() - 60, "port": None, "log_file": "",
        }  # fmt: skip
        for change in ({}, {"start_ticks": own.start_ticks, "boot_id": "an earlier boot"}):
            _write_record(tmp_path, {**record, **change})
            assert await runtime.observe(wanted.id) is None
            assert await runtime.find("") == []
            await runtime.ensure_stopped(wanted.id, grace_seconds=0)
            assert is_alive(stranger.pid)
        _write_record(tmp_path, record)
        state = await runtime.ensure_running(wanted)
        assert state.pid != stranger.pid
        stranger.kill()


def _write_record(state_directory: Path, record: dict[str, object]) -> None:
    path = state_directory / "instances" / "shop%2Fproduction%2Fr1%2F0.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))


async def test_instances_of_another_state_directory_are_left_alone(runtime: ProcessRuntime, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = ProcessRuntime(tmp_path / "other", SystemClock())
    wanted = spec(tmp_path, *SLEEP)
    try:
        theirs = await other.ensure_running(wanted)
        assert await runtime.observe(wanted.id) is None
        assert await runtime.find("") == []
        await runtime.ensure_stopped(wanted.id, grace_seconds=0)
        assert is_alive(theirs.pid)
        ours = await runtime.ensure_running(wanted)
        assert ours.pid != theirs.pid
    finally:
        await other.ensure_stopped(wanted.id, grace_seconds=0)
    assert is_alive(ours.pid)


async def test_taken_port_is_named_with_the_process_that_holds_it(runtime: ProcessRuntime, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        wanted = replace(spec(tmp_path, *SLEEP), port=port)
        with pytest.raises(PermanentError, match=rf"port {port} is in use by process {os.getpid()} \("):
            await runtime.ensure_running(wanted)
    assert await runtime.find("") == []


async def test_instance_runs_as_the_configured_user(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = replace(
        spec(Path("/"), "sh", "-c", "id -un; sleep 300"), user="nobody", log_file=tmp_path / "log" / "out.log"
    )
    if os.geteuid() != 0:
        with pytest.raises(UserError, match="run Watchkeeper as root"):
            await runtime.ensure_running(wanted)
        return
    state = await runtime.ensure_running(wanted)
    await wrote(tmp_path, "nobody")
    assert Path(f"/proc/{state.pid}").stat().st_uid != 0
    await runtime.ensure_stopped(wanted.id, grace_seconds=5)
    assert not is_alive(state.pid)


async def test_logs_are_kept_within_bounds_while_the_instance_writes(runtime: ProcessRuntime, tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo done; sleep 300"
    await runtime.ensure_running(spec(tmp_path, "sh", "-c", script))
    await wrote(tmp_path, "done")
    await runtime.bound_logs(max_bytes=5000)
    assert (tmp_path / "log" / "out.log").stat().st_size == 0
    assert (tmp_path / "log" / "out.log.1").read_text().endswith("line 19999\ndone\n")


async def test_observing_a_recorded_instance_is_cheap(runtime: ProcessRuntime, tmp_path: Path) -> None:
    state = await runtime.ensure_running(spec(tmp_path, *SLEEP))
    begin = time.process_time()
    for _ in range(20):
        assert await runtime.observe(state.id) == state
    assert (time.process_time() - begin) / 20 < 0.01


def test_ways_to_end_read_as_sentences() -> None:
    assert str(Ended(1, 0.31, ("a", "b"))) == "exited with 1 after 0.3 s: b"
    assert str(Ended(-9, 12, ())) == "was ended by SIGKILL after 12.0 s, having written nothing"
    assert str(Ended(-40, 1, ())).startswith("was ended by signal 40")
