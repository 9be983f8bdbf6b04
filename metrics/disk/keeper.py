"""What has to be done to the files now and then: seal, draw together, let go of the oldest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from metrics.disk.archive import Archive, Level, Segment
from metrics.disk.loss import Loss
from metrics.disk.segment import SegmentWriter
from metrics.disk.wal import WalFile, find_files
from metrics.head import Head
from metrics.store_limits import StoreLimits

_log = logging.getLogger(__name__)

_DAY_MS = 86_400_000
_SAMPLES_AT_ONCE = 262_144
_EARLY_MS = 600_000
_EARLY_STEP_MS = 300_000
OVERLAP_MS = 600_000
"""Write-ahead files stay so much longer: from what was there before its span a start learns what ended in it."""


class Stopped(Exception):  # noqa: N818 - it is no error: the daemon stops, and the work is done after the next start
    """The work shall end early."""


class Keeper:
    """Moves samples from memory to segments and so on. For one thread, but for `stop`.

    Args:
        on_loss: told of samples that had to be given up.
        on_unread: told how many bytes of write-ahead files were removed before every reader had read them.
        holds: the numbers of the first write-ahead files that readers still need.
    """

    def __init__(
        self, folder: Path, head: Head, archive: Archive, limits: StoreLimits, *,
        on_loss: Callable[[Loss], None], on_unread: Callable[[int], None],
        current_wal: Callable[[], WalFile], holds: Callable[[], int | None],
    ) -> None:  # fmt: skip
        self._folder = folder
        self._head = head
        self._archive = archive
        self._limits = limits
        self._on_loss = on_loss
        self._on_unread = on_unread
        self._current_wal = current_wal
        self._holds = holds
        self._stopping = threading.Event()
        self._known: dict[int, int] = {}
        self.sealed_ms = -_NEVER

    def stop(self) -> None:
        """End what is under way soon."""
        self._stopping.set()

    def note(self, file: WalFile) -> None:
        """Take note of a finished write-ahead file: it can go when everything in it is sealed."""
        if file.last_ms is not None:
            self._known[file.number] = file.last_ms

    def keep(self, now_ms: int) -> None:
        """Do all that is due.

        Raises: OSError: something could not be written or removed; the rest is as it should be. Stopped.
        """
        # What was sealed in the round before goes from memory only now: no query that began before reads it any more.
        self._head.trim_before(self.sealed_ms)
        try:
            self._seal_all(now_ms)
            self._draw_together(now_ms)
        except OSError:
            self._head.trim_before(now_ms - _milliseconds(self._limits.memory_seconds))
            raise
        finally:
            self._remove_wal()
            self._retain(now_ms)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    # Sealing.

    def _seal_all(self, now_ms: int) -> None:
        span = _milliseconds(self._limits.segment_seconds)
        until = now_ms - _milliseconds(self._limits.seal_after_seconds)
        while (first_ms := self._head.first_ms_from(self.sealed_ms)) is not None:
            end_ms = (first_ms // span + 1) * span
            if end_ms > until:
                self._seal_early(now_ms, end_ms)
                return
            self._seal(max(end_ms - span, self.sealed_ms), end_ms)

    def _seal_early(self, now_ms: int, latest_ms: int) -> None:
        """Seal part of a span where samples take too much memory: all of it that is old enough, as large as can be."""
        end_ms = min((now_ms - _EARLY_MS) // _EARLY_STEP_MS * _EARLY_STEP_MS, latest_ms)
        first_ms = self._head.first_ms_from(self.sealed_ms)
        if first_ms is not None and first_ms < end_ms and self._head.size_bytes > self._limits.memory_bytes:
            span = _milliseconds(self._limits.segment_seconds)
            self._seal(max(first_ms // span * span, self.sealed_ms), end_ms)

    def _seal(self, start_ms: int, end_ms: int) -> None:
        self._head.close_before(end_ms)

        def fill(writer: SegmentWriter) -> None:
            for source, blocks in self._head.sections(start_ms, end_ms - 1, _SAMPLES_AT_ONCE):
                begun = False
                for block in blocks:
                    self._check()
                    if not begun:
                        writer.begin(source, block.timestamps_ms)
                        begun = True
                    writer.add(block.series, block.values)

        self._archive.write(Level.RAW, start_ms, end_ms, fill)
        self.sealed_ms = end_ms
        _log.debug("sealed the samples from %d to %d", start_ms, end_ms)

    # Long history.

    def _draw_together(self, now_ms: int) -> None:
        for level, seconds in self._history():
            for day in self._days_without(level, now_ms - _milliseconds(seconds)):
                from metrics.disk.history import draw_together  # noqa: PLC0415 - needed once a day

                self._check()
                raw = [s for s in self._archive.segments(Level.RAW) if day <= s.start_ms < day + _DAY_MS]
                draw_together(self._archive, raw, level, day, day + _DAY_MS, self._check)

    def _history(self) -> list[tuple[Level, float]]:
        limits = self._limits
        levels = [(Level.FIVE_MINUTES, limits.five_minute_seconds), (Level.HOUR, limits.hour_seconds)]
        return [(level, seconds) for level, seconds in levels if seconds > 0]

    def _days_without(self, level: Level, oldest_ms: int) -> list[int]:
        """Return the days, as the times of their beginnings, that are sealed whole and not drawn together yet."""
        return [day for day in self._days_due(level, oldest_ms) if day + _DAY_MS <= self.sealed_ms]

    def _days_due(self, level: Level, oldest_ms: int) -> list[int]:
        """Return the days that are not drawn together yet, the one that is under way among them."""
        there = {segment.start_ms for segment in self._archive.segments(level)}
        days = {segment.start_ms // _DAY_MS * _DAY_MS for segment in self._archive.segments(Level.RAW)}
        return sorted(day for day in days - there if day + _DAY_MS > oldest_ms)

    # Letting go.

    def _remove_wal(self) -> None:
        """Remove the write-ahead files of which everything is sealed and that no reader needs."""
        current = self._current_wal().number
        held = self._holds()
        files = [file for file in find_files(self._folder) if file.number < current]
        total = sum(file.size for file in files)
        for file in files:
            if self._known.get(file.number, _NEVER) >= self.sealed_ms - OVERLAP_MS:
                return
            if held is not None and file.number >= held:
                if total <= self._limits.max_unread_bytes:
                    return
                self._on_unread(file.size)
                reason = f"removed before it was sent on: more than {self._limits.max_unread_bytes} bytes wait"
                self._on_loss(Loss(file.path.name, reason, "unread"))
            file.path.unlink(missing_ok=True)
            self._known.pop(file.number, None)
            total -= file.size

    def _retain(self, now_ms: int) -> None:
        limits = self._limits
        kept = {Level.RAW: limits.retention_seconds, Level.FIVE_MINUTES: limits.five_minute_seconds}
        kept[Level.HOUR] = limits.hour_seconds
        missing = {
            day for level, seconds in self._history() for day in self._days_due(level, now_ms - _milliseconds(seconds))
        }
        for segment in self._archive.segments():
            old = segment.end_ms <= now_ms - _milliseconds(kept[segment.level])
            if old and not (segment.level is Level.RAW and segment.start_ms // _DAY_MS * _DAY_MS in missing):
                self._archive.remove(segment)
        if limits.max_bytes is not None:
            self._shrink(limits.max_bytes)

    def _shrink(self, max_bytes: int) -> None:
        size = self._archive.size_bytes + sum(file.size for file in find_files(self._folder))
        for segment in _first_to_go(self._archive):
            if size <= max_bytes:
                return
            self._archive.remove(segment)
            size -= segment.size


_NEVER = 1 << 62


def _first_to_go(archive: Archive) -> list[Segment]:
    """Return all segments: the finest first, as they take the most and tell the least of each hour; then by age."""
    return [segment for level in Level for segment in archive.segments(level)]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
