"""Asks one address and judges the answer. A failed probe is a reading too: `probe_success` is 0, `up` stays 1."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from collectors.collector import CollectError, Readings
from collectors.http.body import read_beginning
from collectors.http.credentials import Credentials
from collectors.http.reason import RequestError, explain
from collectors.http.session import SharedSession, ThreadResolver, make_session
from collectors.http_probe.certificate import not_after
from collectors.http_probe.config import Expectation, HttpProbeConfig
from collectors.http_probe.timing import Timing, current_timing, trace_config
from collectors.readings import Batch, Pairs, ReadingsBuilder
from core.clock import Clock
from metrics.frame import Family, MetricType

BODY_BYTES = 1 << 20
"""How much of a body is kept for the expressions that look into it."""

GRACE_SECONDS = 1.0
"""How much later than the probe's own timeout the manager cuts it off."""


def _gauge(name: str, help_text: str) -> Family:
    return Family(f"probe_{name}", MetricType.GAUGE, help_text)


SUCCESS = _gauge("success", "1 when the answer was as expected.")
DURATION = _gauge("duration_seconds", "How long the probe took.")
LOOKUP = _gauge("dns_lookup_time_seconds", "How long the first look-up of the name took.")
PHASE = _gauge("http_duration_seconds", "Duration by phase, redirects summed up.")
STATUS = _gauge("http_status_code", "Status of the last answer; 0 when none came.")
LENGTH = _gauge("http_content_length", "Length that the answer declared; -1 when it did not.")
BODY_LENGTH = _gauge("http_uncompressed_body_length", "Length of the body, decompressed.")
REDIRECTS = _gauge("http_redirects", "How many redirects were followed.")
SSL = _gauge("http_ssl", "1 when the last address was an https one.")
VERSION = _gauge("http_version", "HTTP version of the answer.")
REGEX = _gauge("failed_due_to_regex", "1 when the body was not as expected.")
IP = _gauge("ip_protocol", "4 or 6; 0 when there was no connection.")
EXPIRY = _gauge("ssl_earliest_cert_expiry", "When the first of the certificates ends, in Unix seconds.")
TLS_VERSION = _gauge("tls_version_info", "The version of TLS; the value is 1.")


