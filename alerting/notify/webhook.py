"""Posting a message to a webhook, once; what the answer means is decided here, trying again is the outbox's."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from alerting.config import WebhookSection, check_url
from alerting.notify.message import Message
from alerting.notify.signature import signed_headers
from core.clock import Clock
from core.errors import UserError
from core.version import __version__

if TYPE_CHECKING:
    import aiohttp

IDEMPOTENCY_HEADER = "Idempotency-Key"
MAX_SECRET_BYTES = 65_536
MAX_RETRY_AFTER_SECONDS = 3600.0
_ANSWER_SHOWN_BYTES = 300


class Outcome(Enum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    """The receiver will not take this message, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver a message; `retry_after` in seconds where the receiver asked for a pause."""

    outcome: Outcome
    detail: str = ""
    retry_after: float = 0.0


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


def secret_files(webhook: WebhookSection) -> list[tuple[str, Path]]:
    """Return the files that a webhook reads, each with its path in the section."""
    http = webhook.http_config
    files = [
        ("url_file", webhook.url_file),
        ("signing_secret_file", webhook.signing_secret_file),
        ("http_config.basic_auth.password_file", http.basic_auth.password_file if http.basic_auth else None),
        (
            "http_config.authorization.credentials_file",
            http.authorization.credentials_file if http.authorization else None,
        ),
    ]
    return [(path, file) for path, file in files if file is not None]


class Webhook:
    """One address of a receiver.

    Args:
        base: the folder that relative paths start from.
    """

    def __init__(self, section: WebhookSection, base: Path, clock: Clock) -> None:
        self._section = section
        self._base = base
        self._clock = clock

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Post a message and return what became of it; raises nothing that can be expected."""
        import aiohttp  # noqa: PLC0415 - a client is only needed where a receiver is

        body = message.body.encode()
        try:
            # Secrets are read anew each time, so that a rotated one needs no reload.
            url, headers = await asyncio.to_thread(self._prepare, body)
        except (UserError, ValueError) as error:
            return Attempt(Outcome.RETRY, str(error))
        headers[IDEMPOTENCY_HEADER] = message.key
        timeout = aiohttp.ClientTimeout(total=self._section.timeout)
        try:
            async with session.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                answer = await response.content.read(_ANSWER_SHOWN_BYTES)
                return judge(response.status, response.headers, answer, self._clock.now())
        except TimeoutError:
            return Attempt(Outcome.RETRY, f"no answer within {self._section.timeout:g} s")
        except aiohttp.InvalidURL:  # whose text would show an address that may be a secret
            return Attempt(Outcome.RETRY, "the address is not valid; correct it")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Attempt(Outcome.RETRY, _reason(error))

    def _prepare(self, body: bytes) -> tuple[str, dict[str, str]]:
        section, http = self._section, self._section.http_config
        headers = {"Content-Type": "application/json", "User-Agent": f"watchkeeper/{__version__}"}
        if http.basic_auth is not None:
            password = read_secret(self._base / http.basic_auth.password_file)
            pair = f"{http.basic_auth.username}:{password}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        elif http.authorization is not None:
            token = read_secret(self._base / http.authorization.credentials_file)
            headers["Authorization"] = f"{http.authorization.type} {token}"
        if section.signing_secret_file is not None:
            secret = read_secret(self._base / section.signing_secret_file)
            headers |= signed_headers(secret.encode(), self._clock.now(), body)
        if section.url is not None:
            return section.url, headers
        assert section.url_file is not None
        file = self._base / section.url_file
        try:
            return check_url(read_secret(file)), headers
        except ValueError as error:
            raise SecretError(f"{file}: {error}") from None


def judge(status: int, headers: Mapping[str, str], answer: bytes, now: float) -> Attempt:
    """Return what an answer means: 2xx delivered; 408, 429 and 5xx try again; anything else is a refusal."""
    if 200 <= status < 300:
        return Attempt(Outcome.DELIVERED, f"status {status}")
    text = " ".join(answer.decode(errors="replace").split())
    detail = f"status {status}" + (f": {text}" if text else "")
    if status in (408, 429) or status >= 500:
        return Attempt(Outcome.RETRY, detail, retry_after_seconds(headers.get("Retry-After", ""), now))
    return Attempt(Outcome.REJECTED, detail)


def retry_after_seconds(value: str, now: float) -> float:
    """Return the pause that a Retry-After header asks for, at most an hour; 0 where it asks for none."""
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return min(max(0.0, moment.timestamp() - now), MAX_RETRY_AFTER_SECONDS)


def _reason(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return reason if len(reason) <= _ANSWER_SHOWN_BYTES else reason[:_ANSWER_SHOWN_BYTES] + "…"
