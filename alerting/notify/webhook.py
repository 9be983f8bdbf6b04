"""Posting a message to a webhook, once; what the answer means is decided here, trying again is the outbox's."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING

from alerting.notify.attempt import Attempt, Outcome, judge
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.payload import render_notice
from alerting.notify.receiver_config import WebhookSection, check_url
from alerting.notify.secret import SecretError, read_secret
from alerting.notify.signature import signed_headers
from core.clock import Clock
from core.errors import UserError
from core.version import __version__

if TYPE_CHECKING:
    import aiohttp

IDEMPOTENCY_HEADER = "Idempotency-Key"
_ANSWER_SHOWN_BYTES = 300


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

    def __init__(self, section: WebhookSection, base: Path, clock: Clock, index: int = 0) -> None:
        self.name = f"webhook/{index}"
        self.send_resolved = section.send_resolved
        self._section = section
        self._base = base
        self._clock = clock

    def render(self, notice: Notice) -> str:
        """Return the message in the very bytes of Alertmanager's."""
        return render_notice(notice, max_alerts=self._section.max_alerts)

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


def _reason(error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return reason if len(reason) <= _ANSWER_SHOWN_BYTES else reason[:_ANSWER_SHOWN_BYTES] + "…"
