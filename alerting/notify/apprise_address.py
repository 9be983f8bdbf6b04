"""Any service that Apprise knows, by its address there. Needs the extra `apprise`.

Apprise sends in threads of this process and can't be interrupted; a send that takes too long is given up on here and
ends there by Apprise's own time limits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.fact import facts, links
from alerting.notify.global_config import move_to, one_of
from alerting.notify.http_client import DEFAULT_TIMEOUT_SECONDS
from alerting.notify.integration import BaseIntegration, Setting, Texts, plain_subject, unusable
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.receiver_config import AddressSection
from alerting.notify.secret import SecretError, SecretSource
from core.config import Duration
from core.secret import SecretText
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

REMEDY = "install it with: pip install 'watchkeeper[apprise]'"
DEFAULT_MESSAGE = '{{ template "apprise.default.body" . }}'
SLOW_SECONDS = 3 * DEFAULT_TIMEOUT_SECONDS


class AppriseSection(AddressSection):
    """An address as Apprise writes it. Texts are templates."""

    url: Annotated[SecretText | None, move_to("url_file")] = Field(
        None, description="The address, as Apprise's documentation writes it.", examples=["pover://user@token"]
    )
    url_file: Path | None = Field(None, description="A file that holds the address.", examples=["secrets/pushover"])
    title: Text = Field('{{ template "apprise.default.title" . }}', description="The title.", examples=["Shop"])
    message: Text = Field(
        DEFAULT_MESSAGE,
        description="The text.",
        examples=["{{ .CommonAnnotations.summary }}"],
    )
    timeout: Duration = Field(
        0.0, ge=0, le=300, description="How long sending may take; 0s for the usual 30s.", examples=["10s"]
    )

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        one_of(self, ("url", "url_file"))
        if self.url is None and self.url_file is None:
            raise ValueError("does not say where to send to; give 'url_file'")
        return self


class AppriseAddress(BaseIntegration):
    """Sends by Apprise."""

    kind = "apprise"

    def __init__(self, section: AppriseSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section
        self._url = SecretSource(section.url, section.url_file)

    def missing(self) -> str:
        """Return what lacks: the package, or a meaning of the address."""
        try:
            import apprise  # noqa: PLC0415 - 50 MB, and an extra
        except ImportError:
            return f"needs the package apprise; {REMEDY}"
        try:
            url = self._url.read(self._setting.base)
        except SecretError:
            return ""  # told with the other files
        known = apprise.Apprise.instantiate(url, suppress_exceptions=True) is not None
        return "" if known else "is no address that Apprise knows; correct it, see Apprise's documentation"

    def secret_files(self) -> list[tuple[Path_, Path]]:
        """Return the file with the address."""
        file = self._section.url_file
        return [] if file is None else [(("url_file",), self._setting.base / file)]

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        lines = [texts.text(self._section.message).strip()]
        if self._section.message != DEFAULT_MESSAGE:  # which says all of it already
            lines += [f"{name}: {text}" for name, text in (*facts(notice), *links(notice))]
        kind = "success" if notice.status == "resolved" else "failure"
        return {
            "title": " ".join(texts.text(self._section.title).split()) or plain_subject(notice),
            "body": "\n".join(line for line in lines if line),
            "type": "info" if notice.why == "test" else kind,
        }

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Send once."""
        seconds = self._section.timeout or SLOW_SECONDS
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.to_thread(self._send, json.loads(message.body))
        except TimeoutError:
            return Attempt(Outcome.RETRY, f"Apprise was not done within {seconds:g} s")
        except SecretError as error:
            return unusable(error)

    def _send(self, document: Mapping[str, str]) -> Attempt:
        try:
            import apprise  # noqa: PLC0415 - 50 MB, and an extra
        except ImportError:
            return Attempt(Outcome.RETRY, f"the package apprise is not installed; {REMEDY}")
        service = apprise.Apprise()
        if not service.add(self._url.read(self._setting.base)):
            return Attempt(Outcome.RETRY, "is no address that Apprise knows; correct it")
        kind = apprise.NotifyType(document["type"])
        if service.notify(body=document["body"], title=document["title"], notify_type=kind):
            return Attempt(Outcome.DELIVERED, "Apprise has delivered it")
        # What Apprise logs of the failure can hold the address with its secrets.
        return Attempt(Outcome.RETRY, "Apprise could not deliver it; try the address with its own command for more")
