"""What a target's last body looked like apart from its values, and how to read the next one by it.

A body is the same template with other values when each line's text before the value is what it was. That is compared,
and the values are cut out, by array operations over all bytes at once. Where few lines differ from those of the body
before, which is usual, only these are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import ne

import numpy as np
from numpy.typing import NDArray

from metrics.exposition_line import LineError, read_value
from metrics.frame import NO_TIMESTAMP, FloatArray, Layout, TimeArray
from metrics.label import Labels

_NEWLINE, _SPACE = 10, 32
_NUMBER_BYTES = b"0123456789+-.eEnNaAiIfFtTyY\n"
"""Python reads more as a number than the formats allow (`1_000`, surrounding blanks), never without another byte."""

Bytes = NDArray[np.uint8]

_MOST_CHANGED = 3
"""Array operations over the whole body are quicker than reading line by line what changed where more than one line in
so many did."""

_PATIENCE = 20
"""After a body of which much had changed, the lines of so many are not looked at one by one."""


class Template:
    """The text of a body without its values.

    Args:
        body: ends with a newline.
        sample_lines: which lines, from 0, hold a sample.
        prefixes: for each line how many bytes stand before its value; all of them where there is none.
        kept: which samples were kept, None for all.
    """

    __slots__ = ("_is_sample", "_kept", "_last", "_prefixes", "_skeleton", "_wait", "openmetrics")

    def __init__(
        self,
        body: bytes,
        sample_lines: Sequence[int],
        prefixes: Sequence[int],
        kept: NDArray[np.intp] | None,
        *,
        openmetrics: bool,
    ) -> None:
        self.openmetrics = openmetrics
        self._kept = kept
        self._prefixes = np.array(prefixes, dtype=np.int32)
        self._is_sample = np.zeros(len(prefixes), dtype=np.bool_)
        self._is_sample[np.array(sample_lines, dtype=np.intp)] = True
        # One assignment, so that a body that is read in a thread, and one that is not, do not harm each other.
        self._last: tuple[list[bytes], FloatArray] | None = None
        self._wait = 0
        self._skeleton: Bytes = np.empty(0, dtype=np.uint8)
        cut = self._cut(body)
        assert cut is not None, "a template must fit the body that it was made of"
        self._skeleton = cut[0]

    def read(self, body: bytes) -> tuple[FloatArray, TimeArray | None] | None:
        """Return the values and timestamps of a body, as in Parsed; None where it is not of this template or not valid.

        Args:
            body: ends with a newline.
        """
        self._wait -= 1
        lines = body.split(b"\n") if self._wait <= 0 else []
        values, times = self._changed(lines), None
        if values is None:
            cut = self._cut(body)
            if cut is None or not np.array_equal(cut[0], self._skeleton):
                return None
            try:
                values, times = _read_column(cut[1], int(self._is_sample.sum()), openmetrics=self.openmetrics)
            except (ValueError, OverflowError, LineError):
                return None
        self._last = (lines, values) if lines and times is None else None
        if self._kept is None:
            return values, times
        return values[self._kept], None if times is None else times[self._kept]

    def _changed(self, lines: Sequence[bytes]) -> FloatArray | None:
        """Return the values of the last body with those of the lines that differ; None where that is no way."""
        if self._last is None or len(lines) != len(self._last[0]):
            return None
        before, values = self._last
        changed = list(compress(range(len(lines)), map(ne, lines, before)))
        if not changed:
            return values
        if len(changed) * _MOST_CHANGED > len(lines):
            self._wait = _PATIENCE
            return None
        if not self._is_sample[changed].all():
            return None
        texts = []
        for line, prefix in zip(changed, self._prefixes[changed].tolist(), strict=True):
            if lines[line][:prefix] != before[line][:prefix] or len(lines[line]) == prefix:
                return None
            texts.append(lines[line][prefix:] + b"\n")
        try:
            column, times = _read_column(
                np.frombuffer(b"".join(texts), dtype=np.uint8), len(changed), openmetrics=self.openmetrics
            )
        except (ValueError, OverflowError, LineError):
            return None
        if times is not None:
            return None
        values = values.copy()
        values[np.searchsorted(self._is_sample.nonzero()[0], changed)] = column
        return values

    def known_series(self, layout: Layout) -> dict[str, Labels]:
        """Return the series by the text before their value, less one space."""
        lines = self._skeleton.tobytes().decode("utf-8", "surrogateescape").split("\n")
        samples = np.flatnonzero(self._is_sample)
        chosen = (samples if self._kept is None else samples[self._kept]).tolist()
        pairs = zip((lines[line] for line in chosen), layout.series, strict=True)
        return {text[:-1]: labels for text, labels in pairs if text.endswith(" ")}

    def _cut(self, body: bytes) -> tuple[Bytes, Bytes] | None:
        """Return all but the values, and the values, a line each; None if the lines are others."""
        raw: Bytes = np.frombuffer(body, dtype=np.uint8)
        ends = np.flatnonzero(raw == _NEWLINE)
        if len(ends) != len(self._prefixes):
            return None
        value_starts = self._prefixes.astype(np.int64)
        value_starts[1:] += ends[:-1] + 1
        room = ends - value_starts
        if ((room > 0) != self._is_sample).any() or (room < 0).any():
            return None
        steps = np.zeros(len(raw), dtype=np.int8)
        steps[value_starts[self._is_sample]] = 1
        steps[ends[self._is_sample]] = -1
        inside = np.cumsum(steps, dtype=np.int8).view(np.bool_)
        skeleton = raw[~inside]
        inside[ends[self._is_sample]] = True
        return skeleton, raw[inside]


def _read_column(text: Bytes, count: int, *, openmetrics: bool) -> tuple[FloatArray, TimeArray | None]:
    """Return the values and timestamps of `count` lines.

    Raises: ValueError, OverflowError, LineError: some line is not valid.
    """
    raw = text.tobytes()
    if not raw.translate(None, _NUMBER_BYTES):
        return np.array(list(map(float, raw.split())), dtype=np.float64), None
    if _one_space_each(text, count) and not raw.translate(None, _NUMBER_BYTES + b" "):
        words = raw.split()
        if len(words) == 2 * count:
            return np.array(list(map(float, words[0::2])), dtype=np.float64), _times(words[1::2], openmetrics)
    lines = raw.decode("utf-8", "surrogateescape").split("\n")[:-1]
    pairs = [read_value(line, openmetrics=openmetrics) for line in lines]
    values, times = (np.array(it) for it in zip(*pairs, strict=True))
    return values.astype(np.float64), None if (times == NO_TIMESTAMP).all() else times.astype(np.int64)


def _one_space_each(text: Bytes, count: int) -> bool:
    spaces, ends = np.flatnonzero(text == _SPACE), np.flatnonzero(text == _NEWLINE)
    return len(spaces) == count and bool((spaces < ends).all() and (spaces[1:] > ends[:-1]).all())


def _times(words: Sequence[bytes], openmetrics: bool) -> TimeArray:
    if not openmetrics:
        if b"+" in b"".join(words):
            raise ValueError("a timestamp has a plus sign")
        return np.array(list(map(int, words)), dtype=np.int64)
    milliseconds = np.rint(np.array(list(map(float, words)), dtype=np.float64) * 1000)
    if not (np.abs(milliseconds) < 2**63).all():
        raise ValueError("a timestamp is no time")
    return milliseconds.astype(np.int64)
