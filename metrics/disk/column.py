"""Columns of samples as few bytes: exact to the last bit, by array operations over many columns at once. No I/O.

Most series are whole numbers times a power of ten, and change by little: such a column becomes integers, these the
differences of neighbours, divided by what divides them all. Others become what their bits differ in from the sample
before. The bytes of equal weight are then put side by side, where they resemble each other, and deflated. Columns that
never change cost their one value.

Holes, markers and other values that are no finite number are taken out first and noted beside the column.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.frame import STALE_BITS, FloatArray
from metrics.storage import MISSING_BITS

IndexArray = NDArray[np.intp]
BitArray = NDArray[np.uint64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_CONSTANT, _INTEGER, _BITS = 0, 1, 2
_EXPONENTS = (0, 1, 2, 3, 4, 6, 9, 3 | 128, 6 | 128, 9 | 128)
"""Powers of ten; with 128, the value was made by multiplying with 0.001 and so on, as exporters written in Go do."""

_EXACT = 2.0**53
"""Whole numbers up to here are exact as float64."""

_HEADER = struct.Struct("<BBBBII")  # kind, exponent, order of differences, bytes a value, rows, columns
_PLAIN, _MISSING, _STALE, _OTHER = 0, 1, 2, 3

_PART_BYTES = 128 << 10
"""How much of the decoded columns one part holds: what a read of a single series has to decode."""

_LEVEL = 6


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some columns together; `columns` are their numbers in the matrix."""

    columns: IndexArray
    data: bytes


