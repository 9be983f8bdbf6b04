"""Small files that hold a secret."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError

MAX_SECRET_BYTES = 65_536


class SecretError(UserError):
    """A file with a secret or an address cannot be used; the message names the file, never its content."""


def read_secret(file: Path) -> str:
    """Return the content of a small file without the white space around it.

    Raises: SecretError: it cannot be read, is empty or is too large.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{file}: cannot read: {error.strerror}; check that the daemon's user may read it") from None
    if len(content) > MAX_SECRET_BYTES:
        raise SecretError(f"{file}: is larger than {MAX_SECRET_BYTES} bytes; name the right file")
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        raise SecretError(f"{file}: is not UTF-8 text; name the right file") from None
    if not secret:
        raise SecretError(f"{file}: is empty; write the secret into it")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in secret):
        raise SecretError(f"{file}: holds more than one line or control characters; keep the secret on one line")
    return secret
