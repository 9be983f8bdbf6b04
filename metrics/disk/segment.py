"""A segment: the samples of a span of time in one file that never changes.

Header; parts (columns, compressed; see metrics/disk/column.py) and times; labels; directory; trailer. Everything has a
checksum of its own, so that damage costs what it hit and nothing else. Reading a series touches the labels, the
directory and the parts that hold it.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from metrics.disk.label_table import LabelTable
from metrics.disk.loss import Loss
from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels
from metrics.storage import MISSING_BITS, Block, Matcher

FILE_HEADER = b"watchkeeper segment 1\n"
SUFFIX = ".segment"

_TRAILER = struct.Struct("<8sqqqqIII")  # magic, first and last time, samples, offset, length and checksum, series
_CHECK = struct.Struct("<I")
_TRAILER_MAGIC = b"wkeepseg"
TRAILER_BYTES = _TRAILER.size + _CHECK.size

_PART = np.dtype([("offset", "<i8"), ("size", "<u4"), ("check", "<u4"), ("columns", "<u4"), ("field", "<u4")])


class SegmentError(Exception):
    """A segment, or a part of it, cannot be trusted; the message says why."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a segment's trailer tells."""

    first_ms: int
    last_ms: int
    samples: int
    series: int
    directory: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Samples of one source that share their timestamps.

    Attributes:
        first: the number of its first series in the segment's label table.
        times: place of the timestamps.
        parts: shape (parts,).
        columns: the columns of all parts, one part after the other; 0 is the series `first`.
    """

    source: str
    first: int
    series: int
    times: tuple[int, int, int]
    parts: NDArray[np.void]
    columns: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Directory:
    """What is where in a segment."""

    labels: LabelTable
    sections: Sequence[Section]

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return self.labels.size_bytes + sum(s.parts.nbytes + s.columns.nbytes for s in self.sections)


class SegmentWriter:
    """Writes a segment into an empty file: begin() for each section, add() for its series, at last finish()."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._offset = file.write(FILE_HEADER)
        self._series: list[Labels] = []
        self._sections: list[dict[str, object]] = []
        self._parts: list[tuple[int, int, int, int, int]] = []
        self._columns: list[NDArray[np.uint32]] = []
        self._first_series = 0
        self._samples = 0
        self._times: list[int] = []

    @property
    def empty(self) -> bool:
        """Whether nothing was added."""
        return not self._series

    def begin(self, source: str, times: TimeArray) -> None:
        """Begin the section of a source, for series with these timestamps."""
        self._end_section()
        place = self._put(zlib.compress(np.diff(times, n=2, prepend=[0, 0]).astype("<i8").tobytes()))
        self._sections.append({"source": source, "first": len(self._series), "times": place, "parts": len(self._parts)})
        self._times += [int(times[0]), int(times[-1])]

    def add(self, series: Sequence[Labels], *fields: FloatArray) -> None:
        """Add series to the section; each of `fields` has shape (times, series)."""
        before = len(self._series) - int(str(self._sections[-1]["first"]))
        self._series += series
        from metrics.disk import column  # noqa: PLC0415 - a daemon that only watches needs it after some hours first

        for number, values in enumerate(fields):
            for part in column.encode(values):
                offset, size, check = self._put(part.data)
                self._parts.append((offset, size, check, len(part.columns), number))
                self._columns.append((part.columns + before).astype("<u4"))
        self._samples += fields[0].size - int((np.ascontiguousarray(fields[0]).view(np.uint64) == MISSING_BITS).sum())

    def finish(self) -> None:
        """Write what makes it a segment."""
        self._end_section()
        labels = self._put(LabelTable.of(self._series).to_bytes())
        meta = json.dumps({"labels": labels, "sections": self._sections}).encode()
        parts = np.array(self._parts, dtype=_PART)
        columns = np.concatenate(self._columns) if self._columns else np.empty(0, dtype="<u4")
        plain = [struct.pack("<II", len(meta), len(parts)), meta, parts.tobytes(), columns.tobytes()]
        directory = self._put(zlib.compress(b"".join(plain), 3))
        first, last = (min(self._times), max(self._times)) if self._times else (0, 0)
        trailer = _TRAILER.pack(_TRAILER_MAGIC, first, last, self._samples, *directory, len(self._series))
        self._file.write(trailer + _CHECK.pack(zlib.crc32(trailer)))

    def _end_section(self) -> None:
        if self._sections:
            section = self._sections[-1]
            section.setdefault("series", len(self._series) - int(str(section["first"])))

    def _put(self, data: bytes) -> tuple[int, int, int]:
        place = (self._offset, len(data), zlib.crc32(data))
        self._offset += self._file.write(data)
        return place


