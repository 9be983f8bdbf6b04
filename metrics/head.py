"""The head: the samples of the last hours, in memory.

Per source one matrix of times x columns (see metrics/matrix.py); a frame with the layout of the one before is
appended as one row copy. Nothing here touches a disk.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge

from metrics.frame import End, Frame, Run
from metrics.index import Index, demanded_name
from metrics.label import METRIC_NAME, Labels, label_value
from metrics.matrix import Columns
from metrics.own_time import OwnTimeSeries, Reject
from metrics.source import OWN_TIME, Source, as_columns
from metrics.statistics import Ranking, StoreStatistics
from metrics.storage import Block, Matcher, Storage, is_missing

_NEVER = np.iinfo(np.int64).max

_PLAN_ROOM = 1_000_000
"""How many series all remembered selections together may name."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What a selection found in one source."""

    source: Source
    columns: Columns
    series: Sequence[Labels]
    own: Sequence[OwnTimeSeries]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What a selection found in all sources; good as long as the index has this generation for this metric name."""

    name: str | None
    generation: int
    parts: list[_Part]


class Head(Storage):
    """Samples in memory.

    Everything may be called from any thread.

    Args:
        retention_seconds: how far back `trim` keeps samples.
        registry: gets the store's own metrics.
        max_series, max_source_series: further series are refused, in all and of one source, and counted.
        own_time_seconds: samples that bring times of their own may be so much older than their collection; by
            default as old as what `trim` keeps.
    """

    def __init__(
        self,
        retention_seconds: float = 21_600.0,
        registry: CollectorRegistry | None = None,
        *,
        max_series: int = 2_000_000,
        max_source_series: int = 2_000_000,
        own_time_seconds: float | None = None,
    ) -> None:
        self._retention_ms = round(retention_seconds * 1000)
        self._max_series = max_series
        self._max_source_series = max_source_series
        self._own_time_ms = round((retention_seconds if own_time_seconds is None else own_time_seconds) * 1000)
        self._closed_ms = -_NEVER
        self._is_loading = False
        self._index = Index()
        self._sources: dict[str, Source] = {}
        self._source_numbers: dict[Source, int] = {}
        self._next_source = 0
        self._by_number: dict[int, Source] = {}
        self._places: NDArray[np.int64] = np.empty((16, 2), dtype=np.int64)
        self._plans: dict[tuple[Matcher, ...], _Plan] = {}
        self._planned = 0
        self._lock = threading.Lock()
        self._measure(registry)

    @property
    def series_count(self) -> int:
        """How many series have samples."""
        return len(self._index)

    @property
    def sample_count(self) -> int:
        """How many samples are held, staleness markers among them."""
        with self._lock:
            return sum(source.samples for source in self._sources.values())

    @property
    def size_bytes(self) -> int:
        """The memory of the samples, without that of the labels."""
        with self._lock:
            return sum(source.size_bytes for source in self._sources.values())

    def append(self, frame: Frame, refused: Tally[Reject] | None = None) -> None:
        """Take in a frame; see take()."""
        self.take(frame, refused)

    def take(self, frame: Frame, refused: Tally[Reject] | None = None) -> bool:
        """Take in a frame, and tell whether it was: its place in the order of its source was right.

        Series of the source that are no longer there get the staleness marker. A frame that is not newer than the one
        before, samples with own times that are out of order, and series beyond the limit are refused and counted.

        Args:
            refused: gets how many samples were refused, by reason.
        """
        rejected: Tally[Reject] = Tally()
        with self._lock:
            source = self._source(frame.source)
            in_order = frame.timestamp_ms > source.last_ms
            if frame.timestamp_ms < self._closed_ms:
                rejected[Reject.OUT_OF_BOUNDS], in_order, taken = len(frame.layout), False, 0
            else:
                earliest_ms = max(frame.timestamp_ms - self._own_time_ms, self._closed_ms)
                taken = source.append(frame, rejected, earliest_ms)
        self._appended.inc(taken)
        for reason, count in rejected.items():
            self._rejected[reason].inc(count)
        if refused is not None:
            refused.update(rejected)
        return in_order

    def close_before(self, time_ms: int) -> None:
        """Refuse all samples from before a time from now on."""
        with self._lock:
            self._closed_ms = max(self._closed_ms, time_ms)

    def first_ms_from(self, start_ms: int) -> int | None:
        """Return the time of the oldest sample that is not older than `start_ms`; None where there is none."""
        with self._lock:
            first = (source.first_ms_from(start_ms) for source in self._sources.values())
            return min((time for time in first if time is not None), default=None)

    def load(self, pieces: Iterable[Run | Frame | End], start_ms: int) -> None:
        """Take in what was taken in before, as written down then; what is older than `start_ms` is left out."""
        for piece in pieces:
            with self._lock:
                if isinstance(piece, Run):
                    self._load(piece.since(start_ms))
                elif piece.timestamp_ms < start_ms:
                    continue
                elif isinstance(piece, Frame):
                    source = self._source(piece.source)
                    source.append(piece, Tally(), piece.timestamp_ms - self._own_time_ms)
                elif piece.source in self._sources:
                    self._sources[piece.source].end(piece.timestamp_ms)

    def _load(self, run: Run) -> None:
        if len(run.timestamps_ms):
            source = self._source(run.source)
            self._is_loading = True
            try:
                taken = source.append_run(run)
            finally:
                self._is_loading = False
            if not taken:
                for time, values in zip(run.timestamps_ms.tolist(), run.values, strict=True):
                    source.append(Frame(run.source, time, run.layout, values), Tally(), time - self._own_time_ms)

    def settle_some(self) -> bool:
        """Do a few milliseconds of what load() left for later, and tell whether there was any.

        Whoever asks for series before all is done waits for the rest of it.
        """
        with self._lock:
            return self._index.enter_some()

    def sections(self, start_ms: int, end_ms: int, max_samples: int) -> Iterator[tuple[str, Iterator[Block]]]:
        """Yield everything in a time range: for each source, blocks of equal times one after the other.

        No block has more than about `max_samples`. Nothing may be trimmed meanwhile.
        """
        with self._lock:
            sources = list(self._sources.values())
        for source in sources:
            yield source.name, self._shared_blocks(source, start_ms, end_ms, max_samples)
            with self._lock:
                own = list(_with_own_time(None, source.own_series, start_ms, end_ms))
            for block in own:
                yield source.name, iter((block,))

    def end_source(self, source: str, timestamp_ms: int) -> None:
        """Mark all live series of a source as ended."""
        with self._lock:
            if source in self._sources:
                self._sources[source].end(timestamp_ms)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return all samples with start_ms <= time <= end_ms of the series that satisfy every matcher.

        One block for each source that has any, and one for each set of own timestamps.
        """
        with self._lock:
            return [block for _, block in self._select(matchers, start_ms, end_ms)]

    def select_by_source(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[tuple[str, Block]]:
        """Return what select() returns, each block with its source."""
        with self._lock:
            return list(self._select(matchers, start_ms, end_ms))

    def select_newest(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[Block]:
        """Return what select() returns, less samples that have a newer one of the same series in their block.

        As long as no series comes or goes, `series` of a block is the same tuple as the last time.
        """
        with self._lock:
            blocks: list[Block] = []
            for part in self._plan(tuple(matchers)):
                if part.own:
                    shared = part.source.block_of(part.columns, part.series, start_ms, end_ms) if part.series else None
                    blocks += _with_own_time(shared, part.own, start_ms, end_ms)
                elif newest := part.source.newest_block_of(part.columns, part.series, start_ms, end_ms):
                    blocks.append(newest)
            return blocks

    def series(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Collection[Labels]:
        """Return the matching series with samples in the time range, in no order; their values are not copied."""
        with self._lock:  # as short as can be: the next frame waits for it
            parts = [(part, *_presence(part, start_ms, end_ms)) for part in self._plan(tuple(matchers))]
        found: dict[Labels, None] = {}
        for part, columns, own in parts:
            found.update((part.series[column], None) for column in columns.tolist())
            found.update((labels, None) for labels in own)
        return found.keys()

    def statistics(self, limit: int) -> StoreStatistics:
        """Return how large the store is, with the `limit` largest of what makes it large."""
        with self._lock:
            sizes = list(self._index.sizes())
            series = len(self._index)
            periods = [period for period in (source.period_ms for source in self._sources.values()) if period]
            chunks = sum(source.chunks for source in self._sources.values())

        def top(pairs: Iterable[tuple[str, int]]) -> Ranking:
            return tuple(nlargest(limit, pairs, key=lambda pair: pair[1]))

        return StoreStatistics(
            series=series,
            label_pairs=sum(len(values) for _, values in sizes),
            chunks=chunks,
            first_ms=min((first for first, _ in periods), default=None),
            last_ms=max((last for _, last in periods), default=None),
            series_by_metric=top(pair for name, values in sizes if name == METRIC_NAME for pair in values),
            values_by_label=top((name, len(values)) for name, values in sizes),
            bytes_by_label=top((name, sum(len(value) for value, _ in values)) for name, values in sizes),
            series_by_pair=top((f"{name}={value}", count) for name, values in sizes for value, count in values),
        )

    def metric_names(self) -> set[str]:
        """Return the names of all metrics."""
        with self._lock:
            return set(self._index.label_values(METRIC_NAME))

    def label_names(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Return, sorted, the names of the labels of matching series with samples in the time range."""
        return sorted({name for labels in self.series(matchers, start_ms, end_ms) for name, _ in labels})

    def label_values(self, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[str]:
        """Return, sorted, the values of a label of matching series with samples in the time range."""
        values = {label_value(labels, name) for labels in self.series(matchers, start_ms, end_ms)}
        return sorted(values - {""})

    def trim(self, now_ms: int) -> None:
        """Forget what is older than the retention, and series that have no samples left."""
        self.trim_before(now_ms - self._retention_ms)

    def trim_before(self, cutoff_ms: int) -> None:
        """Forget what is older than a time, and series that have no samples left."""
        with self._lock:
            gone: list[int] = []
            for source in list(self._sources.values()):
                dead, moved = source.trim(cutoff_ms)
                gone += dead
                if moved:
                    self._place_again(source)
                if source.empty:
                    self._remove_source(source)
            if not gone:
                return
            self._index.remove(gone)
            self._forget_plans()
            for source in self._sources.values():
                source.forget_mapping()

    def _select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterator[tuple[str, Block]]:
        for part in self._plan(tuple(matchers)):
            shared = part.source.block_of(part.columns, part.series, start_ms, end_ms) if part.series else None
            if part.own:
                for block in _with_own_time(shared, part.own, start_ms, end_ms):
                    yield part.source.name, block
            elif shared is not None:
                yield part.source.name, shared

    def _shared_blocks(self, source: Source, start_ms: int, end_ms: int, max_samples: int) -> Iterator[Block]:
        with self._lock:
            columns = source.columns_in(start_ms, end_ms)
            step = max(1, max_samples // max(1, source.rows_in(start_ms, end_ms)))
        for start in range(0, len(columns), step):
            with self._lock:
                block = source.block_of_columns(columns[start : start + step], start_ms, end_ms)
            if block is not None:
                yield block

    def _measure(self, registry: CollectorRegistry | None) -> None:
        series = Gauge("watchkeeper_store_series", "Series that have samples in memory.", registry=registry)
        series.set_function(lambda: self.series_count)
        samples = Gauge("watchkeeper_store_samples", "Samples in memory.", registry=registry)
        samples.set_function(lambda: self.sample_count)
        size = Gauge("watchkeeper_store_bytes", "Memory of the samples, without labels.", registry=registry)
        size.set_function(lambda: self.size_bytes)
        self._appended = Counter("watchkeeper_store_samples_appended_total", "Samples taken in.", registry=registry)
        rejected = Counter(
            "watchkeeper_store_samples_rejected_total", "Samples refused, by reason.", ["reason"], registry=registry
        )
        self._rejected = {reason: rejected.labels(reason.value) for reason in Reject}

    def _source(self, name: str) -> Source:
        """Return the source of a name, a new one if need be."""
        return self._sources.get(name) or self._new_source(name)

    def _new_source(self, name: str) -> Source:
        source = Source(name, self._enter, self._max_source_series)
        self._sources[name] = self._by_number[self._next_source] = source
        self._source_numbers[source] = self._next_source
        self._next_source += 1
        return source

    def _remove_source(self, source: Source) -> None:
        del self._sources[source.name], self._by_number[self._source_numbers.pop(source)]

    def _enter(self, source: Source, series: Sequence[Labels], columns: Sequence[int]) -> list[int]:
        room = max(0, self._max_series - len(self._index))
        series = series[:room]
        numbers = self._index.add_later(series) if self._is_loading else self._index.add_all(series)
        most = max(numbers, default=0)
        if most >= len(self._places):
            more = np.empty((max(len(self._places), most + 1 - len(self._places)), 2), dtype=np.int64)
            self._places = np.concatenate([self._places, more])
        self._places[numbers, 0] = self._source_numbers[source]
        self._places[numbers, 1] = columns[: len(numbers)]
        return numbers

    def _place_again(self, source: Source) -> None:
        numbers = source.numbers
        self._places[numbers, 1] = np.arange(len(numbers))
        self._forget_plans()

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._planned = 0

    def _plan(self, matchers: tuple[Matcher, ...]) -> list[_Part]:
        """Return where the matching series are, remembered as long as no series comes or goes that may match."""
        known = self._plans.get(matchers)
        if known is not None and known.generation == self._index.generation(known.name):
            return known.parts
        name = demanded_name(matchers)
        generation, parts = self._index.generation(name), list(self._parts(matchers))
        size = 1 + sum(len(part.series) + len(part.own) for part in parts)
        if self._planned + size > _PLAN_ROOM:
            self._forget_plans()
        self._plans[matchers] = _Plan(name, generation, parts)
        self._planned += size
        return parts

    def _parts(self, matchers: Sequence[Matcher]) -> Iterator[_Part]:
        numbers = self._index.select(matchers)
        places = self._places[numbers]
        order = np.lexsort((places[:, 1], places[:, 0]))
        numbers, places = numbers[order], places[order]
        cuts = np.flatnonzero(np.diff(places[:, 0])) + 1
        for group, place in zip(np.split(numbers, cuts), np.split(places, cuts), strict=True):
            if len(group):
                yield self._part(self._by_number[int(place[0, 0])], group.tolist(), place[:, 1])

    def _part(self, source: Source, numbers: list[int], columns: NDArray[np.int64]) -> _Part:
        own = int((columns == OWN_TIME).sum())  # they sort before all columns
        series = tuple(self._index.labels(number) for number in numbers[own:])
        return _Part(source, as_columns(columns[own:]), series, [source.own_time_series(n) for n in numbers[:own]])


def _presence(part: _Part, start_ms: int, end_ms: int) -> tuple[NDArray[np.intp], list[Labels]]:
    """Return which columns of a part have samples in the time range, and the series with own times that have some."""
    own = [series.labels for series in part.own if len(series.window(start_ms, end_ms)[0])]
    if not part.series:
        return np.empty(0, dtype=np.intp), own
    return np.flatnonzero(part.source.present(part.columns, start_ms, end_ms)), own


def _with_own_time(shared: Block | None, own: Sequence[OwnTimeSeries], start_ms: int, end_ms: int) -> Iterator[Block]:
    """Put series with equal timestamps into one block; join what a series had before it began to bring own times."""
    places = {} if shared is None else {labels: i for i, labels in enumerate(shared.series)}
    groups: dict[bytes, list[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]] = {}
    both: list[int] = []
    for series in own:
        times, values = series.window(start_ms, end_ms)
        if shared is not None and series.labels in places:
            both.append(places[series.labels])
            times, values = _merged(shared, places[series.labels], times, values)
        if len(times):
            groups.setdefault(times.tobytes(), []).append((series.labels, times, values))
    if shared is not None:
        left = np.delete(np.arange(len(shared.series)), both)
        if len(left):
            yield Block(
                [shared.series[i] for i in left.tolist()], shared.timestamps_ms, shared.values[:, as_columns(left)]
            )
    for group in groups.values():
        values = np.stack([values for _, _, values in group], axis=1)
        yield Block([labels for labels, _, _ in group], group[0][1], values)


def _merged(
    shared: Block, column: int, times: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    before = np.ascontiguousarray(shared.values[:, column])
    there = ~is_missing(before)
    all_times = np.concatenate([shared.timestamps_ms[there], times])
    unique, first = np.unique(all_times, return_index=True)
    return unique, np.concatenate([before[there], values])[first]
