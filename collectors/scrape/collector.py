"""Scrapes one target."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from collectors.collector import CollectError, Readings
from collectors.http.body import read_body
from collectors.http.credentials import Credentials
from collectors.http.reason import RequestError, explain
from collectors.http.session import SharedSession
from collectors.scrape.config import ScrapeConfig
from metrics.exposition import ExpositionError, Limits, Parsed, parse

_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
# A body of this size takes some 10 ms when its layout is new.
_THREAD_FROM_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class ScrapeClient:
    """What the targets of a job share."""

    config: ScrapeConfig
    session: SharedSession
    credentials: Credentials
    tls: ssl.SSLContext | bool


class ScrapeCollector:
    """Reads the metrics of one target; not exported, because they are the target's own."""

    exported = False

    def __init__(
        self,
        source: str,
        url: URL,
        client: ScrapeClient,
        *,
        interval_seconds: float,
        timeout_seconds: float,
        target_labels: Mapping[str, str],
        signature: object,
    ) -> None:
        self.source = source
        self.interval_seconds = interval_seconds
        self.timeout_seconds = timeout_seconds
        self.target_labels = target_labels
        self.honor_labels = client.config.honor_labels
        self.signature = signature
        self.url = url
        self._client = client
        self._headers = {
            "Accept": _ACCEPT,
            "Accept-Encoding": "gzip" if client.config.enable_compression else "identity",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{timeout_seconds:g}",
        }
        self._limits = _limits(client.config)
        self._parsed: Parsed | None = None

    async def collect(self) -> Readings:
        """Ask the target and read its answer."""
        body, content_type = await self._fetch()
        parsed = await self._parse(body, content_type)
        times = parsed.timestamps_ms if self._client.config.honor_timestamps else None
        return Readings(parsed.layout, parsed.values, parsed.families, times)

    async def close(self) -> None:
        """Release the connection."""
        await self._client.session.release(self)

    async def _fetch(self) -> tuple[bytes, str]:
        config = self._client.config
        headers = self._headers | await self._client.credentials.header()
        try:
            async with self._client.session.use(self).get(
                self.url,
                headers=headers,
                ssl=self._client.tls,
                server_hostname=config.tls_config.server_name,
                allow_redirects=config.follow_redirects,
            ) as response:
                if response.status != 200:
                    raise CollectError(f"HTTP {response.status} {response.reason}".strip(), reason="status")
                body = await read_body(response, config.body_size_limit)
                return body, response.headers.get("Content-Type", "")
        except RequestError as error:
            raise explain(error) from error

    async def _parse(self, body: bytes, content_type: str) -> Parsed:
        try:
            if len(body) < _THREAD_FROM_BYTES:
                parsed = parse(body, content_type, self._parsed, self._limits)
            else:
                parsed = await asyncio.to_thread(parse, body, content_type, self._parsed, self._limits)
        except ExpositionError as error:
            raise CollectError(str(error), reason="parse") from error
        self._parsed = parsed
        return parsed


def _limits(config: ScrapeConfig) -> Limits:
    return Limits(
        samples=config.sample_limit,
        labels=config.label_limit,
        label_name_length=config.label_name_length_limit,
        label_value_length=config.label_value_length_limit,
    )
