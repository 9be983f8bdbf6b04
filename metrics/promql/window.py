"""Range vectors: the samples of many windows over many series, as arrays that a function reduces at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metrics.frame import FloatArray, TimeArray, is_stale
from metrics.label import Labels
from metrics.promql.ast import MatrixSelector
from metrics.promql.run import Run
from metrics.promql.selection import Reader
from metrics.promql.single_window import LONGEST, Single
from metrics.promql.value import BoolArray, IndexArray, Memo, VectorValue, empty, join
from metrics.storage import Matcher, is_missing

IntArray: TypeAlias = NDArray[np.int64]
Parameter: TypeAlias = float | FloatArray

_NOUGHT = np.zeros(1, dtype=np.intp)
_CHUNK = 2_000_000
"""How many cells the windows of several steps may have together before they are worked off in parts (16 MB)."""

_NARROW = 64
"""Groups of up to so many series are reduced together where there is one window: copying them costs less than a pass
over each."""


@dataclass(slots=True, eq=False)
class Samples:
    """Series with common timestamps.

    `holes` has shape (N, S) and tells where a series has no sample; None where that is to be read from the values.
    """

    series: tuple[Labels, ...]
    timestamps_ms: TimeArray
    values: FloatArray
    holes: BoolArray | None = None
    nameless: bool | BoolArray = False

    def absent(self) -> BoolArray:
        """Return where there is no sample, shape (N, S)."""
        return is_missing(self.values) | is_stale(self.values) if self.holes is None else self.holes


@dataclass(slots=True, eq=False)
class Window:
    """K windows with up to W samples of S series; in each column the samples come first, in order of time.

    Attributes:
        values: shape (K, W, S).
        times: Unix milliseconds, shape (K, W, S), or (K, W, 1) where all series have the same.
        counts: how many samples there are, shape (K, S) or (K, 1).
        full: whether all windows of all series have W samples.
        starts, ends, steps: the left ends (which are outside), the right ends and the evaluation times, shape (K, 1).
    """

    values: FloatArray
    times: TimeArray
    counts: IntArray
    full: bool
    starts: TimeArray
    ends: TimeArray
    steps: TimeArray

    @property
    def shape(self) -> tuple[int, int]:
        """(K, S), the shape of a result."""
        return self.values.shape[0], self.values.shape[2]

    @property
    def seconds(self) -> float:
        """How long each window is."""
        return float(self.ends[0, 0] - self.starts[0, 0]) / 1000.0

    def valid(self) -> BoolArray:
        """Return where there is a sample; broadcasts to the shape of `values`."""
        places = np.arange(self.values.shape[1])[np.newaxis, :, np.newaxis]
        valid: BoolArray = places < self.counts[:, np.newaxis, :]
        return valid

    def filled(self, filler: float) -> FloatArray:
        """Return the values, with `filler` where there is no sample."""
        return self.values if self.full else np.where(self.valid(), self.values, filler)

    def back(self, places: int) -> tuple[FloatArray, TimeArray]:
        """Return the values (K, S) and times (K, S or 1) of the samples so many places before the last ones."""
        if self.full:
            return self.values[:, -1 - places], self.times[:, -1 - places]
        rows = np.maximum(self.counts - 1 - places, 0)[:, np.newaxis, :]
        values = np.take_along_axis(self.values, rows, axis=1)[:, 0]
        return values, np.take_along_axis(self.times, rows, axis=1)[:, 0]


Kernel: TypeAlias = Callable[..., FloatArray]
"""Reduces a Window (and parameters, each a float or of shape (K, 1)) to values of shape (K, S)."""


class SampleSource(Protocol):
    """Where a range function gets its samples from: a selector or a subquery."""

    range_ms: int

    def samples(self, run: Run) -> tuple[Run, list[Samples]]:
        """Return the run at the windows' right ends (one step where they are all the same) and the samples."""


