"""Posts requests to one receiver."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Protocol

import aiohttp

from core.clock import Clock
from core.http.credentials import Credentials, CredentialsError
from core.http.tls import is_default, make_context
from core.version import __version__
from core.yaml_file import Path_
from exporters.remote_write.answer import Answer, Verdict, judge
from exporters.remote_write.config import RemoteWriteConfig

_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": f"watchkeeper/{__version__}",
}
_FAILURES = (aiohttp.ClientError, OSError, UnicodeError)
_READ_BYTES = 1024


class Poster(Protocol):
    """Something that takes requests to a receiver."""

    async def post(self, body: bytes) -> Answer:
        """Send a request and return what the receiver said, or why it said nothing."""

    async def close(self) -> None:
        """Release connections."""


class Client:
    """Implements Poster over HTTP.

    Args:
        base: the folder that relative paths start from.
        path: leads to the receiver's section in the config file, for its mistakes.
    Raises: ConfigError: a secret or certificate cannot be read.
    """

    def __init__(self, config: RemoteWriteConfig, base: Path, clock: Clock, path: Path_ = ()) -> None:
        self._config = config
        self._clock = clock
        self._credentials = Credentials(config, base)
        self._credentials.check(path)
        self._tls: ssl.SSLContext | None = None
        if not is_default(config.tls_config):
            self._tls = make_context(config.tls_config, base, (*path, "tls_config"), ssl.SSLContext)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes) -> Answer:
        """Send a request and return what the receiver said, or why it said nothing."""
        try:
            headers = {**self._config.headers, **await self._credentials.header()}
            async with asyncio.timeout(self._config.remote_timeout):
                return await self._post(body, headers)
        except TimeoutError:
            return Answer(Verdict.RETRY, 0, f"no answer within {self._config.remote_timeout:g} s")
        except CredentialsError as error:
            return Answer(Verdict.RETRY, 0, str(error))
        except _FAILURES as error:
            return Answer(Verdict.RETRY, 0, " ".join(str(error).split())[:200] or type(error).__name__)

    async def close(self) -> None:
        """Release connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, body: bytes, headers: dict[str, str]) -> Answer:
        if self._session is None:
            self._session = self._make_session()
        async with self._session.post(
            self._config.url,
            data=body,
            headers=headers,
            server_hostname=self._config.tls_config.server_name,
            allow_redirects=self._config.follow_redirects,
        ) as response:
            text = await response.content.read(_READ_BYTES)
            retry_after = response.headers.get("Retry-After", "")
            return judge(response.status, text.decode("utf-8", "replace"), retry_after, self._clock.now())

    def _make_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=True if self._tls is None else self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers=_HEADERS,
        )