def encode(values: FloatArray) -> Iterator[Part]:
    """Yield parts that together hold every column once. `values` has shape (T, S), T at least 1."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    constant = (bits == bits[0]).all(axis=0)
    at = constant.nonzero()[0]
    if len(at):
        yield Part(at, _pack(_CONSTANT, (0, 0, 0), len(values), [bits[0, at].tobytes()], len(at)))
    at = (~constant).nonzero()[0]
    if len(at):
        yield from _encode_changing(values[:, at], at)


def decode(data: bytes | memoryview) -> FloatArray:
    """Return the columns of a part, shape (T, n), in the order of its `columns`.

    Raises: ValueError, zlib.error, struct.error: the bytes are something else.
    """
    plain = zlib.decompress(data)
    kind, exponent, order, width, rows, count = _HEADER.unpack_from(plain)
    body = memoryview(plain)[_HEADER.size :]
    if kind == _CONSTANT:
        bits = np.frombuffer(body, dtype=np.uint64, count=count)
        return np.broadcast_to(bits.view(np.float64), (rows, count))
    if kind == _INTEGER:
        values, rest = _decode_integers(body, exponent, order, width, rows, count)
    elif kind == _BITS:
        values, rest = _decode_bits(body, width, rows, count)
    else:
        raise ValueError(f"columns of the unknown kind {kind}")
    if len(rest):
        _put_specials(values.view(np.uint64), rest)
    return values


def _encode_changing(values: FloatArray, at: IndexArray) -> Iterator[Part]:
    special: BoolArray = ~np.isfinite(values)
    odd: BoolArray = np.any(special, axis=0)
    plain = np.array(values)
    if odd.any():
        plain[:, odd] = _filled(plain[:, odd], special[:, odd])
    left = np.arange(len(at))
    for exponent in _EXPONENTS:
        integers, fits = _as_integers(plain[:, left], exponent)
        found = left[fits]
        for order, width, chosen, pieces in _integer_groups(integers[:, fits]):
            columns = found[chosen]
            yield from _parts(_INTEGER, (exponent, order, width), values, at, columns, special, odd, pieces)
        left = left[~fits]
        if not len(left):
            return
    bits = plain[:, left].view(np.uint64)
    changes = bits[1:] ^ bits[:-1]
    widths = _widths(changes.max(axis=0, initial=0))
    for width in np.unique(widths).tolist():
        chosen = (widths == width).nonzero()[0]
        pieces = ([bits[0, chosen]], changes[:, chosen])
        yield from _parts(_BITS, (0, 0, width), values, at, left[chosen], special, odd, pieces)


def _parts(
    kind: int, parameters: tuple[int, int, int], values: FloatArray, at: IndexArray, columns: IndexArray,
    special: BoolArray, odd: BoolArray, pieces: tuple[list[NDArray[np.generic]], BitArray],
) -> Iterator[Part]:  # fmt: skip
    """Cut columns of one kind into parts of bounded size."""
    first, changes = pieces
    rows = len(values)
    step = max(1, _PART_BYTES // (8 * rows))
    for start in range(0, len(columns), step):
        some = columns[start : start + step]
        body = [array[start : start + step].tobytes() for array in first]
        body.append(_planes(changes[:, start : start + step], parameters[2]))
        if odd[some].any():
            body.append(_specials(values[:, some], special[:, some]))
        yield Part(at[some], _pack(kind, parameters, rows, body, len(some)))


def _pack(kind: int, parameters: tuple[int, int, int], rows: int, body: list[bytes], count: int) -> bytes:
    return zlib.compress(b"".join([_HEADER.pack(kind, *parameters, rows, count), *body]), _LEVEL)


# Whole numbers.


def _as_integers(values: FloatArray, exponent: int) -> tuple[IntArray, BoolArray]:
    """Return the values times 10^exponent as integers, and in which columns that loses nothing."""
    factor = 10.0 ** (exponent & 127)
    fits = np.ones(values.shape[1], dtype=np.bool_)
    for rows in (slice(None, None, max(1, len(values) // 4)), slice(None)):  # a few rows rule most columns out
        some = values[rows][:, fits]
        with np.errstate(over="ignore"):
            scaled = np.rint(some * factor)
        integers = np.where(np.abs(scaled) < _EXACT, scaled, 0).astype(np.int64)
        same = _from_integers(integers, exponent).view(np.uint64) == np.ascontiguousarray(some).view(np.uint64)
        fits[fits] = same.all(axis=0)
    result = np.zeros(values.shape, dtype=np.int64)
    result[:, fits] = integers[:, same.all(axis=0)]
    return result, fits


def _integer_groups(
    integers: IntArray,
) -> Iterator[tuple[int, int, IndexArray, tuple[list[NDArray[np.generic]], BitArray]]]:
    """Yield order of differences, width, columns, and what to store for them: first values and differences."""
    if not integers.shape[1]:
        return
    changes = np.diff(integers, axis=0)
    divisor = np.gcd.reduce(changes, axis=0) if len(changes) else np.zeros(integers.shape[1], dtype=np.int64)
    changes //= np.maximum(divisor, 1)
    twice = np.diff(changes, axis=0, prepend=0)
    steady = _cost(twice) < _cost(changes)
    for order, at in ((1, (~steady).nonzero()[0]), (2, steady.nonzero()[0])):
        zigzag = _zigzag((changes if order == 1 else twice)[:, at])
        widths = _widths(zigzag.max(axis=0, initial=0))
        for width in np.unique(widths).tolist():
            chosen = (widths == width).nonzero()[0]
            columns = at[chosen]
            yield order, width, columns, ([integers[0, columns], divisor[columns]], zigzag[:, chosen])


def _decode_integers(
    body: memoryview, exponent: int, order: int, width: int, rows: int, count: int
) -> tuple[FloatArray, memoryview]:
    first = np.frombuffer(body, dtype=np.int64, count=count)
    divisor = np.frombuffer(body, dtype=np.int64, count=count, offset=8 * count)
    zigzag, rest = _from_planes(body[16 * count :], width, rows - 1, count)
    integers = np.empty((rows, count), dtype=np.int64)
    integers[0] = first
    changes = integers[1:]
    changes[:] = (zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)
    if order == 2:
        np.cumsum(changes, axis=0, out=changes)
    changes *= divisor
    np.cumsum(integers, axis=0, out=integers)
    return _from_integers(integers, exponent), rest


def _from_integers(integers: IntArray, exponent: int) -> FloatArray:
    if exponent & 128:
        values: FloatArray = integers * np.float64(10.0 ** -(exponent & 127))
    else:
        values = integers / np.float64(10.0**exponent)
    return values


def _cost(changes: IntArray) -> FloatArray:
    cost: FloatArray = np.log2(np.abs(changes) + 1.0).sum(axis=0)
    return cost


def _zigzag(changes: IntArray) -> BitArray:
    return ((changes << 1) ^ (changes >> 63)).view(np.uint64)


# Bits.


def _decode_bits(body: memoryview, width: int, rows: int, count: int) -> tuple[FloatArray, memoryview]:
    changes, rest = _from_planes(body[8 * count :], width, rows - 1, count)
    bits = np.empty((rows, count), dtype=np.uint64)
    bits[0] = np.frombuffer(body, dtype=np.uint64, count=count)
    bits[1:] = changes
    np.bitwise_xor.accumulate(bits, axis=0, out=bits)
    return bits.view(np.float64), rest


def _widths(most: BitArray) -> NDArray[np.uint8]:
    """Return how many bytes numbers up to these need."""
    widths = np.zeros(len(most), dtype=np.uint8)
    for shift in range(0, 64, 8):
        widths += (most >> np.uint64(shift)) > 0
    return widths


def _planes(numbers: BitArray, width: int) -> bytes:
    """Return the low bytes of all numbers, then their second bytes, and so on; in each, column after column."""
    columns = np.ascontiguousarray(numbers.T, dtype="<u8")
    planes = columns.view(np.uint8).reshape(*columns.shape, 8)[:, :, :width]
    return planes.transpose(2, 0, 1).tobytes()


def _from_planes(data: memoryview, width: int, rows: int, count: int) -> tuple[BitArray, memoryview]:
    size = width * rows * count
    if len(data) < size:
        raise ValueError("columns are cut off")
    planes = np.frombuffer(data, dtype=np.uint8, count=size).reshape(width, count, rows)
    raw = np.zeros((rows, count, 8), dtype=np.uint8)
    raw[:, :, :width] = planes.transpose(2, 1, 0)
    return raw.view("<u8")[:, :, 0].astype(np.uint64, copy=False), data[size:]


# What is no finite number.


def _filled(values: FloatArray, special: BoolArray) -> FloatArray:
    """Return the values with the nearest plain one before in place of the special ones, or the first one after."""
    rows = np.arange(len(values))[:, np.newaxis]
    first = (~special).argmax(axis=0)
    source = np.maximum.accumulate(np.where(special, first, rows), axis=0)
    filled = np.take_along_axis(values, source, axis=0)
    filled[:, special.all(axis=0)] = 0.0
    return filled


def _specials(values: FloatArray, special: BoolArray) -> bytes:
    bits = np.ascontiguousarray(values).view(np.uint64)
    codes = np.full(values.shape, _OTHER, dtype=np.uint8)
    codes[~special], codes[bits == MISSING_BITS], codes[bits == STALE_BITS] = _PLAIN, _MISSING, _STALE
    by_column = np.ascontiguousarray(codes.T)
    others: BitArray = bits.T[by_column == _OTHER]
    return by_column.tobytes() + others.tobytes()


def _put_specials(bits: BitArray, data: memoryview) -> None:
    rows, count = bits.shape
    codes = np.frombuffer(data, dtype=np.uint8, count=rows * count).reshape(count, rows)
    others = np.frombuffer(data, dtype="<u8", offset=rows * count)
    bits.T[codes == _MISSING] = MISSING_BITS
    bits.T[codes == _STALE] = STALE_BITS
    bits.T[codes == _OTHER] = others