@dataclass(slots=True)
class Answer:
    """What came of a request."""

    status: int = 0
    declared_length: int = -1
    body_length: int = 0
    redirects: int = 0
    is_https: bool = False
    version: float = 0.0
    regex_failed: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, made from the config once."""

    config: HttpProbeConfig
    credentials: Credentials
    base: Path
    tls: ssl.SSLContext
    patterns: tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None] = field(default=(None, None))


class HttpProbe:
    """A collector that asks one address."""

    honor_labels = True  # its series carry the labels of the config themselves, for /metrics
    exported = True

    def __init__(
        self,
        request: Request,
        clock: Clock,
        *,
        interval_seconds: float,
        timeout_seconds: float,
        target_labels: Mapping[str, str],
        signature: object,
    ) -> None:
        config = request.config
        self.source = f"http_probe/{config.name}"
        self.interval_seconds = interval_seconds
        self.timeout_seconds = timeout_seconds + GRACE_SECONDS
        self.target_labels = target_labels
        self.signature = signature
        self.url = config.url
        self._request = request
        self._clock = clock
        self._patience_seconds = timeout_seconds
        self._labels: Pairs = (("probe", config.name), *config.labels.items())
        self._session = SharedSession(self._make_session)
        self._builder = ReadingsBuilder()

    async def collect(self) -> Readings:
        """Ask once; every connection is new, so that the time to connect is measured each time."""
        timing, answer = Timing(self._clock), Answer()
        begin = self._clock.monotonic()
        current_timing.set(timing)
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._ask(timing, answer)
        except TimeoutError:
            answer.problem = f"timeout: not done within {self._patience_seconds:g} s"
        except CollectError as error:
            answer.problem = str(error)
        batch = self._batch(timing, answer, self._clock.monotonic() - begin)
        return self._builder.build(batch, problem=answer.problem)

    async def close(self) -> None:
        """Release connections."""
        await self._session.release(self)

    def _make_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=ThreadResolver(),
            force_close=True,
            use_dns_cache=False,
            ssl=self._request.tls,
            socket_factory=_make_socket,
        )
        return make_session(connector, trace_configs=[trace_config()])

    async def _ask(self, timing: Timing, answer: Answer) -> None:
        config = self._request.config
        headers = {**config.headers, **await self._request.credentials.header()}
        body = await self._body()
        session = self._session.use(self)
        try:
            async with session.request(
                config.method,
                config.url,
                headers=headers,
                data=body,
                server_hostname=config.tls_config.server_name,
                allow_redirects=config.follow_redirects and config.max_redirects > 0,
                max_redirects=config.max_redirects + 1,
            ) as response:
                await self._read(response, timing, answer)
        except RequestError as error:
            raise explain(error) from error

    async def _body(self) -> bytes | None:
        config = self._request.config
        if config.body_file is None:
            return None if config.body is None else config.body.encode()
        try:
            return await asyncio.to_thread((self._request.base / config.body_file).read_bytes)
        except OSError as error:
            raise CollectError(f"cannot read {config.body_file}: {error.strerror}") from error

    async def _read(self, response: aiohttp.ClientResponse, timing: Timing, answer: Answer) -> None:
        answer.status = response.status
        answer.declared_length = -1 if response.content_length is None else response.content_length
        answer.redirects = len(response.history)
        answer.is_https = response.url.scheme == "https"
        if response.version is not None:
            answer.version = float(f"{response.version.major}.{response.version.minor}")
        timing.mark()
        beginning, answer.body_length = await read_beginning(response, BODY_BYTES)
        timing.add("transfer")
        judge(answer, beginning, self._request.config.expect, self._request.patterns)

    def _batch(self, timing: Timing, answer: Answer, duration_seconds: float) -> Batch:
        batch, labels = Batch(), self._labels
        batch.add(SUCCESS, float(not answer.problem), labels)
        batch.add(DURATION, duration_seconds, labels)
        batch.add(LOOKUP, timing.lookup_seconds or 0.0, labels)
        for phase, seconds in timing.seconds.items():
            batch.add(PHASE, seconds, (*labels, ("phase", phase)))
        batch.add(STATUS, answer.status, labels)
        batch.add(LENGTH, answer.declared_length, labels)
        batch.add(BODY_LENGTH, answer.body_length, labels)
        batch.add(REDIRECTS, answer.redirects, labels)
        batch.add(SSL, float(answer.is_https), labels)
        batch.add(VERSION, answer.version, labels)
        batch.add(REGEX, float(answer.regex_failed), labels)
        batch.add(IP, {None: 0, False: 4, True: 6}[timing.peer_is_ipv6], labels)
        add_certificate(batch, timing.tls, labels)
        return batch


def judge(
    answer: Answer,
    body: bytes,
    expect: Expectation,
    patterns: tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None],
) -> None:
    """Note in the answer what is not as expected; the first thing that is wrong is named."""
    wanted, unwanted = patterns
    missing = wanted is not None and not wanted.search(body)
    answer.regex_failed = missing or (unwanted is not None and bool(unwanted.search(body)))
    good_status = answer.status in expect.status if expect.status else 200 <= answer.status < 300
    if not good_status:
        answer.problem = f"HTTP {answer.status}"
    elif expect.tls is not None and expect.tls is not answer.is_https:
        answer.problem = "the last address is https" if answer.is_https else "the last address is not https"
    elif answer.regex_failed:
        answer.problem = "the body lacks what is expected" if missing else "the body has what is not expected"


def add_certificate(batch: Batch, tls: ssl.SSLObject | None, labels: Pairs) -> None:
    """Add version and expiry of a TLS connection; nothing where the handshake has failed."""
    version = tls.version() if tls is not None else None
    if tls is None or version is None:
        return
    batch.add(TLS_VERSION, 1.0, (*labels, ("version", version.replace("TLSv", "TLS "))))
    ends = []
    for der in peer_certificates(tls):
        try:
            ends.append(not_after(der))
        except ValueError:
            continue  # an odd certificate of the chain says nothing about the others
    if ends:
        batch.add(EXPIRY, min(ends), labels)


def peer_certificates(tls: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that the server showed, its own first; before Python 3.13 only its own."""
    chain: Any = getattr(tls, "get_unverified_chain", None)
    if chain is not None:
        return list(chain())
    own = tls.getpeercert(binary_form=True)
    return [own] if own else []


def _make_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make the socket for an address, and note of which kind it is; the one that connects is made last."""
    family, kind, protocol = address[:3]
    timing = current_timing.get(None)
    if timing is not None:
        timing.peer_is_ipv6 = family == socket.AF_INET6
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    return made
