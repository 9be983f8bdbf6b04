"""http_sd: targets that a server tells in JSON."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from pathlib import Path

from collectors.collector import CollectError
from collectors.discovery.config import HttpSdConfig
from collectors.discovery.discovery import Discovered
from collectors.discovery.group import DiscoveryError, groups_from
from collectors.http.body import read_body
from collectors.http.credentials import Credentials
from collectors.http.reason import RequestError, explain
from collectors.http.session import SharedSession
from collectors.http.tls import file_states, is_default, make_context
from core.yaml_file import Path_

MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 60.0
_CONTENT_TYPE = re.compile(r'application/json(;\s*charset=("utf-8"|utf-8))?', re.IGNORECASE)


class HttpProvider:
    """Asks one server.

    Args:
        base: the folder that relative paths start from.
        path: leads to the entry in the config file.
    Raises: ConfigError: a secret or certificate cannot be read.
    """

    def __init__(self, name: str, config: HttpSdConfig, base: Path, session: SharedSession, path: Path_) -> None:
        self.name = name
        self.signature: object = ("http_sd", config, base, file_states(config.tls_config, base))
        self.refresh_seconds = config.refresh_interval
        self._config = config
        self._session = session
        self._credentials = Credentials(config, base)
        self._credentials.check(path)
        self._tls: ssl.SSLContext | bool = True
        if not is_default(config.tls_config):
            self._tls = make_context(config.tls_config, base, (*path, "tls_config"), ssl.SSLContext)

    async def refresh(self) -> Discovered:
        """Ask once."""
        limit = min(self.refresh_seconds, MAX_SECONDS)
        try:
            async with asyncio.timeout(limit):
                body = await self._ask()
        except TimeoutError:
            raise DiscoveryError(f"{self._config.url}: no answer within {limit:g} s") from None
        except CollectError as error:
            raise DiscoveryError(f"{self._config.url}: {error}") from error
        try:
            data = await asyncio.to_thread(json.loads, body)
        except (ValueError, RecursionError) as error:
            raise DiscoveryError(f"{self._config.url}: the answer is no JSON: {error}") from None
        return Discovered(tuple(groups_from(data, {"__meta_url": self._config.url})))

    async def close(self) -> None:
        """Release the connection."""
        await self._session.release(self)

    async def _ask(self) -> bytes:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "X-Prometheus-Refresh-Interval-Seconds": f"{self.refresh_seconds:g}",
        }
        headers |= await self._credentials.header()
        try:
            async with self._session.use(self).get(
                self._config.url,
                headers=headers,
                ssl=self._tls,
                server_hostname=self._config.tls_config.server_name,
                allow_redirects=self._config.follow_redirects,
            ) as response:
                if response.status != 200:
                    raise CollectError(f"HTTP {response.status} {response.reason}".strip(), reason="status")
                kind = response.headers.get("Content-Type", "").strip()
                if not _CONTENT_TYPE.fullmatch(kind):
                    raise CollectError(f"content type is {kind[:80]!r}; it must be application/json", reason="parse")
                return await read_body(response, MAX_BYTES)
        except RequestError as error:
            raise explain(error) from error