class SelectRange:
    """The samples of a range vector selector."""

    def __init__(self, node: MatrixSelector, matchers: tuple[Matcher, ...]) -> None:
        self.range_ms = node.range_ms
        self._reader = Reader(matchers)
        self._offset_ms = node.selector.offset_ms
        self._at = node.selector.at

    def samples(self, run: Run) -> tuple[Run, list[Samples]]:
        """Return the run at the windows' right ends and the samples."""
        look = run.shifted(self._offset_ms, self._at)
        blocks = self._reader.read(look, look.first - self.range_ms, look.last)
        return look, [
            Samples(self._reader.series([block]), block.timestamps_ms, block.values)
            for block in blocks
            if len(block.timestamps_ms) and len(block.series)
        ]


class Reduce:
    """Applies a range function to each window of each series.

    Args:
        minimum: how many samples a window needs to have a value.
        follows_steps: the function looks at the evaluation time itself, so that windows that `@` pins to one place
            still differ.
        single: does the same for one window of one series.
    """

    def __init__(
        self,
        source: SampleSource,
        kernel: Kernel,
        minimum: int,
        *,
        keeps_name: bool,
        follows_steps: bool = False,
        single: Single | None = None,
    ) -> None:
        self._source = source
        self._kernel = kernel
        self._minimum = minimum
        self._keeps_name = keeps_name
        self._follows_steps = follows_steps
        self._single = single
        self._joined: Memo[tuple[Labels, ...]] = Memo()
        self._abreast: Memo[tuple[Labels, ...]] = Memo()

    def evaluate(self, run: Run, parameters: Sequence[Parameter] = ()) -> VectorValue:
        """Return one value per window with enough samples; `parameters` go to the kernel."""
        look, groups = self._source.samples(run)
        if self._single is not None and len(groups) == 1 and run.steps == 1 and len(groups[0].series) == 1:
            value = self._reduce_single(groups[0], look)
            if value is not None:
                nameless = groups[0].nameless if self._keeps_name else True
                return VectorValue(groups[0].series, np.array([[value]]), None, nameless)
        repeated = look.steps != run.steps
        if repeated and (self._follows_steps or any(isinstance(p, np.ndarray) for p in parameters)):
            look, repeated = look.at(np.repeat(look.times, run.steps)), False
        parts = []
        if look.steps == 1 and len(groups) > 1:
            narrow = [samples for samples in groups if samples.holes is None and len(samples.series) <= _NARROW]
            if len(narrow) > 1:
                groups = [samples for samples in groups if samples.holes is not None or len(samples.series) > _NARROW]
                parts.append(self._reduce_abreast(narrow, look, run, parameters))
        parts += [self._reduce(samples, look, run, parameters) for samples in groups]
        if not parts:
            return empty(run.steps)
        sources = tuple(part.series for part in parts)
        series = sources[0] if len(parts) == 1 else self._joined.get(sources, lambda: sum(sources, ()))
        vector = join(parts, series)
        if not self._keeps_name:
            vector.nameless = True
        if repeated:
            shape = (run.steps, len(series))
            vector.values = np.broadcast_to(vector.values, shape)
            vector.present = None if vector.present is None else np.broadcast_to(vector.present, shape)
        return vector

    def _reduce_single(self, samples: Samples, look: Run) -> float | None:
        """Return the value of the only window of the only series; None where that is not so simple."""
        count = len(samples.timestamps_ms)
        if samples.holes is not None or not self._minimum <= count <= LONGEST:
            return None
        values = samples.values[:, 0].tolist()
        if not math.isfinite(sum(values)):  # holes and markers are NaN, too
            return None
        assert self._single is not None
        return self._single(values, samples.timestamps_ms.tolist(), look.first - self._source.range_ms, look.first)

    def _reduce(self, samples: Samples, look: Run, run: Run, parameters: Sequence[Parameter]) -> VectorValue:
        if look.steps == 1:
            return self._reduce_one(samples, look, run, parameters)
        low = np.searchsorted(samples.timestamps_ms, look.times - self._source.range_ms, side="right")
        high = np.searchsorted(samples.timestamps_ms, look.times, side="right")
        steps = run.times if len(run.times) == len(look.times) else look.times
        values, present = [], []
        for part in _chunks(samples, low, high):
            run.check_time()
            some = [p[part] if isinstance(p, np.ndarray) else p for p in parameters]
            one = self._reduce_some(
                samples, low[part], high[part], look.times[part, np.newaxis], steps[part, np.newaxis], some
            )
            values.append(one.values)
            present.append(one.mask() if len(low) > len(one.values) else one.present)
        if len(values) == 1:
            return VectorValue(samples.series, values[0], present[0], samples.nameless)
        masks = [mask for mask in present if mask is not None]
        return VectorValue(samples.series, np.concatenate(values), np.concatenate(masks), samples.nameless)

    def _reduce_one(self, samples: Samples, look: Run, run: Run, parameters: Sequence[Parameter]) -> VectorValue:
        """Reduce the only window; what is read for one window is all inside it."""
        length = np.array([len(samples.timestamps_ms)])
        ends = look.times[:, np.newaxis]
        frame = _Frame(
            samples.timestamps_ms, _NOUGHT, length, ends - self._source.range_ms, ends, run.times[:1, np.newaxis]
        )
        vector = self._reduce_frame(samples, frame, samples.values, samples.holes, parameters)
        return VectorValue(samples.series, vector.values, vector.present, samples.nameless)

    def _reduce_abreast(
        self, groups: Sequence[Samples], look: Run, run: Run, parameters: Sequence[Parameter]
    ) -> VectorValue:
        """Reduce the only window of groups of few series each, all at once."""
        sources = tuple(samples.series for samples in groups)
        series = self._abreast.get(sources, lambda: sum(sources, ()))
        ends = look.times[:, np.newaxis]
        window = _abreast(groups, len(series), ends - self._source.range_ms, ends, run.times[:1, np.newaxis])
        vector = self._apply(window, parameters)
        return VectorValue(series, vector.values, vector.present)

    def _reduce_some(
        self,
        samples: Samples,
        low: IndexArray,
        high: IndexArray,
        ends: TimeArray,
        steps: TimeArray,
        parameters: Sequence[Parameter],
    ) -> VectorValue:
        first, last = int(low.min()), int(high.max())
        values, stamps = samples.values[first:last], samples.timestamps_ms[first:last]
        shape = (len(low), len(samples.series))
        if last <= first:
            return VectorValue(samples.series, np.zeros(shape), np.zeros(shape, dtype=np.bool_))
        frame = _Frame(stamps, low - first, high - first, ends - self._source.range_ms, ends, steps)
        known = None if samples.holes is None else samples.holes[first:last]
        return self._reduce_frame(samples, frame, values, known, parameters)

    def _reduce_frame(
        self,
        samples: Samples,
        frame: _Frame,
        values: FloatArray,
        known: BoolArray | None,
        parameters: Sequence[Parameter],
    ) -> VectorValue:
        """Reduce some windows; series with holes go apart from the others, for which it is quicker."""
        shape = (len(frame.low), len(samples.series))
        holes = _holes(values, known)
        if holes is None:
            return self._apply(frame.window(values, None), parameters)
        holed = holes.any(axis=0)
        if holed.all():
            return self._apply(frame.window(values, holes), parameters)
        out, present = np.empty(shape), np.empty(shape, dtype=np.bool_)
        for columns, some_holes in ((~holed, None), (holed, holes[:, holed])):
            part = self._apply(frame.window(values[:, columns], some_holes), parameters)
            out[:, columns], present[:, columns] = part.values, part.mask()
        return VectorValue(samples.series, out, present)

    def _apply(self, window: Window, parameters: Sequence[Parameter]) -> VectorValue:
        if window.full and window.values.shape[1] >= self._minimum:
            return VectorValue((), self._kernel(window, *parameters))
        enough = window.counts >= self._minimum
        if not enough.any():
            return VectorValue((), np.zeros(window.shape), np.zeros(window.shape, dtype=np.bool_))
        present = None if enough.all() else np.broadcast_to(enough, window.shape)
        return VectorValue((), self._kernel(window, *parameters), present)


