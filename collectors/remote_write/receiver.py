"""Takes WriteRequests into the store.

Every sample brings its own time, so the series of a sender's target keep times of their own in the store, and one
that is missing from a request has not ended; a sender says itself where a series ends, by a staleness marker. Samples
are kept under the source `remote_write/<job>/<instance>`.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from collectors.remote_write.config import RemoteWriteReceiverConfig
from core.clock import Clock
from core.errors import UserError
from metrics.frame import FloatArray, Frame, Layout, TimeArray
from metrics.label import Labels, label_value
from metrics.own_time import Reject
from metrics.remote_write.block import decompress
from metrics.remote_write.decode import Numbers, SeriesTable, WriteRequest, decode

SOURCE = "remote_write"

_LAYOUT_ROOM = 500_000
"""How many series all remembered layouts together may name."""

_NO_VALUES: FloatArray = np.empty(0)


class RefusedError(UserError):
    """Some samples of a request were refused; all others were taken."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request.

    Attributes:
        taken: how many samples are in the store.
        refused: how many are not, by reason.
        touched: for whoever wants to know what arrived: per source a frame with all series of the source that were
            ever received, without values. The layout is the same object while no series comes.
    """

    taken: int
    refused: Mapping[str, int]
    touched: tuple[Frame, ...]

    def check(self) -> None:
        """Raise RefusedError where samples were refused, with their number by reason."""
        if self.refused:
            total = sum(self.refused.values())
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.refused.items()))
            remedy = "do not send them again"
            raise RefusedError(
                f"refused {total} of {total + self.taken} samples ({reasons}), took the others; {remedy}"
            )


@dataclass(slots=True, eq=False)
class _Target:
    """What was received under one source. `number` counts sources."""

    number: int
    source: str
    last_ms: int = 0
    series: list[Labels] = field(default_factory=list)
    layout: Layout = field(default_factory=lambda: Layout(()))

    def all_series(self) -> Layout:
        if len(self.layout) != len(self.series):
            self.layout = Layout(tuple(self.series))
        return self.layout


class Receiver:
    """Takes requests; may be called from several threads at once.

    Args:
        append: puts a frame into the store, and adds how many of its samples were refused, by reason.
    """

    def __init__(
        self,
        config: RemoteWriteReceiverConfig,
        append: Callable[[Frame, Tally[Reject]], object],
        *,
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        self.config = config
        self._append = append
        self._clock = clock
        self._lock = threading.Lock()
        self._table = SeriesTable(config.max_series)
        self._targets: dict[str, _Target] = {}
        self._by_number: list[_Target] = []
        self._target_of: Numbers = np.zeros(0, dtype=np.int64)
        self._generation = 0
        self._layouts: OrderedDict[bytes, Layout] = OrderedDict()
        self._layout_size = 0
        self._measure(registry)

    def take(self, body: bytes) -> Receipt:
        """Put the samples of a request into the store; for a thread.

        Raises: UserError: the body is damaged or too large; nothing of it was taken.
        """
        message = decompress(body, self.config.max_uncompressed_size)
        with self._lock:
            now_ms = round(self._clock.now() * 1000)
            self._table.make_room(now_ms)
            self._follow_table()
            request = decode(message, self._table, max_samples=self.config.max_samples)
            self._table.note_seen(request.numbers, now_ms)
            self._assign_targets()
            return self._store(request, now_ms)

    def _store(self, request: WriteRequest, now_ms: int) -> Receipt:
        refused: Tally[str] = Tally(request.refused)
        rejected: Tally[Reject] = Tally()
        touched: list[_Target] = []
        for target, chosen in _split(self._target_of[request.numbers]):
            numbers, times, values = request.numbers[chosen], request.timestamps_ms[chosen], request.values[chosen]
            touched.append(self._by_number[target])
            for once in _once_each(numbers):
                frame = self._frame(touched[-1], numbers[once], times[once], values[once], now_ms)
                self._append(frame, rejected)
        refused.update({reason.value: count for reason, count in rejected.items()})
        total = len(request.numbers) + sum(request.refused.values())
        taken = total - sum(refused.values())
        self._received.inc(taken)
        for name, count in refused.items():
            self._refused.labels(name).inc(count)
        news = tuple(Frame(target.source, now_ms, target.all_series(), _NO_VALUES) for target in touched)
        return Receipt(taken, +refused, news)

    def _frame(self, target: _Target, numbers: Numbers, times: TimeArray, values: FloatArray, now_ms: int) -> Frame:
        # A sample of the frame's own time would count as one of the collection, whose absence next time is an end.
        moment = max(now_ms, target.last_ms + 1)
        while (times == moment).any():
            moment += 1
        target.last_ms = moment
        return Frame(target.source, moment, self._layout(numbers), values, times)

    def _layout(self, numbers: Numbers) -> Layout:
        key = numbers.tobytes()
        layout = self._layouts.get(key)
        if layout is not None:
            self._layouts.move_to_end(key)
            return layout
        layout = self._layouts[key] = Layout(tuple([self._table.labels(number) for number in numbers.tolist()]))
        self._layout_size += len(layout)
        while self._layout_size > _LAYOUT_ROOM and len(self._layouts) > 1:
            self._layout_size -= len(self._layouts.popitem(last=False)[1])
        return layout

    def _follow_table(self) -> None:
        if self._generation == self._table.generation:
            return
        self._generation = self._table.generation
        self._layouts.clear()
        self._layout_size = 0
        self._target_of = self._target_of[:0]
        for target in self._by_number:
            target.series = []
        self._assign_targets()

    def _assign_targets(self) -> None:
        """Find the source of each series that is new in the table."""
        known = len(self._target_of)
        if known == len(self._table):
            return
        found = [self._target(self._table.labels(number)) for number in range(known, len(self._table))]
        self._target_of = np.concatenate([self._target_of, np.array(found, dtype=np.int64)])

    def _target(self, labels: Labels) -> int:
        source = f"{SOURCE}/{label_value(labels, 'job')}/{label_value(labels, 'instance')}"
        target = self._targets.get(source)
        if target is None:
            target = self._targets[source] = _Target(len(self._by_number), source)
            self._by_number.append(target)
        target.series.append(labels)
        return target.number

    def _measure(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "watchkeeper_remote_write_received_samples_total", "Samples taken from senders.", registry=registry
        )
        self._refused = Counter(
            "watchkeeper_remote_write_refused_samples_total",
            "Samples of senders that were refused, by reason.",
            ["reason"],
            registry=registry,
        )
        series = Gauge(
            "watchkeeper_remote_write_received_series", "Series that senders brought lately.", registry=registry
        )
        series.set_function(lambda: float(len(self._table)))


def _split(targets: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Yield each target with the places of its samples, in their order."""
    order = np.argsort(targets, kind="stable")
    cuts = np.flatnonzero(np.diff(targets[order])) + 1
    for places in np.split(order, cuts):
        if len(places):
            yield int(targets[places[0]]), places


def _once_each(numbers: Numbers) -> Iterable[Numbers]:
    """Return the places of all samples in groups in which no series comes twice, each series in its order."""
    order = np.argsort(numbers, kind="stable")
    firsts = np.concatenate([[True], np.diff(numbers[order]) != 0])
    if firsts.all():
        return [np.arange(len(numbers))]
    starts = np.flatnonzero(firsts)
    rank = np.empty(len(numbers), dtype=np.int64)
    rank[order] = np.arange(len(numbers)) - np.repeat(starts, np.diff(np.append(starts, len(numbers))))
    return [np.flatnonzero(rank == r) for r in range(int(rank.max()) + 1)]
