"""Slack: a message with one attachment, to an incoming webhook or as an app (chat.postMessage)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from alerting.notify.address import SecretUrl, Url
from alerting.notify.attempt import Attempt, Outcome, retry_after_seconds
from alerting.notify.fact import facts, links
from alerting.notify.global_config import move_to, one_of
from alerting.notify.http_client import Reply, shortened
from alerting.notify.http_config import HttpAddressSection
from alerting.notify.integration import HttpIntegration, Setting, Texts, given, unusable
from alerting.notify.length import cut
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.secret import SecretError, source
from alerting.notify.webhook import read_url
from alerting.template.escape import escape_slack
from core.config import Section
from core.secret import SecretText
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

# https://api.slack.com/reference/messaging/attachments and /methods/chat.postMessage
TITLE_CHARACTERS = 1024
TEXT_CHARACTERS = 20_000
FIELD_CHARACTERS = 2000
SHORT_CHARACTERS = 40
USERNAME_CHARACTERS = 80
FOOTER_CHARACTERS = 300
DEFAULT_TEXT = '{{ template "slack.default.text" . }}'
BUTTONS = 5
_BUSY = ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")


class SlackConfirmSection(Section):
    """A question before a button acts."""

    text: Text = Field(min_length=1, description="The question.", examples=["Are you sure?"])
    title: Text = Field("", description="Its title.", examples=["Restart"])
    ok_text: Text = Field("", description="The label for yes.", examples=["Yes"])
    dismiss_text: Text = Field("", description="The label for no.", examples=["No"])


class SlackActionSection(Section):
    """A button."""

    type: Text = Field(min_length=1, description="Kind of action.", examples=["button"])
    text: Text = Field(min_length=1, description="The label.", examples=["Runbook"])
    url: Text = Field("", description="What it opens.", examples=["https://runbooks.example.org/"])
    style: Text = Field("", description="`primary` or `danger`.", examples=["primary"])
    name: Text = Field("", description="Name of the action, where it opens nothing.", examples=["restart"])
    value: Text = Field("", description="Its value.", examples=["shop"])
    confirm: SlackConfirmSection | None = Field(
        None, description="A question before it acts.", examples=[{"text": "Are you sure?"}]
    )

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.url and not self.name:
            raise ValueError("does nothing; give 'url', or 'name' and 'value'")
        return self


class SlackFieldSection(Section):
    """A name with its value."""

    title: Text = Field(min_length=1, description="The name.", examples=["Service"])
    value: Text = Field(min_length=1, description="The value.", examples=["{{ .CommonLabels.service }}"])
    short: bool | None = Field(None, description="Whether it may stand beside others.", examples=[True])


class SlackSection(HttpAddressSection):
    """A Slack channel. Texts are templates."""

    send_resolved: bool = Field(False, description="Whether ends are told too.", examples=[True])
    api_url: Annotated[SecretUrl | None, move_to("api_url_file")] = Field(
        None,
        description="The incoming webhook; that of `global` if absent.",
        examples=["https://hooks.slack.com/services/T/B/x"],
    )
    api_url_file: Path | None = Field(
        None, description="A file that holds the incoming webhook.", examples=["secrets/slack"]
    )
    app_token: Annotated[SecretText | None, move_to("app_token_file")] = Field(
        None, description="Token of an app, instead of a webhook.", examples=["xoxb-…"]
    )
    app_token_file: Path | None = Field(
        None, description="A file that holds the token of an app.", examples=["secrets/slack"]
    )
    app_url: Url | None = Field(
        None,
        description="Where apps post to; that of `global` if absent.",
        examples=["https://slack.com/api/chat.postMessage"],
    )
    channel: Text = Field("", description="Channel or user.", examples=["#shop"])
    username: Text = Field('{{ template "slack.default.username" . }}', description="The sender.", examples=["Watch"])
    color: Text = Field(
        '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}', description="The bar.", examples=["#ff0000"]
    )
    title: Text = Field('{{ template "slack.default.title" . }}', description="The title.", examples=["Shop"])
    title_link: Text = Field(
        '{{ template "slack.default.titlelink" . }}',
        description="What the title opens.",
        examples=["https://watch.example.org/"],
    )
    pretext: Text = Field('{{ template "slack.default.pretext" . }}', description="Text before.", examples=["Hello"])
    text: Text = Field(DEFAULT_TEXT, description="The text.", examples=["{{ .CommonAnnotations.summary }}"])
    fallback: Text = Field(
        '{{ template "slack.default.fallback" . }}', description="Text for previews.", examples=["Shop is down"]
    )
    callback_id: Text = Field(
        '{{ template "slack.default.callbackid" . }}', description="Id for an app's buttons.", examples=["watch"]
    )
    footer: Text = Field('{{ template "slack.default.footer" . }}', description="Text below.", examples=["Shop team"])
    icon_emoji: Text = Field(
        '{{ template "slack.default.iconemoji" . }}', description="The sender's picture.", examples=[":fire:"]
    )
    icon_url: Text = Field(
        '{{ template "slack.default.iconurl" . }}', description="Its address.", examples=["https://example.org/i.png"]
    )
    image_url: Text = Field("", description="A picture below.", examples=["https://example.org/graph.png"])
    thumb_url: Text = Field("", description="A picture beside.", examples=["https://example.org/small.png"])
    link_names: bool = Field(False, description="Whether names and channels become links.", examples=[True])
    mrkdwn_in: list[str] = Field(
        default_factory=lambda: ["fallback", "pretext", "text"],
        description="The parts that are in Slack's markup.",
        examples=[["text"]],
    )
    short_fields: bool = Field(False, description="Whether fields stand side by side.", examples=[True])
    fields: list[SlackFieldSection] | None = Field(
        None,
        description="Names with values; where absent, what a text of your own may not say: value, suspects …",
        examples=[[{"title": "Service", "value": "{{ .CommonLabels.service }}"}]],
    )
    actions: list[SlackActionSection] | None = Field(
        None,
        description="Buttons; acknowledge, runbook, silence and console, where absent.",
        examples=[[{"type": "button", "text": "Wiki", "url": "https://wiki.example.org/"}]],
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        one_of(self, ("api_url", "api_url_file"), ("app_token", "app_token_file"))
        one_of(self, ("api_url", "app_token"), ("api_url_file", "app_token_file"))
        return self


class Slack(HttpIntegration):
    """Posts attachments."""

    kind = "slack"

    def __init__(self, section: SlackSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        defaults = setting.defaults
        self._section = section
        self._token = source((section.app_token, section.app_token_file))
        self._url = source((section.api_url, section.api_url_file))
        if not self._token.is_given and not self._url.is_given:
            self._url = source((defaults.slack_api_url, defaults.slack_api_url_file))
            self._token = source((defaults.slack_app_token, defaults.slack_app_token_file))

    def missing(self) -> str:
        """Return what lacks."""
        if self._url.is_given or self._token.is_given:
            return ""
        return "does not say where to post to; give 'api_url_file' here or 'slack_api_url_file' under 'global'"

    def _own_files(self) -> Mapping[str, Path | None]:
        return {"api_url_file": self._section.api_url_file, "app_token_file": self._section.app_token_file}

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        section = self._section
        head = {
            "channel": texts.quiet(section.channel),
            "username": cut(texts.quiet(section.username), USERNAME_CHARACTERS),
            "icon_emoji": texts.quiet(section.icon_emoji),
            "icon_url": texts.quiet(section.icon_url),
            "link_names": section.link_names,
        }
        return {**given(head), "attachments": [self._attachment(notice, texts)]}

    def _attachment(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        section, marked = self._section, texts.escaping(escape_slack)
        optional = {
            "title": cut(marked.text(section.title), TITLE_CHARACTERS),
            "title_link": texts.quiet(section.title_link),
            "pretext": cut(marked.text(section.pretext), TEXT_CHARACTERS),
            "image_url": texts.quiet(section.image_url),
            "thumb_url": texts.quiet(section.thumb_url),
            "color": texts.quiet(section.color),
            "fields": self._fields(notice, marked),
            "actions": self._actions(notice, texts),
        }
        return {
            **given(optional),
            "text": cut(marked.text(section.text), TEXT_CHARACTERS),
            "fallback": cut(texts.text(section.fallback), TEXT_CHARACTERS),
            "callback_id": texts.quiet(section.callback_id),
            "footer": cut(texts.quiet(section.footer), FOOTER_CHARACTERS),
            "mrkdwn_in": section.mrkdwn_in,
        }

    def _fields(self, notice: Notice, texts: Texts) -> list[dict[str, Any]]:
        if self._section.fields is None:
            found = [(name, escape_slack(text), len(text) < SHORT_CHARACTERS) for name, text in self._facts(notice)]
        else:
            short = self._section.short_fields
            found = [
                (texts.text(field.title), texts.text(field.value), short if field.short is None else field.short)
                for field in self._section.fields
            ]
        return [{"title": name, "value": cut(text, FIELD_CHARACTERS), "short": short} for name, text, short in found]

    def _facts(self, notice: Notice) -> list[tuple[str, str]]:
        """The usual text says all of it already."""
        return [] if self._section.text == DEFAULT_TEXT else facts(notice)

    def _actions(self, notice: Notice, texts: Texts) -> list[dict[str, Any]]:
        if self._section.actions is None:
            return [{"type": "button", "text": text, "url": url} for text, url in links(notice)[:BUTTONS]]
        return [_action(action, texts) for action in self._section.actions]

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Post the message once."""
        try:
            url, token = await asyncio.to_thread(self._prepare)
        except SecretError as error:
            return unusable(error)
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return await self._post(session, url, json.loads(message.body), headers=headers, secrets=(token, url))

    def _prepare(self) -> tuple[str, str]:
        base = self._setting.base
        if self._url.is_given:
            return read_url(self._url, base), ""
        return self._section.app_url or self._setting.defaults.slack_app_url, self._token.read(base)

    def _judge(self, reply: Reply) -> Attempt:
        """Slack says in the body what went wrong, sometimes with status 200."""
        attempt = super()._judge(reply)
        if attempt.outcome is not Outcome.DELIVERED:
            return attempt
        answer = reply.body.decode(errors="replace").strip()
        if reply.headers.get("Content-Type", "").startswith("application/json"):
            answer = _error_of(answer)
        if answer in ("ok", ""):
            return attempt
        busy = answer in _BUSY
        pause = retry_after_seconds(reply.headers.get("Retry-After", ""), self._setting.clock.now())
        return Attempt(Outcome.RETRY if busy else Outcome.REJECTED, f"Slack says: {shortened(answer)}", pause)


def _error_of(answer: str) -> str:
    try:
        document = json.loads(answer)
    except ValueError:
        return answer
    if not isinstance(document, dict) or document.get("ok") is True:
        return "ok"
    return str(document.get("error") or "an error without a name")


def _action(action: SlackActionSection, texts: Texts) -> dict[str, Any]:
    found: dict[str, Any] = given(
        {
            "type": texts.text(action.type),
            "text": texts.text(action.text),
            "url": texts.text(action.url),
            "style": texts.text(action.style),
        }
    )
    if action.url:
        return found
    found |= given({"name": texts.text(action.name), "value": texts.text(action.value)})
    if action.confirm is not None:
        asked = action.confirm
        found["confirm"] = given(
            texts.texts(
                {
                    "text": asked.text,
                    "title": asked.title,
                    "ok_text": asked.ok_text,
                    "dismiss_text": asked.dismiss_text,
                }
            )
        )
    return found
