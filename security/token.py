"""The access token: how a client presents it and how it is compared."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True, repr=False)
class Presented:
    """What a client showed. `user` is the name it gave itself with HTTP Basic; nobody has checked it."""

    secret: str
    user: str


def presented(authorization: str) -> Presented | None:
    """Read an Authorization header: `Bearer TOKEN`, or `Basic` with any user and the token as password.

    Returns: None when it is absent, of another scheme or malformed.
    """
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer" and rest:
        return Presented(rest, "")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
    except ValueError:  # no ASCII, no base64, or no UTF-8
        return None
    return Presented(password, user) if colon else None


class Token:
    """The one secret that opens the API; keeps only its digest."""

    def __init__(self, secret: SecretStr) -> None:
        self._digest = _digest(secret.get_secret_value())

    def matches(self, candidate: str) -> bool:
        """Tell whether `candidate` is the token, in time that does not depend on how much of it is right."""
        return hmac.compare_digest(self._digest, _digest(candidate))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
