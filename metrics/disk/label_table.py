"""The labels of many series as arrays: every pair of name and value once, and the pairs of each series by number.

It is what a write-ahead file keeps of a layout and a segment of its series. Matchers are decided once for each pair,
then for all series at once.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from metrics.label import Labels
from metrics.storage import Matcher, MatchOp

_HEADER = struct.Struct("<III")
_AT_ONCE = 2_000
"""So many series or values are treated in one call of the interpreter's own, which keeps all other threads waiting."""

BoolArray = NDArray[np.bool_]


class _Numbers(dict[tuple[str, str], int]):
    """Gives each new key the next number."""

    def __missing__(self, key: tuple[str, str]) -> int:
        self[key] = number = len(self)
        return number


class LabelTable:
    """Series by number, 0 to len - 1.

    Args:
        pairs: each once, those of one name in a row.
        numbers: the pairs of all series, one series after the other.
        counts: how many pairs each series has.
    """

    def __init__(self, pairs: list[tuple[str, str]], numbers: NDArray[np.uint32], counts: NDArray[np.uint32]) -> None:
        self._pairs = pairs
        self._numbers = numbers
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._starts = self._ends - counts

    @classmethod
    def of(cls, series: Sequence[Labels]) -> LabelTable:
        """Return the table of some series."""
        seen = _Numbers()
        parts = [
            np.fromiter(map(seen.__getitem__, chain.from_iterable(series[i : i + _AT_ONCE])), dtype=np.uint32)
            for i in range(0, len(series), _AT_ONCE)
        ]
        numbers = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)
        counts = np.fromiter(map(len, series), dtype=np.uint32, count=len(series))
        by_name: dict[str, list[tuple[str, str]]] = {}
        for pair in seen:
            by_name.setdefault(pair[0], []).append(pair)
        pairs = [pair for run in by_name.values() for pair in run]
        place = np.empty(len(pairs), dtype=np.uint32)
        for position, pair in enumerate(pairs):
            place[seen[pair]] = position
        return cls(pairs, place[numbers], counts)

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return 200 * len(self._pairs) + self._numbers.nbytes + 2 * self._ends.nbytes

    def labels(self, number: int) -> Labels:
        """Return the labels of a series; equal pairs are the same object."""
        pairs = self._pairs
        return tuple([pairs[i] for i in self._numbers[self._starts[number] : self._ends[number]].tolist()])

    def all_labels(self) -> list[Labels]:
        """Return the labels of every series."""
        flat = map(self._pairs.__getitem__, self._numbers.tolist())
        return [tuple(islice(flat, count)) for count in (self._ends - self._starts).tolist()]

    def select(self, matchers: Iterable[Matcher]) -> NDArray[np.int64]:
        """Return, ascending, the numbers of the series that satisfy every matcher."""
        matching = np.ones(len(self), dtype=np.bool_)
        for matcher in matchers:
            matching &= self._matching(matcher)
        return matching.nonzero()[0]

    def hashes(self) -> NDArray[np.uint64]:
        """Return a number for each series that is equal for equal labels, in whichever table; shape (len(self),)."""
        digests = b"".join(
            hashlib.blake2b(f"{name}\0{value}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
            for name, value in self._pairs
        )
        of_pairs = np.frombuffer(digests, dtype=np.uint64)[self._numbers]
        before = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(of_pairs, dtype=np.uint64)])
        hashes: NDArray[np.uint64] = before[self._ends] - before[self._starts]
        return hashes

    def to_bytes(self) -> bytes:
        """Return the table as bytes, compressed."""
        runs = [[name, end - start] for name, (start, end) in self._runs.items()]
        values = [value for _, value in self._pairs]
        lines = [json.dumps(runs)]
        lines += [json.dumps(values[i : i + _AT_ONCE]) for i in range(0, len(values), _AT_ONCE)]
        text = "\n".join(lines).encode()
        counts = (self._ends - self._starts).astype("<u4")
        header = _HEADER.pack(len(text), len(self), len(self._numbers))
        return zlib.compress(b"".join([header, text, counts.tobytes(), self._numbers.astype("<u4").tobytes()]), 3)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> LabelTable:
        """Return the table that to_bytes() wrote.

        Raises: ValueError, zlib.error: the bytes are something else.
        """
        plain = zlib.decompress(data)
        if len(plain) < _HEADER.size:
            raise ValueError("label table is too short")
        text_bytes, series, numbers = _HEADER.unpack_from(plain)
        if len(plain) != _HEADER.size + text_bytes + 4 * (series + numbers):
            raise ValueError("label table has the wrong length")
        lines = plain[_HEADER.size : _HEADER.size + text_bytes].split(b"\n")
        values = chain.from_iterable(map(json.loads, lines[1:]))
        pairs = [(name, next(values)) for name, count in json.loads(lines[0]) for _ in range(count)]
        at = _HEADER.size + text_bytes
        counts = np.frombuffer(plain, dtype="<u4", count=series, offset=at)
        return cls(pairs, np.frombuffer(plain, dtype="<u4", offset=at + 4 * series), counts)

    @cached_property
    def _runs(self) -> dict[str, tuple[int, int]]:
        """Where the pairs of each name start and end."""
        runs: dict[str, tuple[int, int]] = {}
        for position, (name, _) in enumerate(self._pairs):
            runs[name] = (runs[name][0] if name in runs else position, position + 1)
        return runs

    def _matching(self, matcher: Matcher) -> BoolArray:
        start, end = self._runs.get(matcher.name, (0, 0))
        accepted = np.zeros(len(self._pairs) + 1, dtype=np.bool_)
        if matcher.op is MatchOp.EQUAL:
            with suppress(ValueError):
                accepted[self._pairs.index((matcher.name, matcher.value), start, end)] = True
        else:
            accepted[start:end] = [matcher.matches(value) for _, value in self._pairs[start:end]]
        found = self._any(accepted)
        if matcher.matches(""):
            named = np.zeros(len(self._pairs) + 1, dtype=np.bool_)
            named[start:end] = True
            found |= ~self._any(named)
        return found

    def _any(self, marked: BoolArray) -> BoolArray:
        """Return which series have a marked pair."""
        before = np.concatenate([[0], np.cumsum(marked[self._numbers], dtype=np.int64)])
        found: BoolArray = before[self._ends] > before[self._starts]
        return found
