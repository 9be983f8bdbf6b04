"""Reads every source when it is due: one heap of due times and deadlines, one task per running collection.

Knows nothing of what is collected or what becomes of it: frames go to `on_frame`, ended sources to `on_end`.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TypeAlias

from prometheus_client import CollectorRegistry

from collectors.collector import CollectError, Collector, Readings
from collectors.discovery.discovery import Discovery, Offer
from collectors.discovery.watch import DiscoveryStatus, DiscoveryWatch
from collectors.schedule import first_due, next_due
from collectors.selection import KEEP_ALL
from collectors.statistics import CollectionStatistics
from collectors.target_frame import TargetFrames
from core.clock import Clock
from core.tasks import OnCrash, Tasks, cancel_and_wait
from metrics.frame import Frame

_log = logging.getLogger(__name__)

_LATE_SECONDS = 0.1
_STOP_SECONDS = 2.0
_IDLE_SECONDS = 3600.0
# Labels for more series than this are worked out in a thread: 3,000 take about 10 ms.
_THREAD_FROM_SERIES = 3000
# How often a source that fails is named in the log again while the reason stays the same.
_REMIND_EVERY = 240


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """What is known about one source now.

    Attributes:
        job: the target label `job`; the name of the plugin where there is none.
        health: `up`, `down`, or `unknown` before the first collection has ended.
        last_error: why it is down; of one that is up, what the collection found wrong (a probe that failed).
        last_collected: Unix seconds at which the last collection began; None before the first.
        last_duration_seconds: how long it took.
        samples: how many samples it gave.
        timeout_seconds: how long a collection may take.
        url: where it is asked; empty where that is no URL.
        discovered: its labels before target labels were made of them; empty where the collector knows none.
    """

    source: str
    plugin: str
    job: str
    instance: str
    labels: Mapping[str, str]
    health: str
    last_error: str
    last_collected: float | None
    last_duration_seconds: float
    samples: int
    interval_seconds: float
    exported: bool
    timeout_seconds: float = 0.0
    url: str = ""
    discovered: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Source:
    """One collector and the state of its collections."""

    collector: Collector
    frames: TargetFrames
    predecessor: asyncio.Task[None] | None = None
    """The end of the collector that this one replaces; a source is never read twice at once."""
    task: asyncio.Task[None] | None = None
    run: int = 0
    reading: bool = False
    expired: bool = False
    removed: bool = False
    failures_in_a_row: int = 0
    started_at: float = 0.0
    health: str = "unknown"
    last_error: str = ""
    last_collected: float | None = None
    last_duration_seconds: float = 0.0
    readings: Readings | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        return self.collector.source.partition("/")[0]

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()


_Entry: TypeAlias = tuple[float, int, _Source, int]
"""When, order, what, and the run whose deadline this is; run 0 is the start of the next collection."""


class CollectorManager:
    """Collects from all sources, each at its own interval and none in the way of another.

    Args:
        on_frame: takes the frame of each collection, failed ones too (with `up` 0 alone); called in the event loop.
        on_end: told when a source is gone, with the time in Unix milliseconds.
    """

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        registry: CollectorRegistry,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[str, int], None],
    ) -> None:
        self._clock = clock
        self._tasks = tasks
        self._statistics = CollectionStatistics(registry)
        self._on_frame = on_frame
        self._on_end = on_end
        self._sources: dict[str, _Source] = {}
        self._heap: list[_Entry] = []
        self._order = count()
        self._scheduler: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._fixed: list[Collector] = []
        self._watch = DiscoveryWatch(clock, tasks, registry, self._reconcile)
        self._progress = clock.monotonic()

    @property
    def name(self) -> str:
        """What the component is called in logs."""
        return "collectors"

    @property
    def progress(self) -> float:
        """Monotonic time at which a collection last ended, or at which there was none to wait for."""
        return self._progress if self._sources else self._clock.monotonic()

    async def start(self) -> None:
        """Begin to collect."""
        self._progress = self._clock.monotonic()
        self._reschedule(start=True)
        self._watch.start()

    async def stop(self) -> None:
        """End all collections and close all collectors; takes at most 2 s."""
        scheduler, self._scheduler = self._scheduler, None
        await cancel_and_wait(scheduler)
        await self._watch.stop()
        for source in list(self._sources.values()):
            self._end(source)
        self._sources.clear()
        self._heap.clear()
        if self._endings:
            _, pending = await asyncio.wait(set(self._endings), timeout=_STOP_SECONDS)
            for task in pending:
                _log.error("%s did not end within %g s", task.get_name(), _STOP_SECONDS)
                task.cancel()

    def apply(self, collectors: Sequence[Collector], discoveries: Sequence[Discovery] = ()) -> None:
        """Collect from exactly these, and from what the discoveries find, from now on.

        Those whose signature is unchanged go on undisturbed.
        """
        self._watch.apply(discoveries)
        self._fixed = list(collectors)
        self._reconcile()
        # Of two collectors with one signature the older goes on; the newer is closed, once.
        self._fixed = [self._sources[collector.source].collector for collector in collectors]

    def _reconcile(self) -> None:
        """Let the sources be those that are fixed and those that were found."""
        collectors = [*self._fixed, *self._watch.collectors()]
        wanted = {collector.source: collector for collector in collectors}
        assert len(wanted) == len(collectors), "sources must be unique"
        for name in [name for name in self._sources if name not in wanted]:
            source = self._sources.pop(name)
            self._end(source)
            self._on_end(name, self._now_ms())
        for name, collector in wanted.items():
            before = self._sources.get(name)
            if before is None:
                self._add(collector, None)
            elif before.collector is not collector and before.collector.signature == collector.signature:
                self._close_unused(collector)
            elif before.collector is not collector:
                self._add(collector, self._end(before))
        self._heap = [entry for entry in self._heap if not entry[2].removed]
        heapq.heapify(self._heap)
        self._reschedule()

    def targets(self) -> list[TargetStatus]:
        """Return what is known about every source, sorted by source, and about every way of finding more."""
        found = [_status(self._sources[name]) for name in sorted(self._sources)]
        return found + [_discovery_status(status) for status in self._watch.statuses()]

    def discoveries(self) -> list[DiscoveryStatus]:
        """Return what is known about every way of finding targets, by job."""
        return self._watch.statuses()

    def offers(self) -> Mapping[str, Offer]:
        """Return, by job, the targets that were found, those that rules dropped, and those that cannot be used."""
        return self._watch.offers()

    def exported_readings(self) -> list[tuple[str, Readings]]:
        """Return the latest readings of what the daemon measures itself, by source; not of sources that are down."""
        return [
            (name, source.readings)
            for name, source in sorted(self._sources.items())
            if source.collector.exported and source.readings is not None
        ]

    def _now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    # Sources come and go.

    def _add(self, collector: Collector, predecessor: asyncio.Task[None] | None) -> None:
        frames = TargetFrames(
            collector.source,
            collector.target_labels,
            honor_labels=collector.honor_labels,
            selection=getattr(collector, "selection", KEEP_ALL),
        )
        source = _Source(collector, frames, predecessor)
        self._sources[collector.source] = source
        due = first_due(collector.source, self._clock.monotonic(), collector.interval_seconds)
        heapq.heappush(self._heap, (due, next(self._order), source, 0))

    def _end(self, source: _Source) -> asyncio.Task[None]:
        source.removed = True
        source.readings = None
        return self._spawn_ending(partial(self._close, source), source.collector.source)

    def _close_unused(self, collector: Collector) -> None:
        self._spawn_ending(collector.close, collector.source)

    def _spawn_ending(self, run: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        task = self._tasks.spawn(run, name=f"close {name}", on_crash=OnCrash.FORGET)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        return task

    async def _close(self, source: _Source) -> None:
        await cancel_and_wait(source.task)
        if source.predecessor is not None:
            await asyncio.wait({source.predecessor})
        await source.collector.close()

    # The heap.

    def _reschedule(self, *, start: bool = False) -> None:
        """Let the scheduler look at the heap anew; it may sleep until a time that is no longer the first."""
        if self._scheduler is None and not start:
            return
        if self._scheduler is not None:
            self._scheduler.cancel()
        self._scheduler = self._tasks.spawn(self._schedule, name="collector schedule", on_crash=OnCrash.STOP_DAEMON)

    async def _schedule(self) -> None:
        while True:
            now = self._clock.monotonic()
            while self._heap and (self._heap[0][0] <= now or _is_over(self._heap[0])):
                self._handle(heapq.heappop(self._heap), now)
            await self._clock.sleep(self._heap[0][0] - now if self._heap else _IDLE_SECONDS)

    def _handle(self, entry: _Entry, now: float) -> None:
        due, _, source, run = entry
        if _is_over(entry):
            return
        if run:
            self._expire(source)
            return
        following, missed = next_due(due, now, source.collector.interval_seconds)
        heapq.heappush(self._heap, (following, next(self._order), source, 0))
        if missed:
            self._statistics.skipped(source.kind, missed)
        if source.running:
            self._skip(source)
        else:
            self._begin(source, late=now - due > _LATE_SECONDS)

    def _begin(self, source: _Source, *, late: bool) -> None:
        if late:
            self._statistics.late(source.kind)
        source.run += 1
        source.expired = False
        source.reading = True
        source.started_at = self._clock.monotonic()
        name = f"collect {source.collector.source}"
        source.task = self._tasks.spawn(partial(self._collect, source), name=name, on_crash=OnCrash.FORGET)
        deadline = source.started_at + source.collector.timeout_seconds
        heapq.heappush(self._heap, (deadline, next(self._order), source, source.run))

    def _expire(self, source: _Source) -> None:
        source.expired = True
        assert source.task is not None
        source.task.cancel()

    def _skip(self, source: _Source) -> None:
        self._statistics.skipped(source.kind, 1)
        if source.expired:
            # It was cancelled and goes on all the same. Say so at every interval, or it would look as it did last.
            self._fail(source, "hangs: the collection did not end when it was cancelled", "timeout", self._now_ms())

    # One collection.

    async def _collect(self, source: _Source) -> None:
        if source.predecessor is not None:
            await asyncio.wait({source.predecessor})
            source.predecessor = None
        timestamp_ms = self._now_ms()
        source.last_collected = timestamp_ms / 1000
        try:
            readings = await self._read(source)
            await self._succeed(source, readings, timestamp_ms)
        except CollectError as error:
            self._fail(source, str(error), error.reason, timestamp_ms)

    async def _read(self, source: _Source) -> Readings:
        """Read the source; an expired deadline and a bug of the plugin are failures like any other."""
        task = asyncio.current_task()
        assert task is not None
        try:
            return await source.collector.collect()
        except asyncio.CancelledError:
            # As in asyncio.timeout: when someone else has cancelled the task too, it must end.
            if not source.expired or task.uncancel() > 0:
                raise
            timeout = source.collector.timeout_seconds
            raise CollectError(f"timeout: no answer within {timeout:g} s", reason="timeout") from None
        except CollectError:
            raise
        except Exception as error:
            _log.exception("collector %s failed unexpectedly", source.collector.source)
            raise CollectError(f"internal error: {error!r}", reason="bug") from error
        finally:
            source.reading = False

    async def _succeed(self, source: _Source, readings: Readings, timestamp_ms: int) -> None:
        duration = self._clock.monotonic() - source.started_at
        if len(readings.layout) > _THREAD_FROM_SERIES and not source.frames.knows(readings):
            await asyncio.to_thread(source.frames.prepare, readings)
        if source.removed:
            return
        frame = source.frames.success(readings, timestamp_ms, duration)
        _log_success(source, readings.problem)
        source.health, source.last_error, source.failures_in_a_row = "up", readings.problem, 0
        source.last_duration_seconds = duration
        source.readings = readings
        self._statistics.succeeded(source.kind, duration)
        self._progress = self._clock.monotonic()
        self._on_frame(frame)

    def _fail(self, source: _Source, message: str, reason: str, timestamp_ms: int) -> None:
        if source.removed:
            return
        duration = self._clock.monotonic() - source.started_at
        if message != source.last_error or source.failures_in_a_row % _REMIND_EVERY == 0:
            _log.warning("%s is down: %s", source.collector.source, message)
        source.health, source.last_error = "down", message
        source.failures_in_a_row += 1
        source.last_duration_seconds = duration
        source.readings = None
        self._statistics.failed(source.kind, reason, duration)
        self._progress = self._clock.monotonic()
        self._on_frame(source.frames.failure(timestamp_ms, duration))


def _log_success(source: _Source, problem: str) -> None:
    """Say once when a source that was down is up, and when what it measures has got a problem or lost it."""
    name = source.collector.source
    if source.failures_in_a_row:
        _log.info("%s is up again after %d failures", name, source.failures_in_a_row)
    if problem and problem != source.last_error:
        _log.warning("%s: %s", name, problem)
    elif not problem and source.last_error and not source.failures_in_a_row:
        _log.info("%s: no problem any more", name)


def _is_over(entry: _Entry) -> bool:
    """Tell whether an entry of the heap means nothing any more."""
    _, _, source, run = entry
    return source.removed or (run > 0 and (run != source.run or not source.reading))


def _status(source: _Source) -> TargetStatus:
    collector = source.collector
    labels = dict(collector.target_labels)
    return TargetStatus(
        source=collector.source,
        plugin=source.kind,
        job=labels.get("job", source.kind),
        instance=labels.get("instance", ""),
        labels=labels,
        health=source.health,
        last_error=source.last_error,
        last_collected=source.last_collected,
        last_duration_seconds=source.last_duration_seconds,
        samples=len(source.readings.layout) if source.readings is not None else 0,
        interval_seconds=collector.interval_seconds,
        exported=collector.exported,
        timeout_seconds=collector.timeout_seconds,
        # Only collectors that ask a URL, or find their targets, have these.
        url=str(getattr(collector, "url", "")),
        discovered=getattr(collector, "discovered", {}),
    )


def _discovery_status(status: DiscoveryStatus) -> TargetStatus:
    """Return a way of finding targets in the list of targets, where people see at once that it fails."""
    return TargetStatus(
        source=f"discovery/{status.job}/{status.provider}",
        plugin="discovery",
        job=status.job,
        instance=status.provider,
        labels={},
        health=status.health,
        last_error=status.last_error,
        last_collected=status.last_refresh,
        last_duration_seconds=0.0,
        samples=status.targets,
        interval_seconds=status.refresh_seconds,
        exported=False,
    )
