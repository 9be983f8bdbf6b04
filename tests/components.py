"""Real programs that end-to-end tests start; `make components` installs them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_ELSEWHERE = ("/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/systemd")


def require(program: str) -> str:
    """Return the path of a program; without it, skip the test by name, or fail it where CI=true."""
    path = shutil.which(program) or shutil.which(program, path=os.pathsep.join(_ELSEWHERE))
    if path is not None:
        return str(Path(path))
    reason = f"needs the program {program!r}, which is not installed; run `make components`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
