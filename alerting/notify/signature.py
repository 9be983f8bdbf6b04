"""Signatures of webhook messages, so that a receiver can tell that they are ours and fresh. Pure.

Two headers come with each message of a receiver that has a `signing_secret_file`:

    X-Watchkeeper-Timestamp: Unix seconds at which it was sent
    X-Watchkeeper-Signature: sha256=HEX

where HEX is HMAC-SHA256 with the secret as key over the timestamp, a colon, and the body's bytes. A receiver computes
the same over what it got, compares in constant time, and refuses a timestamp that is more than five minutes off.
"""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP_HEADER = "X-Watchkeeper-Timestamp"
SIGNATURE_HEADER = "X-Watchkeeper-Signature"
MAX_AGE_SECONDS = 300


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """Return the value of the signature header."""
    digest = hmac.new(secret, f"{timestamp}:".encode() + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def signed_headers(secret: bytes, now: float, body: bytes) -> dict[str, str]:
    """Return both headers for a message that is sent at `now` (Unix seconds)."""
    timestamp = int(now)
    return {TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: sign(secret, timestamp, body)}


def verify(secret: bytes, timestamp: str, signature: str, body: bytes, now: float) -> bool:
    """Tell whether a message bears a right and fresh signature: what a receiver does."""
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > MAX_AGE_SECONDS:
        return False
    return hmac.compare_digest(sign(secret, int(timestamp), body), signature)
