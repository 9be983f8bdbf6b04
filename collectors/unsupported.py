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


def _refuse_true(value: object) -> object:
    if value in (None, False):
        return False
    raise ValueError("is not supported yet; set it to false, or keep a Prometheus in front for this job")


NeverTrue = Annotated[bool, BeforeValidator(_refuse_true)]
"""The type of such a key whose default is false."""
