"""DBOS for real: it is the same process-wide object in every test here, so each ends it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from actions.engine import DbosEngine, RunState, StepCall
from core.errors import PermanentError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


async def test_interrupted_run_continues_behind_its_finished_calls(tmp_path: Path) -> None:
    calls: list[str] = []
    reached, done = asyncio.Event(), asyncio.Event()
    hold = True

    async def first() -> str:
        calls.append("first")
        return "answer"

    async def second() -> None:
        calls.append("second")
        reached.set()
        if hold:
            await asyncio.Event().wait()

    async def drive(run_id: str, call: StepCall) -> None:
        assert run_id == "7/1/1"
        assert await call("first", first) == "answer"
        await call("second", second)
        done.set()

    engine = DbosEngine(tmp_path / "operations.db")
    await engine.start(drive)
    assert await engine.state("7/1/1") == RunState.UNKNOWN
    await engine.run("7/1/1")
    await engine.run("7/1/1")
    await asyncio.wait_for(reached.wait(), 10)
    assert await engine.state("7/1/1") == RunState.UNDER_WAY
    await engine.stop()
    assert await asyncio.to_thread(lambda: "the daemon still has threads") == "the daemon still has threads"

    hold = False
    await engine.start(drive)
    await asyncio.wait_for(done.wait(), 10)
    while await engine.state("7/1/1") != RunState.OVER:
        await asyncio.sleep(0)
    await engine.stop()
    assert calls == ["first", "second", "second"]


async def test_run_that_fails_is_over(tmp_path: Path) -> None:
    async def drive(run_id: str, call: StepCall) -> None:
        raise RuntimeError(run_id)

    engine = DbosEngine(tmp_path / "operations.db")
    await engine.start(drive)
    await engine.run("8/1/1")
    while await engine.state("8/1/1") != RunState.OVER:
        await asyncio.sleep(0)
    await engine.stop()


async def test_broken_record_is_told_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "operations.db"
    file.write_bytes(b"no database" * 1000)

    async def drive(run_id: str, call: StepCall) -> None:
        del run_id, call

    with pytest.raises(
        PermanentError, match=r"the engine's record does not open: file is not a database; move the file away"
    ):
        await DbosEngine(file).start(drive)


def test_daemon_without_operations_does_not_load_dbos() -> None:
    script = "import sys, actions.operations, actions.config; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_dbos_is_named_by_one_module_only() -> None:
    folder = Path(__file__).parents[2] / "actions"
    naming = [path.name for path in folder.rglob("*.py") if "import dbos" in path.read_text()]
    assert naming == ["engine.py"]
