from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from collectors.collector import CollectError
from collectors.manager import CollectorManager
from core.tasks import Tasks
from metrics.frame import Frame
from tests.collectors.fake_collector import FakeCollector, hang, value_of
from tests.fakes.clock import START, FakeClock, settle


class House:
    """A manager with all that it needs, and what came of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tasks = Tasks(self.clock)
        self.registry = CollectorRegistry()
        self.frames: list[Frame] = []
        self.ended: list[tuple[str, int]] = []
        self.manager = CollectorManager(
            self.clock,
            self.tasks,
            self.registry,
            self.frames.append,
            lambda source, ms: self.ended.append((source, ms)),
        )

    def of(self, source: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.source == source]

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.manager.stop()
    await house.tasks.stop()
    assert house.tasks.names == []


async def suspend(clock: FakeClock, seconds: float) -> None:
    """Let time go on while nothing can run; then all that has fallen due wakes at once."""
    clock._monotonic += seconds
    clock._now += seconds
    for _, _, sleeper in clock._sleepers:
        if not sleeper.done():
            sleeper.set_result(None)
    clock._sleepers.clear()
    await settle()


def failing(*errors: Exception | None) -> Callable[[], Awaitable[float]]:
    left = list(errors)

    async def answer() -> float:
        error = left.pop(0) if left else None
        if error is not None:
            raise error
        return 1.0

    return answer


async def test_every_source_is_read_once_an_interval(house: House) -> None:
    house.manager.apply([FakeCollector("a", interval_seconds=10), FakeCollector("b", interval_seconds=5)])
    await house.manager.start()
    await house.clock.advance(30)
    assert len(house.of("a")) == 3
    assert len(house.of("b")) == 6
    times = [frame.timestamp_ms for frame in house.of("b")]
    assert {later - earlier for earlier, later in pairwise(times)} == {5000}


async def test_frames_carry_target_labels_and_up(house: House) -> None:
    house.manager.apply([FakeCollector("a")])
    await house.manager.start()
    await house.clock.advance(10)
    assert value_of(house.frames[0], "value") == 1.0
    assert value_of(house.frames[0], "up") == 1.0
    assert house.frames[1:] == []
    labels = dict(house.frames[0].layout.series[0])
    assert (labels["job"], labels["instance"]) == ("fake", "a")


async def test_a_hanging_source_is_cut_off_at_its_timeout_and_delays_no_other(house: House) -> None:
    slow, quick = FakeCollector("slow", hang, timeout_seconds=5), FakeCollector("quick", interval_seconds=1)
    house.manager.apply([slow, quick])
    await house.manager.start()
    await house.clock.advance(20)
    assert len(house.of("quick")) == 20
    assert {value_of(frame, "up") for frame in house.of("slow")} == {0.0}
    assert value_of(house.of("slow")[0], "scrape_duration_seconds") == pytest.approx(5.0)
    assert slow.most_running == 1
    status = {target.source: target for target in house.manager.targets()}["slow"]
    assert (status.health, status.last_error) == ("down", "timeout: no answer within 5 s")
    assert house.metric("watchkeeper_collection_errors_total", collector="slow", reason="timeout") == len(
        house.of("slow")
    )


async def test_a_source_that_ignores_its_cancellation_is_never_read_twice_at_once_and_shows_as_down(
    house: House,
) -> None:
    release = asyncio.Event()

    async def stubborn() -> float:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return 7.0

    collector = FakeCollector("stubborn", stubborn, interval_seconds=10, timeout_seconds=5)
    house.manager.apply([collector])
    await house.manager.start()
    await house.clock.advance(40)
    assert collector.most_running == 1
    assert collector.begun == 1
    assert [value_of(frame, "up") for frame in house.frames] == [0.0] * 3
    assert house.metric("watchkeeper_collections_skipped_total", collector="stubborn") == 3
    release.set()
    await house.clock.advance(10)
    assert value_of(house.frames[-1], "up") == 1.0


async def test_failure_is_told_with_its_reason_and_success_heals_it(house: House) -> None:
    error = CollectError("connection refused", reason="connection")
    house.manager.apply([FakeCollector("scrape/shop/a", failing(None, error, None))])
    await house.manager.start()
    await house.clock.advance(20)
    [target] = house.manager.targets()
    assert (target.plugin, target.health, target.last_error) == ("scrape", "down", "connection refused")
    assert house.manager.exported_readings() == []
    assert house.metric("watchkeeper_collection_errors_total", collector="scrape", reason="connection") == 1
    await house.clock.advance(10)
    [target] = house.manager.targets()
    assert (target.health, target.last_error, target.samples) == ("up", "", 1)
    assert [value_of(frame, "up") for frame in house.frames] == [1.0, 0.0, 1.0]


async def test_a_bug_in_a_plugin_is_a_failure_like_any_other(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.manager.apply([FakeCollector("a", failing(ZeroDivisionError("oops")))])
    await house.manager.start()
    await house.clock.advance(10)
    assert value_of(house.frames[0], "up") == 0.0
    assert "internal error: ZeroDivisionError('oops')" in house.manager.targets()[0].last_error
    assert house.metric("watchkeeper_collection_errors_total", collector="a", reason="bug") == 1
    assert "failed unexpectedly" in caplog.text


async def test_a_source_that_stays_down_is_not_logged_each_time(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.manager.apply([FakeCollector("a", failing(*[CollectError("connection refused")] * 50))])
    await house.manager.start()
    await house.clock.advance(500)
    assert caplog.text.count("connection refused") == 1


async def test_missed_collections_are_skipped_not_made_up_for(house: House) -> None:
    house.manager.apply([FakeCollector("a", interval_seconds=10)])
    await house.manager.start()
    await house.clock.advance(10)
    await suspend(house.clock, 95)
    assert len(house.frames) == 2
    assert house.metric("watchkeeper_collections_late_total", collector="a") == 1
    assert house.metric("watchkeeper_collections_skipped_total", collector="a") in (8, 9)
    await house.clock.advance(10)
    assert len(house.frames) == 3


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
async def test_collection_goes_on_when_the_wall_clock_jumps(house: House, jump: float) -> None:
    house.manager.apply([FakeCollector("a", interval_seconds=10)])
    await house.manager.start()
    await house.clock.advance(10)
    house.clock.jump(jump)
    await house.clock.advance(30)
    assert len(house.frames) == 4


async def test_removed_source_ends_and_is_closed(house: House) -> None:
    hanging, other = FakeCollector("hanging", hang, interval_seconds=1, timeout_seconds=100), FakeCollector("other")
    house.manager.apply([hanging, other])
    await house.manager.start()
    await house.clock.advance(10)
    assert hanging.running == 1
    house.manager.apply([other])
    await settle()
    assert (hanging.running, hanging.closed) == (0, 1)
    assert house.ended == [("hanging", round((START + 10) * 1000))]
    assert [target.source for target in house.manager.targets()] == ["other"]
    await house.clock.advance(20)
    assert house.of("hanging") == []


async def test_unchanged_collector_goes_on_undisturbed_by_a_reload(house: House) -> None:
    before, after = FakeCollector("a", signature="same"), FakeCollector("a", signature="same")
    house.manager.apply([before])
    await house.manager.start()
    await house.clock.advance(15)
    house.manager.apply([after])
    await house.clock.advance(15)
    assert (before.begun, after.begun) == (3, 0)
    assert (before.closed, after.closed) == (0, 1)
    assert house.ended == []


async def test_changed_collector_takes_over_without_overlap_and_without_an_end(house: House) -> None:
    before = FakeCollector("a", hang, signature=1, interval_seconds=1, timeout_seconds=1000)
    after = FakeCollector("a", signature=2)
    house.manager.apply([before])
    await house.manager.start()
    await house.clock.advance(1)
    house.manager.apply([after])
    await house.clock.advance(10)
    assert (before.begun, before.running, before.closed) == (1, 0, 1)
    assert after.begun == 1
    assert house.ended == []
    assert [value_of(frame, "up") for frame in house.frames] == [1.0]


async def test_stop_ends_all_work_closes_all_collectors_and_may_be_repeated(house: House) -> None:
    collectors = [FakeCollector("a", hang, interval_seconds=1), FakeCollector("b")]
    house.manager.apply(collectors)
    await house.manager.stop()
    assert [collector.closed for collector in collectors] == [1, 1]
    await house.manager.stop()
    assert house.tasks.names == []


async def test_stop_while_collecting_leaves_nothing_running(house: House) -> None:
    collectors = [FakeCollector("a", hang, interval_seconds=1, timeout_seconds=50)]
    house.manager.apply(collectors)
    await house.manager.start()
    await house.clock.advance(2)
    assert collectors[0].running == 1
    await house.manager.stop()
    assert (collectors[0].running, collectors[0].closed) == (0, 1)
    assert house.tasks.names == []
    assert house.ended == []  # the daemon ends, not the source


async def test_progress_moves_with_collections_and_with_their_failures(house: House) -> None:
    house.manager.apply([FakeCollector("a", failing(CollectError("no")), interval_seconds=10)])
    await house.manager.start()
    before = house.manager.progress
    await house.clock.advance(10)
    assert house.manager.progress > before


async def test_without_sources_there_is_nothing_to_wait_for(house: House) -> None:
    await house.manager.start()
    await house.clock.advance(1000)
    assert house.manager.progress == house.clock.monotonic()


async def test_only_what_the_daemon_measures_itself_is_exported(house: House) -> None:
    house.manager.apply([FakeCollector("system"), FakeCollector("scrape/x", exported=False)])
    await house.manager.start()
    await house.clock.advance(10)
    [(source, readings)] = house.manager.exported_readings()
    assert source == "system"
    assert readings.layout.series == ((("__name__", "value"),),)


async def test_hundreds_of_sources_are_read_at_their_own_times(house: House) -> None:
    house.manager.apply([FakeCollector(f"scrape/{index}", interval_seconds=10) for index in range(300)])
    await house.manager.start()
    await house.clock.advance(10)
    assert len(house.frames) == 300
    assert len({frame.timestamp_ms for frame in house.frames}) > 280


async def test_sources_applied_while_running_are_read_within_their_interval(house: House) -> None:
    await house.manager.start()
    await house.clock.advance(100)
    house.manager.apply([FakeCollector("a")])
    await house.clock.advance(10)
    assert len(house.frames) == 1


async def test_a_problem_that_was_measured_leaves_the_source_up_and_is_told_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    collector = FakeCollector("http_probe/front", interval_seconds=10)
    house.manager.apply([collector])
    await house.manager.start()
    collector.problem = "HTTP 503"
    await house.clock.advance(30)
    [target] = house.manager.targets()
    assert (target.health, target.last_error) == ("up", "HTTP 503")
    assert value_of(house.frames[-1], "up") == 1.0
    assert caplog.text.count("http_probe/front: HTTP 503") == 1
    collector.problem = ""
    await house.clock.advance(30)
    assert house.manager.targets()[0].last_error == ""
    assert caplog.text.count("http_probe/front: no problem any more") == 1
