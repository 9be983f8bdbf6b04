"""Backends as JSON: what the control socket takes, and what a restarted router serves again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from actions.deployment.instances.record import write_atomically
from actions.deployment.traffic.address import split_address
from actions.deployment.traffic.router import Backend
from core.errors import UserError

_MOST_WEIGHT = 1_000_000


def to_json(backends: Sequence[Backend]) -> list[dict[str, Any]]:
    """Return backends as JSON values."""
    return [asdict(backend) for backend in backends]


def parse(body: bytes) -> tuple[Backend, ...]:
    """Return the backends of a JSON document `{"backends": [{"id", "address", "weight", "revision"}]}`.

    Raises: UserError: it is something else; names the backend and the field.
    """
    try:
        entries = json.loads(body)["backends"]
        backends = tuple(_backend(entry) for entry in entries)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f'backends: expected {{"backends": [...]}} in JSON: {error!r}') from None
    ids = [backend.id for backend in backends]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UserError(f"backends: id {twice[0]!r} is given twice; ids must differ")
    return backends


def load(path: Path) -> tuple[Backend, ...]:
    """Return the saved backends; none where the file is missing.

    Raises: UserError: the file is broken.
    """
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        return ()


def save(path: Path, backends: Sequence[Backend]) -> None:
    """Replace the saved backends; they are on the disk when this returns."""
    write_atomically(path, json.dumps({"backends": to_json(backends)}).encode())


def _backend(entry: dict[str, Any]) -> Backend:
    backend = Backend(entry["id"], entry["address"], entry["weight"], entry["revision"])
    for name in ("id", "address", "revision"):
        if not isinstance(getattr(backend, name), str):
            raise UserError(f"backends: {name} is {getattr(backend, name)!r}; give text")
    if type(backend.weight) is not int or not 0 <= backend.weight <= _MOST_WEIGHT:
        raise UserError(f"backends: weight of {backend.id!r} is {backend.weight!r}; give 0 to {_MOST_WEIGHT}")
    split_address(backend.address)
    return backend