def _abreast(groups: Sequence[Samples], width: int, starts: TimeArray, ends: TimeArray, steps: TimeArray) -> Window:
    """Return the window over the series of all groups, each with its own times."""
    lengths = [len(samples.timestamps_ms) for samples in groups]
    widths = [len(samples.series) for samples in groups]
    longest = max(lengths)
    counts = np.repeat(np.array(lengths, dtype=np.int64), widths)[np.newaxis]
    even = min(lengths) == longest
    if even:
        values = np.concatenate([samples.values for samples in groups], axis=1)
        times = np.repeat(np.stack([samples.timestamps_ms for samples in groups], axis=1), widths, axis=1)
    else:
        values, times = np.zeros((longest, width)), np.zeros((longest, width), dtype=np.int64)
        column = 0
        for samples, length, count in zip(groups, lengths, widths, strict=True):
            values[:length, column : column + count] = samples.values
            times[:length, column : column + count] = samples.timestamps_ms[:, np.newaxis]
            column += count
    holes = _holes(values, None)
    if holes is None:
        return Window(values[np.newaxis], times[np.newaxis], counts, even, starts, ends, steps)
    absent = holes | (np.arange(longest)[:, np.newaxis] >= counts)
    order = np.argsort(absent, axis=0, kind="stable")
    counts = (~absent).sum(axis=0, keepdims=True)
    full = bool((counts == longest).all())
    values, times = np.take_along_axis(values, order, axis=0), np.take_along_axis(times, order, axis=0)
    return Window(values[np.newaxis], times[np.newaxis], counts, full, starts, ends, steps)


