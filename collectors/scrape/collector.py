"""Scrapes one target."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.collector import CollectError, Readings
from collectors.http.body import read_body
from collectors.http.credentials import Credentials
from collectors.http.reason import RequestError, explain
from collectors.http.session import SharedSession
from collectors.scrape.config import ScrapeConfig
from collectors.scrape.target import Target
from collectors.selection import Selection
from metrics.exposition import ExpositionError, Limits, Parsed, parse

_MEDIA_TYPES = {
    "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
    "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
    "PrometheusText1.0.0": "text/plain;version=1.0.0",
    "PrometheusText0.0.4": "text/plain;version=0.0.4",
}

# A body of this size takes some 10 ms when its layout is new.
_THREAD_FROM_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class ScrapeClient:
    """What the targets of a job share.

    Attributes:
        selection: which of their series are kept.
    """

    config: ScrapeConfig
    selection: Selection
    session: SharedSession
    credentials: Credentials
    tls: ssl.SSLContext | bool


class ScrapeCollector:
    """Reads the metrics of one target; not exported, because they are the target's own.

    Args:
        refusal: why it may not be asked; empty where it may.
    """

    exported = False

    def __init__(
        self, source: str, target: Target, client: ScrapeClient, *, signature: object, refusal: str = ""
    ) -> None:
        self.source = source
        self.interval_seconds = target.interval_seconds
        self.timeout_seconds = target.timeout_seconds
        self.target_labels: Mapping[str, str] = target.labels
        self.honor_labels = client.config.honor_labels
        self.selection = client.selection
        self.signature = signature
        self.url = target.url
        self.discovered = target.discovered
        self._refusal = refusal or target.fault
        self._client = client
        self._headers = {
            "Accept": _accept(client.config.scrape_protocols),
            "Accept-Encoding": "gzip" if client.config.enable_compression else "identity",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{target.timeout_seconds:g}",
        }
        self._limits = _limits(client)
        self._parsed: Parsed | None = None
        self._is_reading = False

    async def collect(self) -> Readings:
        """Ask the target and read its answer."""
        if self._refusal:
            raise CollectError(self._refusal, reason="target")
        body, content_type = await self._fetch()
        parsed = await self._parse(body, content_type)
        times = parsed.timestamps_ms if self._client.config.honor_timestamps else None
        return Readings(parsed.layout, parsed.values, parsed.families, times)

    async def close(self) -> None:
        """Release the connection."""
        await self._client.session.release(self)

    async def _fetch(self) -> tuple[bytes, str]:
        assert self.url is not None  # a target without an address has a refusal
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
                return self._read(body, content_type)
            if self._is_reading:
                message = "the answer before is still being read; give the target a longer interval and timeout"
                raise CollectError(message, reason="timeout")
            self._is_reading = True
            return await self._read_in_thread(body, content_type)
        except ExpositionError as error:
            raise CollectError(str(error), reason="parse") from error

    async def _read_in_thread(self, body: bytes, content_type: str) -> Parsed:
        begun = threading.Event()

        def read() -> Parsed:
            begun.set()
            return self._read(body, content_type)

        try:
            return await asyncio.to_thread(read)
        except asyncio.CancelledError:
            if not begun.is_set():  # it waited for a thread, and no thread will take it any more
                self._is_reading = False
            raise

    def _read(self, body: bytes, content_type: str) -> Parsed:
        """Read an answer and remember its layout, also where nobody waits for it any more.

        The first answer of 100,000 series takes longer than a timeout of a second may be; if that were forgotten, every
        answer would be the first.
        """
        try:
            self._parsed = parsed = parse(body, content_type, self._parsed, self._limits)
            return parsed
        finally:
            self._is_reading = False


def _limits(client: ScrapeClient) -> Limits:
    """Return the limits that count before relabelling: a body that is too large anyway need not be read whole."""
    return Limits(samples=0 if client.selection.rules else client.selection.samples)


def _accept(protocols: Sequence[str]) -> str:
    """Return the header that asks for these formats, best first, and for anything rather than nothing."""
    types = [_MEDIA_TYPES[protocol] for protocol in protocols if protocol in _MEDIA_TYPES]
    weights = [f"{1 - 0.1 * number:.1f}" for number in range(1, len(types))]
    return ",".join([types[0], *(f"{kind};q={q}" for kind, q in zip(types[1:], weights, strict=True)), "*/*;q=0.1"])
