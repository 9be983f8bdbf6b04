"""Addresses and refusals in the sections of receivers: what needs none of the sections themselves."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from core.secret import SecretText


def refusal(why: str) -> BeforeValidator:
    """Return the validator of a key that is known and refused, with the reason and what to do."""

    def refuse(value: object) -> None:
        if value is not None:
            raise ValueError(why)

    return BeforeValidator(refuse)


def check_url(url: str) -> str:
    """Return an address that a message can be posted to.

    Raises: ValueError: it is none.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in ("http", "https") or not separator or not rest.partition("/")[0] or any(c.isspace() for c in url):
        raise ValueError("is no http:// or https:// address; write it in full, such as http://127.0.0.1:9009/alerts")
    return url


def _check_secret_url(secret: Any) -> Any:
    check_url(secret.get_secret_value())
    return secret


Url = Annotated[str, AfterValidator(check_url)]
"""An address that is no secret."""

SecretUrl = Annotated[SecretText, AfterValidator(_check_secret_url)]
"""An address that is a secret itself: who knows it can post there."""
