"""Discord: a message with one embed, to a channel's webhook."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from alerting.notify.attempt import MAX_RETRY_AFTER_SECONDS, Attempt, Outcome
from alerting.notify.channel import Channel, ChannelSection
from alerting.notify.fact import facts, links
from alerting.notify.http_client import Reply
from alerting.notify.integration import Setting, Texts, given
from alerting.notify.length import cut
from alerting.notify.notice import Notice
from alerting.template.escape import escape_discord
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    pass

# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
CONTENT_CHARACTERS = 2000
TITLE_CHARACTERS = 256
DESCRIPTION_CHARACTERS = 4096
EMBED_CHARACTERS = 6000
FIELDS, FIELD_CHARACTERS = 25, 1024
USERNAME_CHARACTERS = 80
DEFAULT_MESSAGE = '{{ template "discord.default.message" . }}'
_RED, _GREEN = 0x992D22, 0x2ECC71


class DiscordSection(ChannelSection):
    """A Discord channel. Texts are templates."""

    title: Text = Field('{{ template "discord.default.title" . }}', description="The title.", examples=["Shop"])
    message: Text = Field(
        DEFAULT_MESSAGE,
        description="The text.",
        examples=["{{ .CommonAnnotations.summary }}"],
    )
    content: Text = Field("", description="Text above, which can mention people.", examples=["<@&1234>"])
    username: Text = Field("", description="The sender.", examples=["Watch"])
    avatar_url: Text = Field("", description="The sender's picture.", examples=["https://example.org/i.png"])


class Discord(Channel):
    """Posts embeds."""

    kind = "discord"

    def __init__(self, section: DiscordSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        section, marked = self._section, texts.escaping(escape_discord)
        title = cut(marked.text(section.title), TITLE_CHARACTERS)
        # The usual text says all of it already.
        fields = [] if section.message == DEFAULT_MESSAGE else _fields(notice)
        taken = len(title) + sum(len(field["name"]) + len(field["value"]) for field in fields)
        if taken > EMBED_CHARACTERS // 2:
            fields, taken = [], len(title)
        room = min(DESCRIPTION_CHARACTERS, EMBED_CHARACTERS - taken)
        embed = {
            "title": title,
            "description": cut(marked.text(section.message), room),
            "color": _RED if notice.status == "firing" else _GREEN,
            **given({"url": next((address for label, address in links(notice) if label == "Console"), "")}),
            "fields": fields,
        }
        head = {
            "content": cut(marked.text(section.content), CONTENT_CHARACTERS),
            "username": cut(texts.quiet(section.username), USERNAME_CHARACTERS),
            "avatar_url": texts.quiet(section.avatar_url),
        }
        return {**given(head), "embeds": [embed]}

    def _judge(self, reply: Reply) -> Attempt:
        """Discord says in the body, to the millisecond, how long to wait."""
        attempt = super()._judge(reply)
        if attempt.outcome is not Outcome.RETRY:
            return attempt
        try:
            pause = float(json.loads(reply.body)["retry_after"])
        except (ValueError, KeyError, TypeError):
            return attempt
        return replace(attempt, retry_after=min(max(0.0, pause), MAX_RETRY_AFTER_SECONDS))


def _fields(notice: Notice) -> list[dict[str, Any]]:
    fields = [{"name": name, "value": cut(escape_discord(text), FIELD_CHARACTERS)} for name, text in facts(notice)]
    opened = " · ".join(f"[{label}]({address})" for label, address in links(notice))
    if opened and len(opened) <= FIELD_CHARACTERS:
        fields.append({"name": "Links", "value": opened})
    return fields[:FIELDS]
