import asyncio

import pytest

from core.lifecycle import Lifecycle


class _Part:
    def __init__(self, name: str, log: list[str], *, start_error: bool = False, stop_error: bool = False) -> None:
        self.name = name
        self._log = log
        self._start_error = start_error
        self._stop_error = stop_error

    async def start(self) -> None:
        self._log.append(f"+{self.name}")
        if self._start_error:
            raise RuntimeError(self.name)

    async def stop(self) -> None:
        self._log.append(f"-{self.name}")
        if self._stop_error:
            raise RuntimeError(self.name)


class _HangingPart(_Part):
    async def stop(self) -> None:
        await super().stop()
        await asyncio.Event().wait()


async def test_components_stop_in_reverse_order() -> None:
    log: list[str] = []
    lifecycle = Lifecycle([_Part("a", log), _Part("b", log), _Part("c", log)])
    await lifecycle.start()
    await lifecycle.stop()
    await lifecycle.stop()
    assert log == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_failed_start_stops_what_was_started() -> None:
    log: list[str] = []
    with pytest.raises(RuntimeError, match="b"):
        await Lifecycle([_Part("a", log), _Part("b", log, start_error=True), _Part("c", log)]).start()
    assert log == ["+a", "+b", "-b", "-a"]


async def test_component_that_fails_or_hangs_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []
    parts = [_Part("a", log), _Part("b", log, stop_error=True), _HangingPart("c", log)]
    lifecycle = Lifecycle(parts, stop_timeout_seconds=0.01)
    await lifecycle.start()
    await lifecycle.stop()
    assert log[3:] == ["-c", "-b", "-a"]
    assert "c did not stop within 0.01 s" in caplog.text
    assert "b failed to stop" in caplog.text