def _chunks(samples: Samples, low: IndexArray, high: IndexArray) -> Iterator[slice]:
    """Yield parts of the steps whose windows together stay within the memory that one pass may take."""
    if len(low) == 1:
        yield slice(0, 1)
        return
    cells = max(1, int((high - low).max()) * len(samples.series))
    size = max(1, _CHUNK // cells)
    for start in range(0, len(low), size):
        yield slice(start, start + size)


def _holes(values: FloatArray, known: BoolArray | None) -> BoolArray | None:
    """Return where there is no sample; None where there is one everywhere."""
    if known is not None:
        return known if known.any() else None
    total = values.sum()
    if total == total:  # noqa: PLR0124 - false exactly for NaN, which holes and markers are
        return None
    holes = is_missing(values) | is_stale(values)
    return holes if holes.any() else None


@dataclass(slots=True, eq=False)
class _Frame:
    """Which rows each of K windows takes: from `low` up to `high`, shape (K,)."""

    stamps: TimeArray
    low: IndexArray
    high: IndexArray
    starts: TimeArray
    ends: TimeArray
    steps: TimeArray

    def window(self, values: FloatArray, holes: BoolArray | None) -> Window:
        """Return the windows over some columns of the rows."""
        lengths = self.high - self.low
        width = int(lengths.max())
        even = len(lengths) == 1 or bool((lengths == width).all())
        if len(lengths) == 1:
            cube, times = values[np.newaxis], self.stamps[np.newaxis, :, np.newaxis]
            absent = None if holes is None else holes[np.newaxis]
        else:
            places = np.arange(width)
            rows = np.minimum(self.low[:, np.newaxis] + places, len(self.stamps) - 1)
            cube, times = values[rows], self.stamps[rows][:, :, np.newaxis]
            absent = None if holes is None else holes[rows] | (places >= lengths[:, np.newaxis])[:, :, np.newaxis]
        if absent is None:
            counts = lengths[:, np.newaxis].astype(np.int64)
            return Window(cube, times, counts, even, self.starts, self.ends, self.steps)
        order = np.argsort(absent, axis=1, kind="stable")
        cube = np.take_along_axis(cube, order, axis=1)
        times = np.take_along_axis(np.broadcast_to(times, cube.shape), order, axis=1)
        counts = (~absent).sum(axis=1)
        full = bool((counts == width).all())
        return Window(cube, times, counts, full, self.starts, self.ends, self.steps)
