"""When a certificate ends, read from its DER bytes.

Python's ssl tells this only of certificates that it has verified, and a probe may be told not to verify.
"""

from __future__ import annotations

from datetime import UTC, datetime

_SEQUENCE, _EXPLICIT_VERSION = 0x30, 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18


def not_after(der: bytes) -> float:
    """Return the end of a certificate's validity in Unix seconds.

    Raises: ValueError: the bytes are no certificate.
    Source: RFC 5280, section 4.1.
    """
    certificate, _ = _expect(der, _SEQUENCE)
    to_be_signed, _ = _expect(certificate, _SEQUENCE)
    tag, _, rest = _element(to_be_signed)
    if tag == _EXPLICIT_VERSION:
        _, _, rest = _element(rest)  # the serial number follows
    for _ in ("signature algorithm", "issuer"):
        _, _, rest = _element(rest)
    validity, _ = _expect(rest, _SEQUENCE)
    _, _, rest = _element(validity)
    tag, content, _ = _element(rest)
    return _time(tag, content)


def _time(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits for the year; 50 and above are of the last century.
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"unexpected tag {tag:#x} for a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _expect(data: bytes, tag: int) -> tuple[bytes, bytes]:
    found, content, rest = _element(data)
    if found != tag:
        raise ValueError(f"expected tag {tag:#x}, found {found:#x}")
    return content, rest


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first element, and what follows it."""
    if len(data) < 2:
        raise ValueError("ends too early")
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        start += count
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("ends too early")
    return tag, data[start : start + length], data[start + length :]