def read_summary(path: Path) -> Summary:
    """Return what the end of a file tells.

    Raises: SegmentError: it is no whole segment. OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < TRAILER_BYTES + len(FILE_HEADER) or file.read(len(FILE_HEADER)) != FILE_HEADER:
            raise SegmentError("it does not begin as a segment does")
        trailer = os.pread(file.fileno(), TRAILER_BYTES, size - TRAILER_BYTES)
    magic, first_ms, last_ms, samples, offset, length, check, series = _TRAILER.unpack_from(trailer)
    if magic != _TRAILER_MAGIC or _CHECK.unpack_from(trailer, _TRAILER.size)[0] != zlib.crc32(trailer[: _TRAILER.size]):
        raise SegmentError("its trailer is damaged")
    return Summary(first_ms, last_ms, samples, series, (offset, length, check))


class SegmentFile:
    """An open segment.

    Args:
        on_loss: told of parts that are damaged; what is in them is left out.
    """

    def __init__(self, path: Path, on_loss: Callable[[Loss], None]) -> None:
        self._path = path
        self._on_loss = on_loss
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def directory(self, summary: Summary) -> Directory:
        """Read what is where.

        Raises: SegmentError: it is damaged, and with it everything is lost.
        """
        try:
            plain = zlib.decompress(self._read(summary.directory))
            meta_bytes, count = struct.unpack_from("<II", plain)
            meta = json.loads(plain[8 : 8 + meta_bytes])
            parts = np.frombuffer(plain, dtype=_PART, count=count, offset=8 + meta_bytes)
            columns = np.frombuffer(plain, dtype="<u4", offset=8 + meta_bytes + parts.nbytes)
            labels = LabelTable.from_bytes(self._read(meta["labels"]))
            return Directory(labels, list(_sections(meta["sections"], parts, columns)))
        except (ValueError, KeyError, TypeError, struct.error, zlib.error) as error:
            raise SegmentError(f"its directory is damaged ({error})") from error

    def select(
        self, directory: Directory, matchers: Sequence[Matcher], start_ms: int, end_ms: int, field: int = 0
    ) -> Iterator[tuple[str, Block]]:
        """Yield source and samples with start_ms <= time <= end_ms of the series that satisfy every matcher."""
        numbers = directory.labels.select(matchers)
        for section in directory.sections:
            low, high = np.searchsorted(numbers, [section.first, section.first + section.series])
            if low < high:
                chosen = numbers[low:high]
                block = self.read(section, chosen - section.first, start_ms, end_ms, field)
                if block is not None:
                    times, values, kept = block
                    series = tuple([directory.labels.labels(n) for n in chosen[kept].tolist()])
                    yield section.source, Block(series, times, values)

    def read(
        self, section: Section, columns: NDArray[np.int64], start_ms: int, end_ms: int, field: int = 0
    ) -> tuple[TimeArray, FloatArray, NDArray[np.int64]] | None:
        """Return times, values and which of `columns` they are of (all, but for damage); None where there are none."""
        try:
            times = self._times(section)
        except SegmentError as error:
            names = f"{section.series} series of {section.source}"
            self._on_loss(
                Loss(self._path.name, f"the times of {names} are damaged: they are left out ({error})", "damaged")
            )
            return None
        low, high = (int(i) for i in np.searchsorted(times, [start_ms, end_ms + 1]))
        if low >= high:
            return None
        values = np.empty((high - low, len(columns)), dtype=np.float64)
        values.view(np.uint64)[:] = MISSING_BITS
        there = np.ones(len(columns), dtype=np.bool_)
        wanted = np.full(section.series, -1, dtype=np.int64)
        wanted[columns] = np.arange(len(columns))
        ends = np.cumsum(section.parts["columns"], dtype=np.int64)
        targets = wanted[section.columns]
        hit = np.concatenate([[0], np.cumsum(targets >= 0)])
        starts = ends - section.parts["columns"]
        needed = (hit[ends] > hit[starts]) & (section.parts["field"] == field)
        for i in needed.nonzero()[0].tolist():
            target = targets[starts[i] : ends[i]]
            inside = target >= 0
            try:
                part = self._part(section.parts[i], len(times), len(target))
            except SegmentError as error:
                there[target[inside]] = False
                self._tell(section, int(section.columns[starts[i]]), len(target), error)
                continue
            values[:, target[inside]] = part[low:high] if inside.all() else part[low:high, inside]
        kept = there.nonzero()[0]
        return (times[low:high], values if len(kept) == len(columns) else values[:, kept], kept) if len(kept) else None

    def _part(self, place: NDArray[np.void], rows: int, columns: int) -> FloatArray:
        from metrics.disk import column  # noqa: PLC0415

        try:
            values = column.decode(self._read((int(place["offset"]), int(place["size"]), int(place["check"]))))
        except (ValueError, struct.error, zlib.error) as error:
            raise SegmentError(str(error)) from error
        if values.shape != (rows, columns):
            raise SegmentError("it has the wrong shape")
        return values

    def _tell(self, section: Section, first: int, count: int, error: SegmentError) -> None:
        reason = f"{count} series of {section.source} from column {first} on are damaged: they are left out ({error})"
        self._on_loss(Loss(self._path.name, reason, "damaged"))

    def _times(self, section: Section) -> TimeArray:
        try:
            differences = np.frombuffer(zlib.decompress(self._read(section.times)), dtype="<i8")
        except (ValueError, zlib.error) as error:
            raise SegmentError(str(error)) from error
        times: TimeArray = np.cumsum(np.cumsum(differences))
        return times

    def _read(self, place: tuple[int, int, int]) -> bytes:
        offset, size, check = place
        try:
            data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise SegmentError(f"cannot be read: {error.strerror}") from error
        if len(data) != size or zlib.crc32(data) != check:
            raise SegmentError("wrong checksum")
        return data


def _sections(
    described: Sequence[dict[str, object]], parts: NDArray[np.void], columns: NDArray[np.uint32]
) -> Iterator[Section]:
    ends = np.cumsum(parts["columns"], dtype=np.int64)
    for i, section in enumerate(described):
        low = int(str(section["parts"]))
        high = int(str(described[i + 1]["parts"])) if i + 1 < len(described) else len(parts)
        start, end = (int(ends[n - 1]) if n else 0 for n in (low, high))
        offset, size, check = (int(n) for n in section["times"])  # type: ignore[attr-defined]
        yield Section(
            str(section["source"]), int(str(section["first"])), int(str(section["series"])),
            (offset, size, check), parts[low:high], columns[start:end],
        )  # fmt: skip
