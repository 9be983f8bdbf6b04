"""Keys of Prometheus' configuration that are not supported: refused by name, never ignored."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from core.unsupported import Unsupported

__all__ = ["NeverTrue", "Unsupported"]


def _refuse_true(value: object) -> object:
    if value in (None, False):
        return False
    raise ValueError("is not supported yet; set it to false, or keep a Prometheus in front for this job")


NeverTrue = Annotated[bool, BeforeValidator(_refuse_true)]
"""The type of such a key whose default is false."""
