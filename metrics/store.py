"""The store: what is in memory and what is on disk as one, and what moves from one to the other.

A frame goes into the head (memory) and, through a thread of its own, into the write-ahead file. Some time later the
head's oldest span becomes a segment; the write-ahead files that held it go. docs/store.md tells the whole life.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from core.clock import Clock
from core.errors import UserError
from core.tasks import OnCrash, Tasks, cancel_and_wait
from metrics.disk.archive import Archive, Level
from metrics.disk.entry import Entry
from metrics.disk.join import join
from metrics.disk.keeper import OVERLAP_MS, Keeper, Stopped
from metrics.disk.loss import Loss
from metrics.disk.wal import Position, WalFile, WalWriter, find_files
from metrics.disk.wal_reader import Unread, WalCursor, replay
from metrics.disk.wal_thread import WalThread
from metrics.frame import End, FloatArray, Frame, TimeArray
from metrics.head import Head
from metrics.label import Labels, label_value
from metrics.own_time import Reject
from metrics.statistics import StoreStatistics
from metrics.storage import Block, Matcher, Storage
from metrics.store_limits import StoreLimits

_log = logging.getLogger(__name__)

SYNC_SECONDS = 1.0
KEEP_SECONDS = 30.0
_SETTLE_SECONDS = 0.01
_STOP_SECONDS = 2.0
_KEPT_LOSSES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What the samples of some series came to in each span.

    Attributes:
        timestamps_ms: shape (T,), the last millisecond of each span.
        fields: by name (last, min, max, sum, count), each of shape (T, S), MISSING where there were no samples.
    """

    source: str
    series: Sequence[Labels]
    timestamps_ms: TimeArray
    fields: dict[str, FloatArray]


