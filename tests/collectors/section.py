"""Validated sections for tests; making a validator takes up to 30 ms, so each is made once."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from collectors.collector import CollectorPlugin


def validated(plugin: CollectorPlugin | type[CollectorPlugin], config: object) -> Any:
    """Return a section of a plugin from plain data."""
    return adapter_of(plugin if isinstance(plugin, type) else type(plugin)).validate_python(config)


@cache
def adapter_of(plugin: type[CollectorPlugin]) -> TypeAdapter[Any]:
    return TypeAdapter(plugin().config_type)
