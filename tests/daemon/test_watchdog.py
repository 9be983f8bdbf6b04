from core.tasks import Tasks
from daemon.systemd import Notifier
from daemon.watchdog import Progress, Watchdog, stalled
from tests.fakes.clock import FakeClock


class _Recorder(Notifier):
    def __init__(self) -> None:
        super().__init__({"WATCHDOG_USEC": "30000000"})
        self.fed = 0

    def watchdog(self) -> None:
        self.fed += 1


def test_part_that_stands_still_is_named() -> None:
    parts = [Progress("collection", lambda: 95.0, lambda: 10.0), Progress("evaluation", lambda: 50.0, lambda: 30.0)]
    assert stalled(parts, 70.0) is None
    assert stalled(parts, 100.0) == "evaluation made no progress for 50 s (allowed are 30 s)"


async def test_watchdog_starves_while_nothing_moves_and_is_fed_again_after() -> None:
    clock = FakeClock()
    tasks = Tasks(clock)
    notifier = _Recorder()
    reasons: list[str | None] = []
    moved = clock.monotonic()
    part = Progress("collection", lambda: moved, lambda: 25.0)
    watchdog = Watchdog([part], notifier, clock=clock, tasks=tasks, on_stall=reasons.append)
    await watchdog.start()
    await clock.advance(20)
    assert notifier.fed == 3
    await clock.advance(60)
    assert notifier.fed == 3
    assert reasons[-1] is not None
    moved = clock.monotonic()
    await clock.advance(10)
    assert notifier.fed == 4
    await watchdog.stop()
    await tasks.stop()
