"""Archives for tests, good and evil."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

_MODES: dict[str, Literal["w", "w:gz", "w:xz"]] = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz"}


def tar(path: Path, files: Mapping[str, bytes], *, executable: Collection[str] = ()) -> Path:
    members = []
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755 if name in executable else 0o644
        members.append((info, content))
    return tar_of(path, members)


def tar_of(path: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, _MODES.get(path.suffix, "w")) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def regular(name: str, content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def zip_(path: Path, files: Mapping[str, bytes], *, executable: Collection[str] = ()) -> Path:
    return zip_of(
        path, [(name, stat.S_IFREG | (0o755 if name in executable else 0o644), files[name]) for name in files]
    )


def zip_of(path: Path, members: Sequence[tuple[str, int, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path
