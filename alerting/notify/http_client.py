"""Posting to the address of a receiver, once; what the answer means is decided by whoever posts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.http_config import HttpConfigSection
from alerting.notify.secret import read_secret
from core.errors import UserError, WatchkeeperError
from core.http.credentials import Credentials
from core.http.tls import is_default, make_context
from core.secret import plain, scrub
from core.version import __version__
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

DEFAULT_TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 16_384
MAX_REDIRECTS = 5
_SHOWN_CHARACTERS = 300
_KEEPS_THE_BODY = (307, 308)
"""The redirects that a message survives: any other would turn it into a GET without it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Makes requests as a receiver's `http_config` says.

    Args:
        base: the folder that relative paths start from.
        path: leads to the address's section in the config file, for its mistakes.
    Raises: ConfigError: a certificate cannot be used.
    """

    def __init__(self, config: HttpConfigSection | None, base: Path, path: Path_, timeout_seconds: float = 0.0) -> None:
        self._config = config if config is not None else HttpConfigSection()
        self._base = base
        self._timeout_seconds = timeout_seconds or DEFAULT_TIMEOUT_SECONDS
        self._credentials = Credentials(self._config, base)
        self._tls: ssl.SSLContext | bool = True
        if not is_default(self._config.tls_config):
            self._tls = make_context(
                self._config.tls_config, base, (*path, "http_config", "tls_config"), ssl.SSLContext
            )

    async def request(
        self,
        session: aiohttp.ClientSession,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        secrets: tuple[str, ...] = (),
    ) -> Reply | Attempt:
        """Send a request and return the answer, or the attempt that it came to where there is none.

        Args:
            secrets: what must not show in the attempt.
        """
        import aiohttp  # noqa: PLC0415 - a client is only needed where a receiver is

        try:
            # Secrets are read anew each time, so that a rotated one needs no reload.
            own = await asyncio.to_thread(self._headers)
        except (UserError, WatchkeeperError) as error:
            return Attempt(Outcome.RETRY, str(error))
        everything = {"Content-Type": "application/json", "User-Agent": f"watchkeeper/{__version__}"}
        everything |= own | dict(headers or {})
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._follow(session, method, url, body, everything)
        except TimeoutError:
            return Attempt(Outcome.RETRY, f"no answer within {self._timeout_seconds:g} s")
        except aiohttp.InvalidURL:  # whose text would show an address that may be a secret
            return Attempt(Outcome.RETRY, "the address is not valid; correct it")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Attempt(Outcome.RETRY, shortened(scrub(str(error) or type(error).__name__, url, *secrets)))

    async def _follow(
        self, session: aiohttp.ClientSession, method: str, url: str, body: bytes, headers: dict[str, str]
    ) -> Reply:
        for _ in range(MAX_REDIRECTS):
            reply = await self._send(session, method, url, body, headers)
            target = reply.headers.get("Location", "")
            if reply.status not in _KEEPS_THE_BODY or not self._config.follow_redirects or not target:
                return reply
            there = urljoin(url, target)
            if urlsplit(there)[:2] != urlsplit(url)[:2]:
                # Credentials are for the host that they were given for.
                headers = {name: headers[name] for name in ("Content-Type", "User-Agent") if name in headers}
            url = there
        return reply

    async def _send(
        self, session: aiohttp.ClientSession, method: str, url: str, body: bytes, headers: dict[str, str]
    ) -> Reply:
        async with session.request(
            method,
            url,
            data=BytesIO(body),  # which aiohttp sends in parts, however long it is
            headers=headers,
            ssl=self._tls,
            server_hostname=self._config.tls_config.server_name,
            proxy=self._config.proxy_url,
            allow_redirects=False,
        ) as response:
            return Reply(response.status, response.headers.copy(), await _read(response.content))

    def _headers(self) -> dict[str, str]:
        headers = {}
        for name, section in self._config.http_headers.items():
            values = [*section.values, *map(plain, section.secrets)]
            values += [read_secret(self._base / file) for file in section.files]
            headers[name] = ", ".join(values)
        return headers | self._credentials.read()

    def secret_files(self) -> list[tuple[Path_, Path]]:
        """Return the files with secrets that it reads, each with its path in the address's section."""
        config = self._config
        files: list[tuple[Path_, Path | None]] = [
            (("basic_auth", "password_file"), config.basic_auth.password_file if config.basic_auth else None),
            (
                ("authorization", "credentials_file"),
                config.authorization.credentials_file if config.authorization else None,
            ),
            (("bearer_token_file",), config.bearer_token_file),
        ]
        files += [
            (("http_headers", name, "files", index), file)
            for name, section in config.http_headers.items()
            for index, file in enumerate(section.files)
        ]
        return [(("http_config", *path), self._base / file) for path, file in files if file is not None]


async def _read(stream: aiohttp.StreamReader) -> bytes:
    content = b""
    while len(content) < MAX_ANSWER_BYTES and (chunk := await stream.read(MAX_ANSWER_BYTES - len(content))):
        content += chunk
    return content


def shortened(text: str, limit: int = _SHOWN_CHARACTERS) -> str:
    """Return a text on one line, cut to what people read."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
