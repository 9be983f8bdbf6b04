"""Small files that hold a secret, and secrets that stand in the config file itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.secret import Secret, plain

MAX_SECRET_BYTES = 65_536


class SecretError(UserError):
    """A file with a secret or an address cannot be used; the message names the file, never its content."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret comes from: the config itself, or a file that is read anew at each use."""

    inline: Secret | None
    file: Path | None

    @property
    def is_given(self) -> bool:
        """Whether there is one at all."""
        return self.inline is not None or self.file is not None

    def read(self, base: Path) -> str:
        """Return the secret, empty where none is given; it reads a file, so it is for a thread.

        Raises: SecretError: the file cannot be used.
        """
        return read_secret(base / self.file) if self.file is not None else plain(self.inline)


def source(*candidates: tuple[Secret | None, Path | None]) -> SecretSource:
    """Return the first secret that is given, its own before the defaults."""
    for inline, file in candidates:
        if inline is not None or file is not None:
            return SecretSource(inline, file)
    return SecretSource(None, None)


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
