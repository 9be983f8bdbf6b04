"""Cuts what was read into requests: never a series in two shards, never its samples out of order. No I/O."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metrics.frame import NO_TIMESTAMP, STALE_BITS, End, FloatArray, Frame, Layout, TimeArray
from metrics.label import Labels, labels_of
from metrics.relabel import Rule, relabel
from metrics.remote_write.block import compress
from metrics.remote_write.encode import Template, cut, encode, part, template

_PLAN_ROOM = 500_000
"""How many series all remembered layouts together may name."""

IndexArray: TypeAlias = NDArray[np.intp]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Samples of one moment of one source; a series has one at most."""

    layout: Template
    timestamps_ms: TimeArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.layout)

    def cut(self, start: int, end: int) -> Piece:
        """Return some of the samples."""
        return Piece(cut(self.layout, start, end), self.timestamps_ms[start:end], self.values[start:end])


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is sent at once."""

    pieces: Sequence[Piece]

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return sum(map(len, self.pieces))

    @property
    def newest_ms(self) -> int:
        """The time of its newest sample."""
        return max(int(piece.timestamps_ms.max()) for piece in self.pieces)

    def body(self) -> bytes:
        """Return it as it is sent."""
        return compress(b"".join(encode(piece.layout, piece.timestamps_ms, piece.values) for piece in self.pieces))

    def halves(self) -> tuple[Request, Request] | None:
        """Return it as two, the older samples first; None where it has but one piece."""
        if len(self.pieces) < 2:
            return None
        middle = len(self.pieces) // 2
        return Request(self.pieces[:middle]), Request(self.pieces[middle:])


@dataclass(slots=True, eq=False)
class _Plan:
    """How a layout is written and which series belongs to which shard.

    Attributes:
        kept: the places of the series that are sent; None where all are.
    """

    layout: Layout
    kept: IndexArray | None
    whole: Template
    hashes: NDArray[np.uint32]
    shards: int = 1
    parts: list[tuple[IndexArray, Template]] = field(default_factory=list)

    def split(self, shards: int) -> list[tuple[IndexArray, Template]]:
        if self.shards != shards or not self.parts:
            places = [np.flatnonzero(self.hashes % shards == shard) for shard in range(shards)]
            self.parts = [(some, part(self.whole, some)) for some in places]
            self.shards = shards
        return self.parts


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    plan: _Plan
    timestamps_ms: TimeArray
    values: FloatArray


class Splitter:
    """Makes requests of what was read, in its order. Remembers the series of each source, to mark those that end.

    Args:
        external_labels: added to every series that has none of the name.
        rules: rewrite the labels after that, or leave a series out.
    """

    def __init__(
        self, external_labels: Mapping[str, str], *, max_samples: int, max_shards: int, rules: Sequence[Rule] = ()
    ) -> None:
        self._external = dict(external_labels)
        self._rules = rules
        self._max_samples = max_samples
        self._max_shards = max_shards
        self._live: dict[str, tuple[Layout, BoolArray | None]] = {}
        self._plans: OrderedDict[Layout, _Plan] = OrderedDict()
        self._planned = 0

    def resume(self, last: Mapping[str, Frame]) -> None:
        """Take the last frame of each source from before what is read next."""
        for source, frame in last.items():
            self._live[source] = (frame.layout, _own_times(frame))

    def requests(self, entries: Sequence[Frame | End]) -> list[list[Request]]:
        """Return the requests of each shard, to be sent one after the other."""
        rows = [row for entry in entries for row in self._rows(entry)]
        total = sum(len(row.values) for row in rows)
        shards = min(self._max_shards, max(1, -(-total // self._max_samples)))
        if shards == 1:
            return [self._packed([Piece(row.plan.whole, row.timestamps_ms, row.values) for row in rows])]
        pieces: list[list[Piece]] = [[] for _ in range(shards)]
        for row in rows:
            for shard, (places, layout) in enumerate(row.plan.split(shards)):
                if len(places):
                    pieces[shard].append(Piece(layout, row.timestamps_ms[places], row.values[places]))
        return [self._packed(of_shard) for of_shard in pieces if of_shard]

    def _packed(self, pieces: Sequence[Piece]) -> list[Request]:
        requests: list[Request] = []
        open_pieces: list[Piece] = []
        room = self._max_samples
        for piece in pieces:
            start = 0
            while start < len(piece):
                end = min(len(piece), start + room)
                open_pieces.append(piece if end - start == len(piece) else piece.cut(start, end))
                room -= end - start
                start = end
                if room == 0:
                    requests.append(Request(open_pieces))
                    open_pieces, room = [], self._max_samples
        return [*requests, Request(open_pieces)] if open_pieces else requests

    def _rows(self, entry: Frame | End) -> Iterator[_Row]:
        before = self._live.pop(entry.source, None)
        if isinstance(entry, End):
            yield from self._ended(before, frozenset(), entry.timestamp_ms)
            return
        self._live[entry.source] = (entry.layout, _own_times(entry))
        if before is not None and before[0] is not entry.layout:
            yield from self._ended(before, frozenset(entry.layout.series), entry.timestamp_ms)
        if len(entry.layout):
            yield from self._row(self._plan(entry.layout), _times(entry), entry.values)

    def _ended(
        self, before: tuple[Layout, BoolArray | None] | None, now: frozenset[Labels], timestamp_ms: int
    ) -> Iterator[_Row]:
        """Yield the staleness markers of series that are no longer there; those with own times do not end so."""
        if before is None:
            return
        layout, own = before
        gone = [s for i, s in enumerate(layout.series) if s not in now and (own is None or not own[i])]
        if gone:
            plan = self._make_plan(Layout(tuple(gone)))
            times = np.full(len(gone), timestamp_ms, dtype=np.int64)
            yield from self._row(plan, times, np.full(len(gone), STALE_BITS).view(np.float64))

    @staticmethod
    def _row(plan: _Plan, times: TimeArray, values: FloatArray) -> Iterator[_Row]:
        if plan.kept is not None:
            times, values = times[plan.kept], values[plan.kept]
        if len(values):
            yield _Row(plan, times, values)

    def _plan(self, layout: Layout) -> _Plan:
        plan = self._plans.get(layout)
        if plan is not None:
            self._plans.move_to_end(layout)
            return plan
        plan = self._plans[layout] = self._make_plan(layout)
        self._planned += len(layout)
        while self._planned > _PLAN_ROOM and len(self._plans) > 1:
            self._planned -= len(self._plans.popitem(last=False)[0])
        return plan

    def _make_plan(self, layout: Layout) -> _Plan:
        labels = [self._sent_as(labels) for labels in layout.series]
        whole = template([one for one in labels if one])
        hashes = np.fromiter((zlib.crc32(one) for one in whole.series), dtype=np.uint32, count=len(whole))
        kept = None if all(labels) else np.flatnonzero([bool(one) for one in labels])
        return _Plan(layout, kept, whole, hashes)

    def _sent_as(self, labels: Labels) -> Labels:
        """Return what a series is called elsewhere; nothing where it is left out."""
        if not self._external and not self._rules:
            return labels
        named = relabel({**self._external, **dict(labels)}, self._rules)
        return labels_of(named or {})


def _times(frame: Frame) -> TimeArray:
    if frame.timestamps_ms is None:
        return np.full(len(frame.layout), frame.timestamp_ms, dtype=np.int64)
    return np.where(frame.timestamps_ms == NO_TIMESTAMP, frame.timestamp_ms, frame.timestamps_ms)


def _own_times(frame: Frame) -> BoolArray | None:
    if frame.timestamps_ms is None:
        return None
    own: BoolArray = (frame.timestamps_ms != NO_TIMESTAMP) & (frame.timestamps_ms != frame.timestamp_ms)
    return own if own.any() else None
