"""All segments of a folder: finding, reading, and letting go of the oldest."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from metrics.disk.folder import PARTIAL, set_aside, whole_file
from metrics.disk.loss import Loss
from metrics.disk.segment import (
    SUFFIX,
    Directory,
    SegmentError,
    SegmentFile,
    SegmentWriter,
    Summary,
    read_summary,
)
from metrics.label import Labels
from metrics.storage import Block, Matcher

_NAME = re.compile(r"(raw|5m|1h)-(-?\d+)-(-?\d+)" + re.escape(SUFFIX))
_CACHE_BYTES = 16 << 20
_DAY_MS = 86_400_000


class Level(Enum):
    """How fine the samples of a segment are; the value begins its file's name."""

    RAW = "raw"
    FIVE_MINUTES = "5m"
    HOUR = "1h"

    @property
    def resolution_ms(self) -> int:
        """The length of the spans that samples were drawn together from; 0 for samples as they came."""
        return {"raw": 0, "5m": 300_000, "1h": 3_600_000}[self.value]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment file; it covers start_ms <= time < end_ms."""

    path: Path
    level: Level
    start_ms: int
    end_ms: int
    size: int
    summary: Summary


class Archive:
    """The segments of a folder. May be read from any thread; only one may add and remove.

    Args:
        on_loss: told of everything that turns out to be damaged.
    """

    def __init__(self, folder: Path, on_loss: Callable[[Loss], None]) -> None:
        self._folder = folder
        self._on_loss = on_loss
        self._segments: list[Segment] = []
        self._cache: OrderedDict[Path, Directory] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """How much disk all segments take."""
        return sum(segment.size for segment in self._segments)

    @property
    def sealed_ms(self) -> int | None:
        """The time before which everything is in segments; None without any."""
        return max((segment.end_ms for segment in self.segments(Level.RAW)), default=None)

    def segments(self, *levels: Level) -> list[Segment]:
        """Return the segments of some levels (all without any named), the oldest first."""
        return [segment for segment in self._segments if not levels or segment.level in levels]

    def load(self, now_ms: int) -> None:
        """Find all segments; what is no whole segment, or lies in the future, is set aside and told."""
        for partial in self._folder.glob(f"*{SUFFIX}{PARTIAL}"):
            partial.unlink(missing_ok=True)
        found = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            try:
                found.append(_read(path, now_ms + _DAY_MS))
            except SegmentError as error:
                self._set_aside(path, f"its samples are lost ({error})")
            except OSError as error:
                self._on_loss(Loss(path.name, f"cannot be read ({error.strerror}): left out", "unreadable"))
        self._segments = sorted(found, key=_order)

    def write(self, level: Level, start_ms: int, end_ms: int, fill: Callable[[SegmentWriter], None]) -> None:
        """Make a segment; none where `fill` adds nothing.

        Raises: OSError: there is no such segment then.
        """
        path = self._folder / f"{level.value}-{start_ms}-{end_ms}{SUFFIX}"
        with _none_where_empty(), whole_file(path) as file:
            writer = SegmentWriter(file)
            fill(writer)
            if writer.empty:
                raise _EmptyError
            writer.finish()
        if path.exists():
            self._segments = sorted([*self._segments, _read(path, end_ms)], key=_order)

    def remove(self, segment: Segment) -> None:
        """Delete a segment.

        Raises: OSError: it is still there.
        """
        segment.path.unlink(missing_ok=True)
        self._forget(segment.path)

    @contextmanager
    def opened(self, segment: Segment) -> Iterator[tuple[SegmentFile, Directory] | None]:
        """Give an open segment; None if it is gone, or is damaged as a whole, which is told."""
        try:
            file = SegmentFile(segment.path, self._on_loss)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            self._on_loss(Loss(segment.path.name, f"cannot be read ({error.strerror}): left out", "unreadable"))
            yield None
            return
        try:
            yield self._directory(segment, file)
        finally:
            file.close()

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[tuple[str, Block]]:
        """Return source and samples of the time range, the finest that are left of each time, the oldest first."""
        found: list[tuple[int, str, Block]] = []
        wanted = [(start_ms, end_ms)]
        for level in Level:
            for segment in self.segments(level):
                for start, end in _within(wanted, segment):
                    found += [
                        (segment.start_ms, source, block)
                        for source, block in self._select(segment, matchers, start, end)
                    ]
                wanted = _without(wanted, segment)
        found.sort(key=lambda item: item[0])
        return [(source, block) for _, source, block in found]

    def fields(
        self, level: Level, matchers: Sequence[Matcher], start_ms: int, end_ms: int, count: int
    ) -> Iterator[tuple[str, list[Block]]]:
        """Yield source and one block for each of the first `count` fields, of equal series and times."""
        for segment in self.segments(level):
            if segment.summary.last_ms >= start_ms and segment.summary.first_ms <= end_ms:
                with self.opened(segment) as opened:
                    if opened is not None:
                        file, directory = opened
                        parts = [file.select(directory, matchers, start_ms, end_ms, field) for field in range(count)]
                        for found in zip(*parts, strict=False):
                            yield found[0][0], _of_equal_series([block for _, block in found])

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> set[Labels]:
        """Return the matching series of the segments that a time range touches."""
        found: set[Labels] = set()
        for segment in self.segments():
            if segment.summary.last_ms >= start_ms and segment.summary.first_ms <= end_ms:
                with self.opened(segment) as opened:
                    if opened is not None:
                        labels = opened[1].labels
                        found.update(map(labels.labels, labels.select(matchers).tolist()))
        return found

    def _select(
        self, segment: Segment, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> list[tuple[str, Block]]:
        if segment.summary.last_ms < start_ms or segment.summary.first_ms > end_ms:
            return []
        with self.opened(segment) as opened:
            if opened is None:
                return []
            file, directory = opened
            return list(file.select(directory, matchers, start_ms, end_ms))

    def _directory(self, segment: Segment, file: SegmentFile) -> tuple[SegmentFile, Directory] | None:
        with self._lock:
            known = self._cache.get(segment.path)
            if known is not None:
                self._cache.move_to_end(segment.path)
                return file, known
        try:
            directory = file.directory(segment.summary)
        except SegmentError as error:
            self._set_aside(segment.path, f"{segment.summary.samples} samples are lost ({error})")
            self._forget(segment.path)
            return None
        with self._lock:
            self._cache[segment.path] = directory
            while len(self._cache) > 1 and sum(known.size_bytes for known in self._cache.values()) > _CACHE_BYTES:
                self._cache.popitem(last=False)
        return file, directory

    def _set_aside(self, path: Path, reason: str) -> None:
        try:
            reason += f"; kept as {set_aside(path).name}"
        except OSError as error:
            reason += f"; cannot be set aside: {error.strerror}"
        self._on_loss(Loss(path.name, reason, "damaged"))

    def _forget(self, path: Path) -> None:
        with self._lock:
            self._cache.pop(path, None)
            self._segments = [segment for segment in self._segments if segment.path != path]


class _EmptyError(Exception):
    """Nothing was added."""


@contextmanager
def _none_where_empty() -> Iterator[None]:
    """Go on where a segment would be empty."""
    try:
        yield
    except _EmptyError:
        return


def _of_equal_series(blocks: list[Block]) -> list[Block]:
    """Return the blocks with the series that all have: damage may have taken some from one."""
    if all(block.series == blocks[0].series for block in blocks):
        return blocks
    common = set(blocks[0].series).intersection(*(block.series for block in blocks))
    result = []
    for block in blocks:
        at = [i for i, labels in enumerate(block.series) if labels in common]
        result.append(Block(tuple(block.series[i] for i in at), block.timestamps_ms, block.values[:, at]))
    return result


def _order(segment: Segment) -> tuple[int, str]:
    return segment.start_ms, segment.level.value


def _read(path: Path, latest_ms: int) -> Segment:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise SegmentError("its name is none of a segment")
    start_ms, end_ms = int(match[2]), int(match[3])
    if start_ms > latest_ms:
        raise SegmentError("it is from the future: the clock was wrong")
    return Segment(path, Level(match[1]), start_ms, end_ms, path.stat().st_size, read_summary(path))


def _within(spans: list[tuple[int, int]], segment: Segment) -> list[tuple[int, int]]:
    """Return what the segment covers of some spans; the ends of spans are included."""
    cut = [(max(start, segment.start_ms), min(end, segment.end_ms - 1)) for start, end in spans]
    return [(start, end) for start, end in cut if start <= end]


def _without(spans: list[tuple[int, int]], segment: Segment) -> list[tuple[int, int]]:
    """Return what the segment does not cover."""
    left = []
    for start, end in spans:
        left += [(start, min(end, segment.start_ms - 1)), (max(start, segment.end_ms), end)]
    return [(start, end) for start, end in left if start <= end]