class Store(Storage):
    """Samples that outlive the process. Component.

    `append`, `end_source`, `select` and what is like them may be called from any thread, at once after the
    construction; until `start` is done only what came in by then is seen.

    Args:
        folder: where the files are; made when missing.
        write: os.write, or what stands for it where a test fills the disk.
        readers: the names of those that read the write-ahead files; nothing is removed that one has not read.
    """

    def __init__(
        self, folder: Path, clock: Clock, tasks: Tasks, registry: CollectorRegistry | None = None, *,
        limits: StoreLimits | None = None, readers: Sequence[str] = (), write: Callable[[int, bytes], int] = os.write,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._clock = clock
        self._tasks = tasks
        self.limits = limits = limits or StoreLimits()
        self.head = Head(
            limits.memory_seconds, registry, max_series=limits.max_series, max_source_series=limits.max_source_series,
            own_time_seconds=limits.seal_after_seconds,
        )  # fmt: skip
        self.losses: list[Loss] = []
        self._lock = threading.Lock()
        self._readers: dict[str, Position] = {name: Position(0, 0) for name in readers}
        self._cursors: dict[str, WalCursor] = {}
        self._trouble: dict[str, str] = {}
        self._measure(registry)
        self._archive = Archive(folder, self._lost)
        self._keeper = Keeper(
            folder, self.head, self._archive, limits,
            on_loss=self._lost, on_unread=self._unread_lost.inc,
            current_wal=lambda: self._wal.current, holds=self._held,
        )  # fmt: skip
        self._write = write
        self._wal = WalWriter(folder, 1)
        self._thread: WalThread | None = None
        self._running: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """What the component is called in logs."""
        return "store"

    @property
    def trouble(self) -> str | None:
        """Why samples are not safe on disk now, in one line; None when they are."""
        with self._lock:
            return "; ".join(self._trouble.values()) or None

    @property
    def sealed_ms(self) -> int:
        """The time before which samples are in segments, and can no longer be added."""
        return self._keeper.sealed_ms

    # Life.

    async def start(self) -> None:
        """Find what is on disk, load what is not sealed yet, and begin to write.

        Raises: UserError: the folder cannot be used.
        """
        await asyncio.to_thread(self.open)
        self._running = [
            self._tasks.spawn(self._settle, name="store-index", on_crash=OnCrash.FORGET),
            self._tasks.spawn(self._sync_regularly, name="store-sync"),
            self._tasks.spawn(self._keep_regularly, name="store-keep"),
        ]

    async def stop(self) -> None:
        """Write what waits, and end."""
        self._keeper.stop()
        running, self._running = self._running, []
        for task in running:
            await cancel_and_wait(task)
        await asyncio.to_thread(self.close)

    def open(self) -> None:
        """Do what `start` does, but for the tasks: `sync` and `keep` are then up to the caller."""
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._archive.load(self._now_ms())
            self._keeper.sealed_ms = self._archive.sealed_ms or self._keeper.sealed_ms
            with _collecting_paused():
                files = self._replay()
        except OSError as error:
            remedy = "see that the daemon may read and write there"
            raise UserError(f"store {self._folder}: {error.strerror}; {remedy}") from error
        self.head.close_before(self._keeper.sealed_ms)
        self._wal = WalWriter(self._folder, files + 1, write=self._write)
        self._thread = WalThread(self._wal, on_trouble=self._wal_trouble, on_dropped=self._not_written)
        self._thread.start()

    def close(self) -> None:
        """Write what waits and close the files; does nothing before open()."""
        thread, self._thread = self._thread, None
        if thread is not None and not thread.stop(_STOP_SECONDS):
            _log.error("store: not everything was written: %s", self.trouble or "the disk is too slow")

    def sync(self) -> None:
        """Bring what was written to the device."""
        try:
            self._wal.sync()
        except OSError as error:
            self._set_trouble("sync", f"write-ahead file: cannot be synced: {error.strerror}")
        else:
            self._set_trouble("sync", None)

    def keep(self, now_ms: int) -> None:
        """Seal, draw together, and let go of what is due."""
        while self._wal.finished:
            self._keeper.note(self._wal.finished.popleft())
        try:
            self._keeper.keep(now_ms)
        except Stopped:
            return
        except OSError as error:
            self._set_trouble("keep", f"segments: {error.filename or self._folder}: {error.strerror}; tried again soon")
        else:
            self._set_trouble("keep", None)

    async def _settle(self) -> None:
        while await asyncio.to_thread(self.head.settle_some):
            await self._clock.sleep(_SETTLE_SECONDS)  # others go first: the daemon has only just become ready

    async def _sync_regularly(self) -> None:
        while True:
            await self._clock.sleep(SYNC_SECONDS)
            if self._wal.dirty:
                await asyncio.to_thread(self.sync)

    async def _keep_regularly(self) -> None:
        while True:
            await self._clock.sleep(KEEP_SECONDS)
            await asyncio.to_thread(self.keep, self._now_ms())

    def _replay(self) -> int:
        """Load the write-ahead files and return the number of the last."""
        last = 0
        for file, entries in replay(self._folder, self._lost):
            self.head.load(entries, self._keeper.sealed_ms - OVERLAP_MS)
            self._keeper.note(file)
            last = file.number
        numbers = [file.number for file in find_files(self._folder)]
        return max([last, *numbers, *(position.file for position in self._readers.values())])

    # Taking in.

    def append(self, frame: Frame, refused: Tally[Reject] | None = None) -> None:
        """Take in a frame; it is in the write-ahead file a moment later (see wait_written).

        Args:
            refused: gets how many samples were refused, by reason.
        """
        with self._lock:
            if self.head.take(frame, refused):
                self._put(frame)

    def end_source(self, source: str, timestamp_ms: int) -> None:
        """Mark all live series of a source as ended."""
        with self._lock:
            self.head.end_source(source, timestamp_ms)
            self._put(End(source, timestamp_ms))

    def wait_written(self, timeout_seconds: float) -> bool:
        """Wait until all that was appended before is in the file, where no crash of this process can lose it.

        It blocks: call it in a thread. Returns: whether it is so.
        """
        return self._thread is not None and self._thread.wait_written(timeout_seconds)

    def _put(self, entry: Entry) -> None:
        if self._thread is not None:
            self._thread.put(entry)

    # Asking.

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return all samples with start_ms <= time <= end_ms of the series that satisfy every matcher.

        For times of which the samples are gone, what long history has: the last value of each five minutes, or of
        each hour, at the last millisecond of it.
        """
        if start_ms >= self._keeper.sealed_ms:
            return self.head.select(matchers, start_ms, end_ms)
        return [block for _, block in self._select(matchers, start_ms, end_ms)]

    def select_newest(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return what select() returns, less samples that have a newer one of the same series in their block."""
        if start_ms >= self._keeper.sealed_ms:
            return self.head.select_newest(matchers, start_ms, end_ms)
        return self.select(matchers, start_ms, end_ms)

    def history(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, level: Level) -> list[History]:
        """Return long history of one resolution; the days that are not over have none yet."""
        from metrics.disk.history import FIELDS  # noqa: PLC0415

        return [
            History(source, blocks[0].series, blocks[0].timestamps_ms, dict(zip(FIELDS, _values(blocks), strict=True)))
            for source, blocks in self._archive.fields(level, matchers, start_ms, end_ms, len(FIELDS))
        ]

    def metric_names(self) -> set[str]:
        """Return the names of all metrics in memory."""
        return self.head.metric_names()

    def label_names(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Return, sorted, the names of the labels of matching series with samples in the time range."""
        if start_ms >= self._keeper.sealed_ms:
            return self.head.label_names(matchers, start_ms, end_ms)
        return sorted({name for labels in self.series(matchers, start_ms, end_ms) for name, _ in labels})

    def label_values(self, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Return, sorted, the values of a label of matching series with samples in the time range."""
        if start_ms >= self._keeper.sealed_ms:
            return self.head.label_values(name, matchers, start_ms, end_ms)
        return sorted({label_value(labels, name) for labels in self.series(matchers, start_ms, end_ms)} - {""})

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> set[Labels]:
        """Return the matching series that are in memory or in a segment that the time range touches."""
        found = self._archive.series(matchers, start_ms, end_ms) if start_ms < self._keeper.sealed_ms else set()
        found.update(self.head.series(matchers, max(start_ms, self._keeper.sealed_ms), end_ms))
        return found

    def statistics(self, limit: int) -> StoreStatistics:
        """Return how large the part in memory is, with the `limit` largest of what makes it large."""
        return self.head.statistics(limit)

    def _select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[tuple[str, Block]]:
        sealed_ms = self._keeper.sealed_ms
        found = self._archive.select(matchers, start_ms, min(end_ms, sealed_ms - 1))
        if end_ms >= sealed_ms:
            found += self.head.select_by_source(matchers, sealed_ms, end_ms)
        return join(found)

    # Sending on.

    def read_wal(self, reader: str, position: Position, max_bytes: int = 1 << 20) -> Unread:
        """Return frames that were written after a position, and where to go on.

        All that is before the position may be removed from then on, and nothing after it, but beyond a limit that is
        counted. It reads files: call it in a thread. A reader begins at Position(0, 0).
        """
        with self._lock:
            self._readers[reader] = position
            cursor = self._cursors.setdefault(reader, WalCursor(self._folder))
        current = self._wal.current
        size = current.size
        files = [file for file in find_files(self._folder) if file.number < current.number]
        if size:
            files.append(WalFile(current.number, current.path, size))
        return cursor.read(position, files, max_bytes)

    def forget_reader(self, reader: str) -> None:
        """Keep nothing for a reader any more."""
        with self._lock:
            self._readers.pop(reader, None)
            self._cursors.pop(reader, None)

    def _held(self) -> int | None:
        with self._lock:
            return min((position.file for position in self._readers.values()), default=None)

    # Telling.

    def _measure(self, registry: CollectorRegistry | None) -> None:
        self._lost_total = Counter(
            "watchkeeper_store_losses", "Losses of stored samples, by what happened.", ["kind"], registry=registry
        )
        self._not_written_total = Counter(
            "watchkeeper_store_frames_not_written",
            "Frames that never came into the write-ahead file, because the disk refused for too long.",
            registry=registry,
        )
        trouble = Gauge(
            "watchkeeper_store_trouble", "1 while samples cannot be written to disk, else 0.", registry=registry
        )
        trouble.set_function(lambda: float(self.trouble is not None))
        disk = Gauge("watchkeeper_store_segment_bytes", "Disk that segments take.", registry=registry)
        disk.set_function(lambda: self._archive.size_bytes)
        segments = Gauge("watchkeeper_store_segments", "Segment files.", registry=registry)
        segments.set_function(lambda: len(self._archive.segments()))
        self._unread_lost = Counter(
            "watchkeeper_store_unread_lost_bytes",
            "Bytes of write-ahead files that were removed before every reader had read them.",
            registry=registry,
        )

    def _lost(self, loss: Loss) -> None:
        with self._lock:
            if loss in self.losses:
                return
            self.losses.append(loss)
            del self.losses[:-_KEPT_LOSSES]
        self._lost_total.labels(loss.kind).inc()
        _log.warning("store: %s", loss)

    def _not_written(self, frames: int) -> None:
        self._not_written_total.inc(frames)

    def _wal_trouble(self, error: OSError | None) -> None:
        if error is None:
            self._set_trouble("wal", None)
            return
        remedy = "samples are in memory only, tried again each second"
        self._set_trouble("wal", f"write-ahead file: {error.strerror}; {remedy}")

    def _set_trouble(self, part: str, text: str | None) -> None:
        with self._lock:
            before = self._trouble.pop(part, None)
            if text is not None:
                self._trouble[part] = text
        if text is not None and text != before:
            _log.error("store: %s", text)
        elif text is None and before is not None:
            _log.info("store: writing again (was: %s)", before)

    def _now_ms(self) -> int:
        return round(self._clock.now() * 1000)


@contextmanager
def _collecting_paused() -> Iterator[None]:
    """Let many objects be made that all stay, without looking through them again and again for garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _values(blocks: Sequence[Block]) -> list[FloatArray]:
    return [block.values for block in blocks]
