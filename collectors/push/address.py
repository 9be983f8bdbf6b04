"""The grouping key in the address of a push: `job/JOB{/LABEL/VALUE}`, with `@base64` for values that hold slashes.

Source: the Pushgateway's README, "URL".
"""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import quote, unquote

from core.errors import UserError
from metrics.label import Labels, labels_of

_BASE64 = "@base64"
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def grouping_of(path: str) -> Labels:
    """Return the labels that a group of metrics is known by.

    Args:
        path: what follows `/metrics/` in the address, still quoted.
    Raises: UserError.
    """
    parts = path.removesuffix("/").split("/")
    if len(parts) % 2:
        raise UserError(f"the address has a label without a value: {path[:80]!r}; write job/JOB/LABEL/VALUE")
    pairs = [_pair(name, value) for name, value in zip(parts[::2], parts[1::2], strict=True)]
    (first, job), others = pairs[0], pairs[1:]
    if first != "job" or not job:
        raise UserError("the address names no job; write job/JOB")
    for name, _ in others:
        if not _NAME.fullmatch(name) or name.startswith("__"):
            raise UserError(f"{name[:40]!r} cannot be a label's name; use letters, digits and underscores")
    return labels_of({**dict(others), "job": job})


def source_of(grouping: Labels) -> str:
    """Return the name under which a group's samples are stored."""
    job = dict(grouping)["job"]
    others = [f"{name}={quote(value, safe='')}" for name, value in grouping if name != "job"]
    return "/".join(["push", quote(job, safe=""), *others])


def _pair(name: str, value: str) -> tuple[str, str]:
    name, value = unquote(name), unquote(value)
    return (name.removesuffix(_BASE64), _decoded(value)) if name.endswith(_BASE64) else (name, value)


def _decoded(value: str) -> str:
    """Return what a value in base64 for addresses stands for; a lone `=` is the empty value."""
    bare = value.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise UserError(f"{value[:40]!r} is no text in base64; use the alphabet for addresses (RFC 4648)") from error
