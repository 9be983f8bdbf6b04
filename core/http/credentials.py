"""The Authorization header of a client, with secrets read from their files anew at each request."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from core.config import config_error
from core.errors import TransientError
from core.http.config import HttpClientConfig
from core.yaml_file import Path_


class CredentialsError(TransientError):
    """A secret's file cannot be used now."""


class Credentials:
    """Makes the header that a config asks for.

    Args:
        base: the folder that relative paths start from.
    """

    def __init__(self, config: HttpClientConfig, base: Path) -> None:
        self._config = config
        self._base = base

    def check(self, path: Path_) -> None:
        """Raise ConfigError where the secret cannot be read now; `path` leads to the config's section."""
        found = _secret_file(self._config)
        if found is None:
            return
        key, file = found
        try:
            (self._base / file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            remedy = "check the path and that the daemon's user may read it"
            raise config_error((*path, *key), f"cannot read {str(file)!r}: {why}; {remedy}") from error

    async def header(self) -> dict[str, str]:
        """Return the header, or nothing.

        Raises: CredentialsError: the secret's file cannot be read any more, or holds what no header may.
        """
        if _secret_file(self._config) is None:
            return _header(self._config, "")
        return await asyncio.to_thread(self.read)

    def read(self) -> dict[str, str]:
        """Do what `header` does; it reads a file, so it is for a thread.

        Raises: CredentialsError: as above.
        """
        found = _secret_file(self._config)
        if found is None:
            return _header(self._config, "")
        file = self._base / found[1]
        try:
            secret = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(f"cannot read {file}: {error}") from error
        if not secret.isprintable():
            raise CredentialsError(f"{file} holds more than one line or odd characters")
        return _header(self._config, secret)


def _secret_file(config: HttpClientConfig) -> tuple[Path_, Path] | None:
    if config.basic_auth is not None and config.basic_auth.password_file is not None:
        return ("basic_auth", "password_file"), config.basic_auth.password_file
    if config.authorization is not None and config.authorization.credentials_file is not None:
        return ("authorization", "credentials_file"), config.authorization.credentials_file
    if config.bearer_token_file is not None:
        return ("bearer_token_file",), config.bearer_token_file
    return None


def _header(config: HttpClientConfig, from_file: str) -> dict[str, str]:
    if config.basic_auth is not None:
        password = config.basic_auth.password.get_secret_value() if config.basic_auth.password else from_file
        pair = f"{config.basic_auth.username}:{password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    if config.authorization is not None:
        given = config.authorization.credentials
        return {"Authorization": f"{config.authorization.type} {given.get_secret_value() if given else from_file}"}
    if config.bearer_token is not None:
        return {"Authorization": f"Bearer {config.bearer_token.get_secret_value()}"}
    return {"Authorization": f"Bearer {from_file}"} if config.bearer_token_file is not None else {}
