"""Samples as Prometheus' remote write takes them (version 0.1.0): protobuf by hand, snappy without compression."""

from __future__ import annotations

import struct
import urllib.request
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from metrics.frame import FloatArray, TimeArray
from metrics.label import Labels

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def write(url: str, series: Iterable[tuple[Labels, Mapping[int, bytes]]]) -> None:
    """Send samples, each eight bytes with the least first by its Unix milliseconds, to a server's receiver.

    Later calls may not go back in time.
    """
    _send(url, (_field(1, _series(labels, samples)) for labels, samples in series if samples))


def write_columns(url: str, series: Sequence[Labels], times_ms: TimeArray, values: FloatArray) -> None:
    """Send a matrix of samples, shape (times, series), without looking at each by itself."""
    suffixes = [b"\x10" + _varint(at) for at in times_ms.tolist()]
    size = 9 + len(suffixes[0])
    points = np.empty((len(series), len(times_ms), 2 + size), dtype=np.uint8)
    points[:, :, :3] = np.frombuffer(bytes([0x12, size, 0x09]), dtype=np.uint8)
    points[:, :, 3:11] = np.ascontiguousarray(values.T).astype("<f8")[:, :, np.newaxis].view(np.uint8)
    points[:, :, 11:] = np.array([list(suffix) for suffix in suffixes], dtype=np.uint8)
    _send(url, (_field(1, _labels(labels) + rows.tobytes()) for labels, rows in zip(series, points, strict=True)))


def _send(url: str, fields: Iterable[bytes]) -> None:
    body = _snappy(b"".join(fields))
    request = urllib.request.Request(f"{url}/api/v1/write", body, HEADERS)
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def _series(labels: Labels, samples: Mapping[int, bytes]) -> bytes:
    points = b"".join(_field(2, b"\x09" + value + b"\x10" + _varint(at)) for at, value in sorted(samples.items()))
    return _labels(labels) + points


def _labels(labels: Labels) -> bytes:
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels)


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _snappy(body: bytes) -> bytes:
    """Return a body in snappy's block format, all of it literals."""
    chunks = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    return _varint(len(body)) + b"".join(b"\xf4" + struct.pack("<H", len(chunk) - 1) + chunk for chunk in chunks)
