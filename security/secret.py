"""Secrets from files and from systemd credentials: read at the edge, kept in a type that never prints itself."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from core.errors import UserError

__all__ = ["SecretStr", "read_credential", "read_secret_file"]

MAX_BYTES = 64 * 1024

_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,255}", re.ASCII)

_log = logging.getLogger(__name__)


def read_secret_file(path: Path, *, field: str = "") -> SecretStr:
    """Return the content of a file without its last line break.

    A file that every user of the machine may read is accepted, with a warning in the log.

    Args:
        field: the config key that named the file, for messages.
    Raises: UserError: it cannot be read, is empty, too large or no UTF-8 text.
    """
    place = f"{field}: {path}" if field else str(path)
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        remedy = "check the path and that the daemon's user may read it"
        raise UserError(f"{place}: cannot read the secret: {reason}; {remedy}") from error
    if mode & stat.S_IROTH:
        _log.warning("%s: every user may read this secret; run: chmod 600 %s", place, path)
    return SecretStr(_text(content, place))


def read_credential(name: str, *, environment: Mapping[str, str] | None = None) -> SecretStr:
    """Return a credential that systemd handed to this service (`LoadCredential=NAME:PATH`).

    Args:
        environment: where `CREDENTIALS_DIRECTORY` is looked up; the process's own by default.
    Raises: UserError: there is no such credential, or it is unusable.
    """
    variables = os.environ if environment is None else environment
    if not _CREDENTIAL_NAME.fullmatch(name) or name in (".", ".."):
        raise UserError(f"{name!r} is no name of a credential; use letters, digits and _ . @ - only")
    directory = variables.get("CREDENTIALS_DIRECTORY", "")
    if not directory:
        remedy = f"add LoadCredential={name}:/path/to/secret to the unit"
        raise UserError(f"credential {name!r}: systemd handed over none; {remedy}")
    return read_secret_file(Path(directory) / name, field=f"credential {name!r}")


def _text(content: bytes, place: str) -> str:
    if len(content) > MAX_BYTES:
        raise UserError(f"{place}: is larger than {MAX_BYTES // 1024} KiB, so it is no secret; check the path")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: is no UTF-8 text; write the secret as text, for example in base64") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise UserError(f"{place}: is empty; write the secret into it")
    return text
