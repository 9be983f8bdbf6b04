"""Telegram: a message of a bot to a chat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from html import escape as escape_html
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from alerting.notify.address import Url
from alerting.notify.attempt import MAX_RETRY_AFTER_SECONDS, Attempt, Outcome
from alerting.notify.fact import facts, links
from alerting.notify.global_config import move_to, one_of
from alerting.notify.http_client import Reply
from alerting.notify.http_config import HttpAddressSection
from alerting.notify.integration import Escape, HttpIntegration, Setting, Texts, plain_subject, unusable
from alerting.notify.length import cut, cut_html
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.secret import SecretError, source
from alerting.template.escape import escape_telegram, escape_telegram_v2
from core.secret import SecretText, scrub
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

# https://core.telegram.org/bots/api#sendmessage
TEXT_CHARACTERS = 4096
DEFAULT_MESSAGE = '{{ template "telegram.default.message" . }}'
_ESCAPES: Mapping[str, Escape] = {"HTML": escape_html, "Markdown": escape_telegram, "MarkdownV2": escape_telegram_v2}


class TelegramSection(HttpAddressSection):
    """A Telegram chat. Texts are templates."""

    api_url: Url | None = Field(
        None, description="Telegram's API; that of `global` if absent.", examples=["https://api.telegram.org"]
    )
    bot_token: Annotated[SecretText | None, move_to("bot_token_file")] = Field(
        None, description="The bot's token; that of `global` if absent.", examples=["secret"]
    )
    bot_token_file: Path | None = Field(
        None, description="A file that holds the bot's token.", examples=["secrets/telegram"]
    )
    chat_id: int | None = Field(None, description="The chat.", examples=[-1001234567890])
    chat_id_file: Path | None = Field(None, description="A file that holds the chat's id.", examples=["secrets/chat"])
    message_thread_id: int | None = Field(None, description="The topic in the chat.", examples=[7])
    message: Text = Field(DEFAULT_MESSAGE, description="The text.", examples=["{{ .CommonAnnotations.summary }}"])
    disable_notifications: bool = Field(False, description="Whether it arrives without a sound.", examples=[True])
    parse_mode: Literal["MarkdownV2", "Markdown", "HTML", ""] = Field(
        "HTML", description="The markup of the text; empty for none.", examples=["MarkdownV2"]
    )

    @field_validator("chat_id")
    @classmethod
    def _some_chat(cls, chat: int | None) -> int | None:
        if chat == 0:
            raise ValueError("is 0, which is no chat; give the chat's id")
        return chat

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        one_of(self, ("bot_token", "bot_token_file"), ("chat_id", "chat_id_file"))
        if self.chat_id is None and self.chat_id_file is None:
            raise ValueError("does not say which chat; give 'chat_id'")
        return self


class Telegram(HttpIntegration):
    """Sends messages."""

    kind = "telegram"

    def __init__(self, section: TelegramSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section
        defaults = setting.defaults
        self._token = source(
            (section.bot_token, section.bot_token_file), (defaults.telegram_bot_token, defaults.telegram_bot_token_file)
        )

    def missing(self) -> str:
        """Return what lacks."""
        return "" if self._token.is_given else "has no token; give 'bot_token_file'"

    def _own_files(self) -> Mapping[str, Path | None]:
        return {"bot_token_file": self._section.bot_token_file, "chat_id_file": self._section.chat_id_file}

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        section = self._section
        mode = section.parse_mode
        # The usual text says all of it already.
        extra = "" if section.message == DEFAULT_MESSAGE else _extra(notice, mode)
        room = TEXT_CHARACTERS - len(extra)
        text = _text(section.message, texts, mode) or _plain(plain_subject(notice), mode)
        text = cut_html(text, room) if mode == "HTML" else cut(text, room)
        document: dict[str, Any] = {
            "text": text + extra,
            "disable_notification": section.disable_notifications,
            "disable_web_page_preview": True,
        }
        if mode:
            document["parse_mode"] = mode
        if section.message_thread_id is not None:
            document["message_thread_id"] = section.message_thread_id
        return document

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Send the message once; the bot's token is part of the address."""
        try:
            token, chat = await asyncio.to_thread(self._prepare)
        except SecretError as error:
            return unusable(error)
        base = (self._section.api_url or self._setting.defaults.telegram_api_url).rstrip("/")
        document = {"chat_id": chat, **json.loads(message.body)}
        attempt = await self._post(session, f"{base}/bot{token}/sendMessage", document, secrets=(token,))
        return replace(attempt, detail=scrub(attempt.detail, token))

    def _prepare(self) -> tuple[str, int | str]:
        section, base = self._section, self._setting.base
        chat: int | str | None = section.chat_id
        if chat is None:
            assert section.chat_id_file is not None
            chat = source((None, section.chat_id_file)).read(base)
        return self._token.read(base), chat

    def _judge(self, reply: Reply) -> Attempt:
        """Telegram says in the body how long to wait."""
        attempt = super()._judge(reply)
        if attempt.outcome is not Outcome.RETRY:
            return attempt
        try:
            pause = float(json.loads(reply.body)["parameters"]["retry_after"])
        except (ValueError, KeyError, TypeError):
            return attempt
        return replace(attempt, retry_after=min(max(0.0, pause), MAX_RETRY_AFTER_SECONDS))


def _text(message: str, texts: Texts, mode: str) -> str:
    if mode == "HTML":
        return texts.html(message)
    if message == DEFAULT_MESSAGE:  # what stands in it is for HTML
        return _plain(texts.text(message), mode)
    return texts.escaping(_ESCAPES.get(mode)).text(message)


def _extra(notice: Notice, mode: str) -> str:
    """Return the lines below the text, in its markup."""
    lines = [_fact(name, cut(text, 300), mode) for name, text in facts(notice)]
    lines += [" · ".join(_link(label, address, mode) for label, address in links(notice))]
    kept = [line for line in lines if line]
    extra = "\n\n" + "\n".join(kept) if kept else ""
    return extra if len(extra) <= TEXT_CHARACTERS // 2 else ""


def _fact(name: str, text: str, mode: str) -> str:
    shown = f"<b>{name}:</b>" if mode == "HTML" else f"{name}:"
    return f"{shown} {_plain(text, mode)}"


def _link(label: str, address: str, mode: str) -> str:
    if mode == "HTML":
        return f'<a href="{escape_html(address)}">{escape_html(label)}</a>'
    if mode == "MarkdownV2":
        inside = address.replace("\\", "\\\\").replace(")", "\\)")
        return f"[{_plain(label, mode)}]({inside})"
    return f"[{label}]({address})" if mode else f"{label}: {address}"


def _plain(text: str, mode: str) -> str:
    """Return a text that the markup leaves as it is."""
    escaping = _ESCAPES.get(mode)
    return text if escaping is None else escaping(text)
