"""The webhook of Alertmanager: its message, version 4, posted to an address."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from alerting.notify.address import SecretUrl, check_url
from alerting.notify.attempt import Attempt
from alerting.notify.http_config import HttpAddressSection
from alerting.notify.integration import HttpIntegration, Setting, unusable
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.payload import render_notice
from alerting.notify.secret import SecretError, SecretSource, read_secret
from alerting.notify.signature import signed_headers
from core.secret import plain
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

IDEMPOTENCY_HEADER = "Idempotency-Key"


class WebhookSection(HttpAddressSection):
    """An address that gets notifications as Alertmanager sends them (payload version 4)."""

    url: SecretUrl | None = Field(None, description="Where to post to.", examples=["http://127.0.0.1:9009/alerts"])
    url_file: Path | None = Field(
        None, description="A file that holds the address, where that is a secret.", examples=["secrets/webhook-url"]
    )
    max_alerts: int = Field(0, ge=0, description="The most alerts in one message; 0 for all.", examples=[100])
    signing_secret_file: Path | None = Field(
        None,
        description="A file with the secret that signs each message (HMAC-SHA256); see docs on webhooks.",
        examples=["secrets/webhook-signing"],
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give exactly one of 'url' and 'url_file'")
        return self


class Webhook(HttpIntegration):
    """Posts the message as it is."""

    kind = "webhook"

    def __init__(self, section: WebhookSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section
        self._url = SecretSource(section.url, section.url_file)

    def render(self, notice: Notice) -> str:
        """Return the message in the very bytes of Alertmanager's."""
        return render_notice(notice, max_alerts=self._section.max_alerts)

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Post the message once."""
        body = message.body.encode()
        try:
            url, headers = await asyncio.to_thread(self._prepare, body)
        except (SecretError, ValueError) as error:
            return unusable(error)
        headers[IDEMPOTENCY_HEADER] = message.key
        reply = await self._http.request(session, url, body, headers=headers)
        return reply if isinstance(reply, Attempt) else self._judge(reply)

    def _own_files(self) -> Mapping[str, Path | None]:
        return {"url_file": self._section.url_file, "signing_secret_file": self._section.signing_secret_file}

    def _prepare(self, body: bytes) -> tuple[str, dict[str, str]]:
        section, base = self._section, self._setting.base
        headers = {}
        if section.signing_secret_file is not None:
            secret = read_secret(base / section.signing_secret_file)
            headers = signed_headers(secret.encode(), self._setting.clock.now(), body)
        return read_url(self._url, base), headers


def read_url(source: SecretSource, base: Path) -> str:
    """Return the address that a source holds; it may read a file, so it is for a thread.

    Raises: SecretError: it cannot be read, or is no address.
    """
    if source.file is None:
        return plain(source.inline)
    try:
        return check_url(source.read(base))
    except ValueError as error:
        raise SecretError(f"{base / source.file}: {error}") from None
