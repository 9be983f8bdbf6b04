"""Reads a WriteRequest into columns.

A sender writes the same labels in the same bytes again and again, each time with one sample at the end. So a series is
found by the bytes before that sample, and all such samples are read by array operations: 2,000 series take 1.7 ms,
where the protobuf library and a walk over its objects take 28 ms. Whatever looks different is read field by field.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.frame import FloatArray, TimeArray
from metrics.label import METRIC_NAME, Labels, labels_of
from metrics.remote_write.block import TooLargeError
from metrics.remote_write.wire import BYTES, FIXED64, VARINT, MessageError, fields, read_varint, signed

INVALID_LABELS = "invalid_labels"
NATIVE_HISTOGRAM = "native_histogram"
SERIES_LIMIT = "series_limit"

_TIME_SERIES, _LABELS, _SAMPLES, _HISTOGRAMS = 1, 1, 2, 4
_TIME_SERIES_TAG = _TIME_SERIES << 3 | BYTES

_TAIL = 18
"""The bytes of one sample as all senders write it: 12 10, 09 and eight bytes of value, 10 and six of time."""

_DOUBLE = struct.Struct("<Q")

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class WriteRequest:
    """The samples of a request in their order.

    Attributes:
        numbers: shape (n,), the series of each by its number in the table.
        timestamps_ms, values: shape (n,).
        refused: how many samples are not among them, by reason.
    """

    numbers: Numbers
    timestamps_ms: TimeArray
    values: FloatArray
    refused: Counter[str]


class SeriesTable:
    """Gives every series a number, by its labels and by the bytes that stand for them.

    Args:
        max_series: further series are refused.
        forget_seconds: where there is no room, series that were not seen for so long make some.
    """

    def __init__(self, max_series: int, *, forget_seconds: float = 3600.0) -> None:
        self._max_series = max_series
        self._forget_ms = round(forget_seconds * 1000)
        self._by_bytes: dict[bytes, int] = {}
        self._by_labels: dict[Labels, int] = {}
        self._labels: list[Labels] = []
        self._seen_ms: TimeArray = np.zeros(0, dtype=np.int64)
        self.generation = 0
        """Grows whenever numbers change their meaning."""

    def __len__(self) -> int:
        return len(self._labels)

    def labels(self, number: int) -> Labels:
        """Return the labels of a series."""
        return self._labels[number]

    def by_bytes(self, content: bytes) -> int | None:
        """Return the number of the series that these bytes stand for, if they have been seen before."""
        return self._by_bytes.get(content)

    def enter(self, labels: Labels) -> int | None:
        """Return the number of a series, a new one if need be; None if the table is full."""
        number = self._by_labels.get(labels)
        if number is None and len(self._labels) < self._max_series:
            number = self._by_labels[labels] = len(self._labels)
            self._labels.append(labels)
        return number

    def remember(self, content: bytes, number: int) -> None:
        """Note that these bytes stand for a series."""
        if len(self._by_bytes) >= 2 * self._max_series:
            self._by_bytes.clear()  # one sender orders its labels anew each time
        self._by_bytes[content] = number

    def note_seen(self, numbers: Numbers, now_ms: int) -> None:
        """Note that these series are in use."""
        if len(self._seen_ms) < len(self._labels):
            grown = np.full(max(1024, 2 * len(self._labels)), now_ms, dtype=np.int64)
            grown[: len(self._seen_ms)] = self._seen_ms
            self._seen_ms = grown
        self._seen_ms[numbers] = now_ms

    def make_room(self, now_ms: int) -> None:
        """Forget series that are not in use, if the table is full."""
        if len(self._labels) < self._max_series:
            return
        kept = [
            n for n, seen in enumerate(self._seen_ms[: len(self._labels)].tolist()) if seen > now_ms - self._forget_ms
        ]
        if len(kept) == len(self._labels):
            return
        self._labels = [self._labels[number] for number in kept]
        self._by_labels = {labels: number for number, labels in enumerate(self._labels)}
        self._by_bytes = {}
        self._seen_ms = self._seen_ms[kept]
        self.generation += 1


def decode(message: bytes, table: SeriesTable, *, max_samples: int) -> WriteRequest:
    """Return the samples of a WriteRequest; exemplars and metadata are left out.

    Raises:
        MessageError: the bytes are no WriteRequest; nothing of it is used.
        TooLargeError: it has more than `max_samples` samples.
    """
    request = _read(message, table, max_samples, quick=True)
    if request is None:  # some time series looked usual and was not
        request = _read(message, table, max_samples, quick=False)
    assert request is not None
    return request


def _read(message: bytes, table: SeriesTable, max_samples: int, *, quick: bool) -> WriteRequest | None:
    reader = _Reader(message, table, max_samples)
    position, end = 0, len(message)
    while position < end:
        if message[position] != _TIME_SERIES_TAG:
            position = reader.skip(position)
            continue
        position, after = reader.content(position + 1)
        is_long = after - position > _TAIL
        number = table.by_bytes(message[position : after - _TAIL]) if quick and is_long else None
        if number is None:
            reader.time_series(position, after)
        else:
            reader.usual_sample(number, after)
        position = after
    return reader.request()


class _Reader:
    """Collects the samples of one request."""

    def __init__(self, message: bytes, table: SeriesTable, max_samples: int) -> None:
        self._message = message
        self._table = table
        self._max_samples = max_samples
        self._numbers: list[int] = []
        self._times: list[int] = []
        self._bits: list[int] = []
        self._usual: list[int] = []
        self._ends: list[int] = []
        self._refused: Counter[str] = Counter()
        self._pairs: dict[bytes, tuple[str, str] | None] = {}

    def skip(self, position: int) -> int:
        """Return the position after a field that is no time series."""
        for _, _, _, after in fields(self._message, position, len(self._message)):
            return after
        raise MessageError("the message is cut off; send it again")

    def content(self, position: int) -> tuple[int, int]:
        """Return where the content of a field of bytes starts and ends; `position` is that of its length."""
        length, start = read_varint(self._message, position)
        if start + length > len(self._message):
            raise MessageError(f"the message is cut off at byte {len(self._message)}; send it again")
        return start, start + length

    def usual_sample(self, number: int, end: int) -> None:
        """Take the sample before `end`, which is read later, together with all of its kind."""
        self._usual.append(len(self._numbers))
        self._ends.append(end)
        self._add(number, 0, 0)

    def time_series(self, start: int, end: int) -> None:
        """Take a time series field by field."""
        pairs: list[tuple[str, str] | None] = []
        samples: list[tuple[int, int]] = []
        labels_end, others = start, 0
        for number, kind, inner, after in fields(self._message, start, end):
            if number == _LABELS and kind == BYTES:
                content = self._message[inner:after]
                if content not in self._pairs:
                    self._pairs[content] = self._label(inner, after)
                pairs.append(self._pairs[content])
                labels_end = after
            elif number == _SAMPLES and kind == BYTES:
                samples.append(self._sample(inner, after))
            else:
                others += 1
                if number == _HISTOGRAMS and kind == BYTES:
                    self._refused[NATIVE_HISTOGRAM] += 1
        labels = _valid(pairs)
        if labels is None:
            self._refused[INVALID_LABELS] += len(samples)
            return
        known = self._table.enter(labels) if samples else None
        if known is None:
            self._refused[SERIES_LIMIT] += len(samples)
            return
        for timestamp_ms, bits in samples:
            self._add(known, timestamp_ms, bits)
        if len(samples) == 1 and not others and labels_end == end - _TAIL:
            self._table.remember(self._message[start:labels_end], known)

    def request(self) -> WriteRequest | None:
        """Return all samples; None if one that was taken for a usual one is not."""
        times, bits = _int64(self._times), np.array(self._bits, dtype=np.uint64)
        if self._usual:
            read = _usual_samples(self._message, self._ends)
            if read is None:
                return None
            times[self._usual], bits[self._usual] = read
        return WriteRequest(_int64(self._numbers), times, bits.view(np.float64), +self._refused)

    def _add(self, number: int, timestamp_ms: int, bits: int) -> None:
        if len(self._numbers) >= self._max_samples:
            raise TooLargeError(f"the request has more than {self._max_samples} samples; send smaller requests")
        self._numbers.append(number)
        self._times.append(timestamp_ms)
        self._bits.append(bits)

    def _label(self, start: int, end: int) -> tuple[str, str] | None:
        """Return a label; None if it is no UTF-8."""
        texts = {1: b"", 2: b""}
        for number, kind, inner, after in fields(self._message, start, end):
            if number in texts and kind == BYTES:
                texts[number] = self._message[inner:after]
        try:
            return texts[1].decode(), texts[2].decode()
        except UnicodeDecodeError:
            return None

    def _sample(self, start: int, end: int) -> tuple[int, int]:
        timestamp_ms = bits = 0
        for number, kind, inner, _ in fields(self._message, start, end):
            if number == 1 and kind == FIXED64:
                (bits,) = _DOUBLE.unpack_from(self._message, inner)
            elif number == 2 and kind == VARINT:
                timestamp_ms = signed(read_varint(self._message, inner)[0])
        return timestamp_ms, bits


def _usual_samples(message: bytes, ends: list[int]) -> tuple[TimeArray, NDArray[np.uint64]] | None:
    data = np.frombuffer(message, dtype=np.uint8)
    tails = data[np.array(ends)[:, None] + np.arange(-_TAIL, 0)]
    head = (tails[:, 0] == 0x12) & (tails[:, 1] == 0x10) & (tails[:, 2] == 0x09) & (tails[:, 11] == 0x10)
    digits = tails[:, 12:]
    if not (head & (digits[:, :5] >= 0x80).all(axis=1) & (digits[:, 5] < 0x80)).all():
        return None
    shifts = np.arange(0, 42, 7, dtype=np.int64)
    times: TimeArray = ((digits & 0x7F).astype(np.int64) << shifts).sum(axis=1)
    bits = np.ascontiguousarray(tails[:, 3:11]).view("<u8")[:, 0]
    return times, bits


def _valid(pairs: list[tuple[str, str] | None]) -> Labels | None:
    """Return labels that a series can have; None if these are not."""
    known = [pair for pair in pairs if pair is not None]
    names = {name for name, _ in known}
    if len(names) < len(pairs) or "" in names:
        return None
    labels = labels_of(known)
    return labels if any(name == METRIC_NAME for name, _ in labels) else None


def _int64(numbers: list[int]) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)
