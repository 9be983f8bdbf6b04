"""Sizes as Prometheus writes them: `64MB`, `512KiB`; both kinds of unit count in steps of 1024, as there."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_SIZE = re.compile(r"(\d+)\s*(B|[KMGT]i?B)", re.ASCII)
_POWERS = {"B": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is no size; write a number and a unit, such as 512KB or 64MB")
        return int(match[1]) * 1024 ** _POWERS[match[2][0]]
    if isinstance(value, bool | int | float) and value != 0:
        raise ValueError(f"{value!r} has no unit; write a size such as 512KB or 64MB")
    return value


ByteSize = Annotated[int, BeforeValidator(_size)]
"""Bytes; in a file, a number with a unit."""
