from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.http_probe.certificate import not_after


def element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def certificate(end: bytes, *, versioned: bool = True, issuer: bytes = b"x" * 300) -> bytes:
    validity = element(0x30, element(0x17, b"200101000000Z") + end)
    version = element(0xA0, element(0x02, b"\x02")) if versioned else b""
    fields = element(0x02, b"\x01") + element(0x30, b"") + element(0x30, element(0x04, issuer)) + validity
    return element(0x30, element(0x30, version + fields + element(0x30, b"")) + element(0x30, b""))


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (element(0x17, b"301231235959Z"), 1924991999.0),
        (element(0x17, b"700101000000Z"), 0.0),
        (element(0x18, b"20700101000000Z"), 3155760000.0),
    ],
)
@pytest.mark.parametrize("versioned", [True, False])
def test_end_of_validity_is_read_in_both_notations(end: bytes, expected: float, versioned: bool) -> None:
    assert not_after(certificate(end, versioned=versioned)) == expected


@given(st.binary(max_size=400))
def test_garbage_is_refused_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(ValueError):
        not_after(data)


@given(st.data())
def test_a_damaged_certificate_is_read_or_refused_and_nothing_worse(data: st.DataObject) -> None:
    whole = bytearray(certificate(element(0x17, b"301231235959Z"), issuer=b"y" * 20))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert isinstance(not_after(bytes(whole)), float)


def test_a_certificate_made_by_openssl_is_read() -> None:
    # openssl x509 -noout -enddate says: Nov 19 21:06:50 2036 GMT
    end = datetime(2036, 11, 19, 21, 6, 50, tzinfo=UTC)
    assert not_after(base64.b64decode(_MADE_ONCE)) == end.timestamp()


# openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -days 3650 -outform der
_MADE_ONCE = (
    "MIIBLDCB36ADAgECAhRA38XqjPct1zzl4uAA7d3ICT8C3jAFBgMrZXAwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjIyMTA2NTBaFw0z"
    "NjExMTkyMTA2NTBaMAwxCjAIBgNVBAMMAXgwKjAFBgMrZXADIQDQzfGWRIEmrr7lCmcuvH63M4JfcYPyhysJfgUcShZS06NTMFEw"
    "HQYDVR0OBBYEFI0k/IpHZwE/oMqVckqk5iZamos8MB8GA1UdIwQYMBaAFI0k/IpHZwE/oMqVckqk5iZamos8MA8GA1UdEwEB/wQF"
    "MAMBAf8wBQYDK2VwA0EAO5c7HhIouJM56fqbq4pTkyuqthy6sbwofpz8uLdkG/ioesTOyWn1Eh7VzvOz3X7qnVfHuoZq0L2IrQmY"
    "FGl8Ag=="
)
