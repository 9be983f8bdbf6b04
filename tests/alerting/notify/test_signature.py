"""Signatures: what a receiver can check."""

from __future__ import annotations

import hashlib
import hmac

from alerting.notify.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, signed_headers, verify

SECRET, BODY = b"secret", b'{"a":1}'


def test_the_signature_is_hmac_sha256_of_time_and_body() -> None:
    headers = signed_headers(SECRET, 1_700_000_000.9, BODY)
    expected = hmac.new(SECRET, b"1700000000:" + BODY, hashlib.sha256).hexdigest()
    assert headers == {TIMESTAMP_HEADER: "1700000000", SIGNATURE_HEADER: f"sha256={expected}"}


def test_a_receiver_sees_what_was_changed_replayed_or_signed_by_others() -> None:
    headers = signed_headers(SECRET, 1000, BODY)
    timestamp, signature = headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER]
    assert verify(SECRET, timestamp, signature, BODY, now=1200)
    assert not verify(SECRET, timestamp, signature, BODY + b" ", now=1200)
    assert not verify(b"other", timestamp, signature, BODY, now=1200)
    assert not verify(SECRET, "1001", signature, BODY, now=1200)
    assert not verify(SECRET, timestamp, signature, BODY, now=1301)
    assert not verify(SECRET, "-1", signature, BODY, now=0)
