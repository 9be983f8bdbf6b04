"""file_sd: targets in JSON and YAML files, read again when they change."""

from __future__ import annotations

import asyncio
import glob
import json
import os
from collections.abc import Iterable
from pathlib import Path

from collectors.discovery.config import FileSdConfig
from collectors.discovery.discovery import Discovered
from collectors.discovery.group import DiscoveryError, TargetGroup, groups_from
from core.errors import ConfigError
from core.yaml_file import MAX_BYTES, parse_yaml

POLL_SECONDS = 5.0
"""How often files are looked at, though not read: where Prometheus is woken by the kernel, we look often enough."""

_State = tuple[int, int, int]


class FileProvider:
    """Finds the targets in the files of one entry.

    Args:
        base: the folder that relative paths start from.

    Attributes:
        mistakes, missing: what the last look could not read, and patterns for which it found no file.
    """

    def __init__(self, name: str, config: FileSdConfig, base: Path) -> None:
        self.name = name
        self.signature: object = ("file_sd", config, base)
        self.refresh_seconds = min(config.refresh_interval, POLL_SECONDS)
        self._patterns = [str(base / file) for file in config.files]
        self._known: dict[str, tuple[_State, list[TargetGroup], str]] = {}
        self.mistakes: list[str] = []
        self.missing: list[str] = []

    async def refresh(self) -> Discovered:
        """Read the files that have changed; one that cannot be used keeps its last targets."""
        return await asyncio.to_thread(self.look)

    def look(self) -> Discovered:
        """Read the files that have changed; for a thread."""
        self.missing = []
        before, self._known = self._known, {}
        for pattern in self._patterns:
            paths = sorted(glob.glob(pattern))  # noqa: PTH207 - absolute patterns too
            if not paths:
                self.missing.append(f"{pattern}: there is no such file")
            for path in paths:
                if path not in self._known:
                    self._known[path] = _read(path, before.get(path))
        self.mistakes = [f"{path}: {problem}" for path, (_, _, problem) in self._known.items() if problem]
        groups = (group for _, found, _ in self._known.values() for group in found)
        return Discovered(tuple(groups), "; ".join([*self.missing, *self.mistakes]))

    async def close(self) -> None:
        """Nothing is held open."""


def _read(path: str, before: tuple[_State, list[TargetGroup], str] | None) -> tuple[_State, list[TargetGroup], str]:
    last = before[1] if before is not None else []
    state: _State = (0, 0, 0)
    try:
        # The state is that of the file before it is read: what is written meanwhile is read the next time.
        status = os.stat(path)  # noqa: PTH116 - a plain path is at hand
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        if before is not None and before[0] == state:
            return before
        return state, read_groups(Path(path)), ""
    except OSError as error:
        return state, last, f"cannot read: {error.strerror}"
    except DiscoveryError as error:
        return state, last, str(error)


def read_groups(file: Path) -> list[TargetGroup]:
    """Return the groups in a file.

    Raises: DiscoveryError: it is not of the right form. OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DiscoveryError(f"is larger than {MAX_BYTES // 1024 // 1024} MiB; split it")
    return groups_from(_data(content, file), {"__meta_filepath": str(file)})


def _data(content: bytes, file: Path) -> object:
    if file.suffix.lower() == ".json":
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DiscoveryError(f"is no JSON: {error}") from None
    try:
        data: object = parse_yaml(content, file.name).data
    except ConfigError as error:
        raise DiscoveryError(_one_line(str(problem) for problem in error.problems)) from None
    return data or []


def _one_line(lines: Iterable[str]) -> str:
    return "; ".join(" ".join(line.split()) for line in lines)
