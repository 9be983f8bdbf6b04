"""Signed links of notifications: who has one may acknowledge one incident, once, until it expires, not signed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from core.errors import ForbiddenError, WatchkeeperError

PATH = "/act/"
"""What the links' addresses begin with, after the daemon's own."""

KEY_BYTES = 32
_PURPOSE = b"watchkeeper incident link 1\0"
_MAX_TOKEN = 1000


class LinkKeyError(WatchkeeperError):
    """The key that signs links cannot be used; the message says what to do."""


class LinkExpiredError(ForbiddenError):
    """The link was genuine, and is too old."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a link lets its holder do.

    Attributes:
        action: only `acknowledge`, so far.
        person: whom it was sent to; empty where that is not one person.
        nonce: makes it unlike any other link.
    """

    action: str
    incident: int
    person: str
    expires_at: float
    nonce: str


class LinkSigner:
    """Makes and reads tokens.

    Args:
        key: secret bytes; who knows them can make links.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, action: str, incident: int, person: str, expires_at: float) -> str:
        """Return a new token, of letters that need no escape in an address."""
        fields = [action, incident, person, round(expires_at), secrets.token_urlsafe(9)]
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        return f"{_text(body)}.{_text(self._mac(body))}"

    def read(self, token: str, now: float) -> Claim:
        """Return what a token lets its holder do.

        Raises:
            LinkExpiredError: its time is over.
            ForbiddenError: it was not made here, or is damaged.
        """
        body_text, _, mac_text = token.partition(".")
        body, mac = _bytes(body_text[:_MAX_TOKEN]), _bytes(mac_text[:_MAX_TOKEN])
        if not body or len(token) > _MAX_TOKEN or not hmac.compare_digest(mac, self._mac(body)):
            raise ForbiddenError("this link is damaged or not from here; open it from the message once more")
        action, incident, person, expires_at, nonce = json.loads(body)
        if now >= expires_at:
            raise LinkExpiredError("this link is too old; use the console or a newer message")
        return Claim(action, incident, person, expires_at, nonce)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + body, hashlib.sha256)[:24]


def load_or_make_key(file: Path) -> bytes:
    """Return the key in a file; where there is no file, make one that only its owner can read.

    Raises: LinkKeyError.
    """
    try:
        if not file.exists():
            _make_key(file)
        key = file.read_bytes()
    except OSError as error:
        raise LinkKeyError(f"{file}: the key for links cannot be used: {error.strerror}; check who owns it") from error
    if len(key) != KEY_BYTES:
        remedy = "remove it and restart, then a new one is made and older links end"
        raise LinkKeyError(f"{file}: has {len(key)} bytes, not {KEY_BYTES}; {remedy}")
    return key


def _make_key(file: Path) -> None:
    """Make the file with its content at once: a crash in between must not leave half a key."""
    draft = file.with_name(f".{file.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(file)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
