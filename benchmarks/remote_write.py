"""Samples as Prometheus' remote write takes them (version 0.1.0): protobuf by hand, snappy without compression."""

from __future__ import annotations

import struct
import urllib.request
from collections.abc import Iterable, Mapping

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
    body = _snappy(b"".join(_field(1, _series(labels, samples)) for labels, samples in series if samples))
    request = urllib.request.Request(f"{url}/api/v1/write", body, HEADERS)
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def _series(labels: Labels, samples: Mapping[int, bytes]) -> bytes:
    pairs = b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels)
    points = b"".join(_field(2, b"\x09" + value + b"\x10" + _varint(at)) for at, value in sorted(samples.items()))
    return pairs + points


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
