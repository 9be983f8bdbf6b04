import asyncio

import pytest

from core.tasks import OnCrash, Tasks, cancel_and_wait
from tests.fakes.clock import FakeClock, settle


async def test_crashed_task_is_counted_and_started_again_after_a_pause() -> None:
    clock = FakeClock()
    crashes: list[str] = []
    tasks = Tasks(clock, on_crash=lambda name, _error: crashes.append(name))
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ValueError("boom")

    task = tasks.spawn(run, name="worker")
    await settle()
    assert (runs, crashes) == (1, ["worker"])
    await clock.advance(5)
    assert (runs, crashes) == (3, ["worker", "worker"])
    assert task.done()


async def test_crash_of_a_vital_task_is_fatal() -> None:
    fatal: list[str] = []
    tasks = Tasks(FakeClock(), on_fatal=lambda name, error: fatal.append(f"{name}: {error}"))

    async def run() -> None:
        raise ValueError("boom")

    await tasks.spawn(run, name="engine", on_crash=OnCrash.STOP_DAEMON)
    assert fatal == ["engine: boom"]


async def test_stop_leaves_no_task() -> None:
    tasks = Tasks(FakeClock())
    tasks.spawn(asyncio.Event().wait, name="a")  # type: ignore[arg-type]
    tasks.spawn(asyncio.Event().wait, name="b")  # type: ignore[arg-type]
    await settle()
    assert tasks.names == ["a", "b"]
    await tasks.stop()
    await settle()
    assert tasks.names == []


async def test_task_that_ignores_its_cancellation_is_named(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(FakeClock())
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    task = tasks.spawn(stubborn, name="stubborn")
    await settle()
    await tasks.stop(timeout_seconds=0.01)
    assert "task stubborn did not end" in caplog.text
    release.set()
    await task


async def test_cancel_and_wait_ends_a_task_and_accepts_none() -> None:
    tasks = Tasks(FakeClock())
    task = tasks.spawn(asyncio.Event().wait, name="a")  # type: ignore[arg-type]
    await cancel_and_wait(task)
    assert task.cancelled()
    await cancel_and_wait(task)
    await cancel_and_wait(None)
