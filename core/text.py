"""Text that YAML may take for something else: `shard: 0`, `argv: [sleep, 5]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # 1.10 and 1e3 have lost their spelling by now.
        message = f"is the number {value!r}; put quotes around it, so that it stays as it is written"
        raise ValueError(message)  # noqa: TRY004 - what pydantic expects of a validator
    return value


Text = Annotated[str, BeforeValidator(_text)]
"""A string; whole numbers and truth values are taken as they are written, as Prometheus does."""
