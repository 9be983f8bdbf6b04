"""A channel of a chat service that is reached by a webhook of its own: the address is its only secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from alerting.notify.address import SecretUrl
from alerting.notify.attempt import Attempt
from alerting.notify.global_config import move_to, one_of
from alerting.notify.http_config import HttpAddressSection
from alerting.notify.integration import HttpIntegration, Setting, unusable
from alerting.notify.message import Message
from alerting.notify.secret import SecretError, SecretSource
from alerting.notify.webhook import read_url
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp


class ChannelSection(HttpAddressSection):
    """A channel."""

    webhook_url: Annotated[SecretUrl | None, move_to("webhook_url_file")] = Field(
        None, description="The channel's webhook.", examples=["https://chat.example.com/webhooks/1/x"]
    )
    webhook_url_file: Path | None = Field(
        None, description="A file that holds the channel's webhook.", examples=["secrets/channel"]
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        one_of(self, ("webhook_url", "webhook_url_file"))
        if self.webhook_url is None and self.webhook_url_file is None:
            raise ValueError("does not say where to post to; give 'webhook_url_file'")
        return self


class Channel(HttpIntegration):
    """Posts a JSON document to a channel's webhook."""

    def __init__(self, section: ChannelSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._webhook = SecretSource(section.webhook_url, section.webhook_url_file)

    def _own_files(self) -> Mapping[str, Path | None]:
        return {"webhook_url_file": self._webhook.file}

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Post the message once."""
        try:
            url = await asyncio.to_thread(read_url, self._webhook, self._setting.base)
        except SecretError as error:
            return unusable(error)
        return await self._post(session, url, json.loads(message.body))
