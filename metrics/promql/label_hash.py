"""The hash of a label set by which limit_ratio chooses: the one of Prometheus' release builds.

Prometheus does not promise it, and its builds with other label stores have another; with this one, the same series are
chosen here and there. It is XXH64 (seed 0) over each name and value in order, each after its length: one byte, or 255
and three bytes, least first.
"""

from __future__ import annotations

import struct

from metrics.label import Labels

_MASK = 0xFFFFFFFFFFFFFFFF
_P1 = 0x9E3779B185EBCA87
_P2 = 0xC2B2AE3D27D4EB4F
_P3 = 0x165667B19E3779F9
_P4 = 0x85EBCA77C2B2AE63
_P5 = 0x27D4EB2F165667C5


def hash_labels(labels: Labels) -> int:
    """Return the hash of a label set, 0 to 2**64 - 1."""
    return xxh64(b"".join(_sized(text) for pair in labels for text in pair))


def xxh64(data: bytes) -> int:
    """Return the XXH64 hash with seed 0.

    Source: the xxHash specification, section "XXH64 algorithm description".
    """
    size = len(data)
    lanes = size // 32
    if lanes:
        state = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        for words in struct.iter_unpack("<4Q", data[: lanes * 32]):
            state = [_round(part, word) for part, word in zip(state, words, strict=True)]
        result = sum(map(_turn, state, (1, 7, 12, 18))) & _MASK
        for part in state:
            result = ((result ^ _round(0, part)) * _P1 + _P4) & _MASK
    else:
        result = _P5
    return _avalanche(_rest((result + size) & _MASK, data[lanes * 32 :]))


def _rest(result: int, data: bytes) -> int:
    words = len(data) // 8
    for (word,) in struct.iter_unpack("<Q", data[: words * 8]):
        result = (_turn(result ^ _round(0, word), 27) * _P1 + _P4) & _MASK
    data = data[words * 8 :]
    if len(data) >= 4:
        result = (_turn(result ^ (int.from_bytes(data[:4], "little") * _P1 & _MASK), 23) * _P2 + _P3) & _MASK
        data = data[4:]
    for byte in data:
        result = _turn(result ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    return result


def _avalanche(result: int) -> int:
    result = (result ^ result >> 33) * _P2 & _MASK
    result = (result ^ result >> 29) * _P3 & _MASK
    return result ^ result >> 32


def _round(state: int, word: int) -> int:
    return _turn((state + word * _P2) & _MASK, 31) * _P1 & _MASK


def _turn(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & _MASK


def _sized(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    return (bytes([size]) if size < 255 else b"\xff" + size.to_bytes(3, "little")) + data
