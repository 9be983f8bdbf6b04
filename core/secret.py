"""Secrets that stand in a config file: usable, and never shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, SecretStr

HIDDEN = "<secret>"


class Secret(SecretStr):
    """A text that shows as `<secret>` wherever it is printed, logged or dumped."""

    def __str__(self) -> str:
        return HIDDEN

    def __repr__(self) -> str:
        return HIDDEN


def _text(value: object) -> object:
    """Take numbers as the text that they were; say of nothing else what it is, as a mistake's message would."""
    if value is None or isinstance(value, str | SecretStr):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("is no text; put it in quotes")


SecretText = Annotated[
    Secret, BeforeValidator(_text), PlainSerializer(lambda _: HIDDEN, return_type=str, when_used="json-unless-none")
]
"""The type of a config key that holds a secret itself."""


def plain(secret: SecretStr | None) -> str:
    """Return what a secret holds; empty for none."""
    return secret.get_secret_value() if secret is not None else ""


def scrub(text: str, *secrets: str) -> str:
    """Return a text without these secrets in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text
