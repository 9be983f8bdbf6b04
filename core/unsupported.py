"""Keys that Prometheus knows and we do not yet: refused by name, never ignored."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def _refuse(value: object) -> object:
    if value is None:
        return None
    raise ValueError("is not supported yet; remove it, or keep a Prometheus in front for this job")


Unsupported = Annotated[None, BeforeValidator(_refuse)]
"""The type of such a key."""
