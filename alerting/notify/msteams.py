"""Microsoft Teams: cards to the older connectors, and adaptive cards to Workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.channel import Channel, ChannelSection
from alerting.notify.fact import facts, links
from alerting.notify.http_client import Reply, shortened
from alerting.notify.integration import Setting, Texts, compact
from alerting.notify.length import cut, cut_bytes
from alerting.notify.notice import Notice
from alerting.template.escape import escape_markdown
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    pass

# https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
MESSAGE_BYTES = 28_000
TITLE_CHARACTERS = 1000
BUTTONS = 4
DEFAULT_TEXT = '{{ template "msteams.default.text" . }}'
DEFAULT_TEXT_V2 = '{{ template "msteamsv2.default.text" . }}'
_RED, _GREEN = "8C1A1A", "2DC72D"
_FAILED_AT_TEAMS = "HTTP error "


class MsteamsSection(ChannelSection):
    """A Teams channel, by an older connector. Texts are templates."""

    title: Text = Field('{{ template "msteams.default.title" . }}', description="The title.", examples=["Shop"])
    summary: Text = Field(
        '{{ template "msteams.default.summary" . }}', description="Text for previews.", examples=["Shop is down"]
    )
    text: Text = Field(
        DEFAULT_TEXT,
        description="The text.",
        examples=["{{ .CommonAnnotations.summary }}"],
    )


class Msteamsv2Section(ChannelSection):
    """A Teams channel, by a Workflow. Texts are templates."""

    title: Text = Field('{{ template "msteamsv2.default.title" . }}', description="The title.", examples=["Shop"])
    text: Text = Field(
        DEFAULT_TEXT_V2,
        description="The text.",
        examples=["{{ .CommonAnnotations.summary }}"],
    )


class _Teams(Channel):
    def _judge(self, reply: Reply) -> Attempt:
        """A connector answers 200 though Teams would not take the card, and says so in the body."""
        attempt = super()._judge(reply)
        answer = reply.body.decode(errors="replace")
        if attempt.outcome is Outcome.DELIVERED and _FAILED_AT_TEAMS in answer:
            status = answer.partition(_FAILED_AT_TEAMS)[2][:3]
            again = status == "429" or status.startswith("5")
            return Attempt(Outcome.RETRY if again else Outcome.REJECTED, shortened(answer))
        return attempt


class Msteams(_Teams):
    """Posts message cards."""

    kind = "msteams"

    def __init__(self, section: MsteamsSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        section, marked = self._section, texts.escaping(escape_markdown)
        document: dict[str, Any] = {
            "@context": "http://schema.org/extensions",
            "@type": "MessageCard",
            "type": "MessageCard",
            "title": cut(marked.text(section.title), TITLE_CHARACTERS),
            "summary": cut(marked.text(section.summary), TITLE_CHARACTERS),
            "themeColor": _RED if notice.status == "firing" else _GREEN,
            "sections": [{"facts": [{"name": name, "value": text} for name, text in _facts(notice, section.text)]}],
            "potentialAction": [
                {"@type": "OpenUri", "name": label, "targets": [{"os": "default", "uri": url}]}
                for label, url in links(notice)[:BUTTONS]
            ],
        }
        return {**document, "text": _fitting(marked.text(section.text), document)}


class Msteamsv2(_Teams):
    """Posts adaptive cards."""

    kind = "msteamsv2"

    def __init__(self, section: Msteamsv2Section, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        marked = texts.escaping(escape_markdown)
        text = {"type": "TextBlock", "text": "", "wrap": True}
        title = {
            "type": "TextBlock",
            "text": cut(marked.text(self._section.title), TITLE_CHARACTERS),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": True,
            "style": "heading",
            "color": "Attention" if notice.status == "firing" else "Good",
        }
        known = [{"title": name, "value": value} for name, value in _facts(notice, self._section.text)]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [title, text, *([{"type": "FactSet", "facts": known}] if known else [])],
            "actions": [
                {"type": "Action.OpenUrl", "title": label, "url": url} for label, url in links(notice)[:BUTTONS]
            ],
            "msteams": {"width": "Full"},
        }
        document = {
            "type": "message",
            "attachments": [
                {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
            ],
        }
        text["text"] = _fitting(marked.text(self._section.text), document)
        return document


def _facts(notice: Notice, text: str) -> list[tuple[str, str]]:
    """Return what a text of the user's own may not say; the usual ones say all of it."""
    if text in (DEFAULT_TEXT, DEFAULT_TEXT_V2):
        return []
    return [(name, escape_markdown(value)) for name, value in facts(notice)]


def _fitting(text: str, around: dict[str, Any]) -> str:
    """Return a text so short that the message with it is not too long; escapes in JSON can double it."""
    room = MESSAGE_BYTES - len(compact(around).encode())
    while len(compact(text).encode()) > room:
        text = cut_bytes(text, max(3, len(text.encode()) * 3 // 4))
        if len(text) <= 1:
            break
    return text
