"""Opsgenie (and what speaks its Alert API): creates, updates and closes one alert for each group."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from alerting.notify.address import Url
from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.fact import facts, links
from alerting.notify.global_config import move_to, one_of
from alerting.notify.http_config import HttpAddressSection
from alerting.notify.integration import HttpIntegration, Setting, Texts, given, unusable
from alerting.notify.length import cut
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.payload import common
from alerting.notify.secret import SecretError, source
from core.config import Section
from core.secret import SecretText
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

# https://docs.opsgenie.com/docs/alert-api
MESSAGE_CHARACTERS = 130
DESCRIPTION_CHARACTERS = 15_000
NOTE_CHARACTERS = 25_000
SOURCE_CHARACTERS = 100
ENTITY_CHARACTERS = 512
DETAILS_CHARACTERS = 8000
TAGS, TAG_CHARACTERS = 20, 50
ACTIONS, ACTION_CHARACTERS = 10, 50
RESPONDERS = 50
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
_KINDS = ("team", "teams", "user", "escalation", "schedule")


class ResponderSection(Section):
    """Who is told by Opsgenie."""

    id: Text = Field("", description="Id.", examples=["4513b7ea-3b91-438f-b7e4-e3e54af9147c"])
    name: Text = Field("", description="Name.", examples=["shop"])
    username: Text = Field("", description="User name.", examples=["ada@example.org"])
    type: Text = Field(description="team, teams, user, escalation or schedule.", examples=["team"])

    @field_validator("type")
    @classmethod
    def _known(cls, kind: str) -> str:
        if "{{" not in kind and kind.lower() not in _KINDS:
            raise ValueError(f"is no kind of responder; known are: {', '.join(_KINDS)}")
        return kind if "{{" in kind else kind.lower()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not (self.id or self.name or self.username):
            raise ValueError("names nobody; give 'id', 'name' or 'username'")
        return self


class OpsgenieSection(HttpAddressSection):
    """An Opsgenie account. Texts are templates."""

    api_key: Annotated[SecretText | None, move_to("api_key_file")] = Field(
        None, description="Key of the API; that of `global` if absent.", examples=["secret"]
    )
    api_key_file: Path | None = Field(None, description="A file that holds the key.", examples=["secrets/opsgenie"])
    api_url: Url | None = Field(
        None, description="The API; that of `global` if absent.", examples=["https://api.eu.opsgenie.com/"]
    )
    message: Text = Field(
        '{{ template "opsgenie.default.message" . }}',
        description="What the alert is called.",
        examples=["{{ .CommonAnnotations.summary }}"],
    )
    description: Text = Field(
        '{{ template "opsgenie.default.description" . }}', description="The text.", examples=["Shop is down"]
    )
    source: Text = Field('{{ template "opsgenie.default.source" . }}', description="Who tells.", examples=["Watch"])
    details: dict[str, Text] = Field(
        default_factory=dict, description="More names with values.", examples=[{"team": "{{ .CommonLabels.team }}"}]
    )
    entity: Text = Field("", description="What it is about.", examples=["{{ .CommonLabels.service }}"])
    responders: list[ResponderSection] = Field(
        default_factory=list, description="Who is told by Opsgenie.", examples=[[{"name": "shop", "type": "team"}]]
    )
    actions: Text = Field("", description="Actions that people can take, between commas.", examples=["restart,ping"])
    tags: Text = Field("", description="Tags, between commas.", examples=["shop,production"])
    note: Text = Field("", description="A note.", examples=["See the wiki"])
    priority: Text = Field("", description="P1 to P5.", examples=["P2"])
    update_alerts: bool = Field(
        False, description="Whether message and description follow later notifications.", examples=[True]
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        one_of(self, ("api_key", "api_key_file"))
        return self


class Opsgenie(HttpIntegration):
    """Keeps one alert for each group of alerts, by its alias."""

    kind = "opsgenie"

    def __init__(self, section: OpsgenieSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section
        defaults = setting.defaults
        self._key = source(
            (section.api_key, section.api_key_file), (defaults.opsgenie_api_key, defaults.opsgenie_api_key_file)
        )

    def missing(self) -> str:
        """Return what lacks."""
        if self._key.is_given:
            return ""
        return "has no key; give 'api_key_file' here or 'opsgenie_api_key_file' under 'global'"

    def _own_files(self) -> Mapping[str, Path | None]:
        return {"api_key_file": self._section.api_key_file}

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        alias = sha256(notice.group_key.encode()).hexdigest()
        tell = cut(texts.quiet(self._section.source), SOURCE_CHARACTERS)
        if notice.status == "resolved":
            return {"requests": [_request("POST", f"v2/alerts/{alias}/close?identifierType=alias", {"source": tell})]}
        alert = self._alert(notice, texts, alias, tell)
        requests = [_request("POST", "v2/alerts", alert)]
        if self._section.update_alerts:
            for name in ("message", "description"):
                path = f"v2/alerts/{alias}/{name}?identifierType=alias"
                requests.append(_request("PUT", path, {name: alert.get(name, "")}))
        return {"requests": requests}

    def _alert(self, notice: Notice, texts: Texts, alias: str, tell: str) -> dict[str, Any]:
        section = self._section
        priority = texts.quiet(section.priority).strip().upper()
        return {
            "alias": alias,
            "message": cut(texts.text(section.message), MESSAGE_CHARACTERS)
            or cut(notice.group_key, MESSAGE_CHARACTERS),
            "details": self._details(notice, texts),
            "source": tell,
            **given(
                {
                    "description": cut(texts.text(section.description), DESCRIPTION_CHARACTERS),
                    "responders": self._responders(texts)[:RESPONDERS],
                    "tags": [cut(tag, TAG_CHARACTERS) for tag in _split(texts.quiet(section.tags))][:TAGS],
                    "note": cut(texts.text(section.note), NOTE_CHARACTERS),
                    "priority": priority if priority in PRIORITIES else "",
                    "entity": cut(texts.quiet(section.entity), ENTITY_CHARACTERS),
                    "actions": [cut(a, ACTION_CHARACTERS) for a in _split(texts.quiet(section.actions))][:ACTIONS],
                }
            ),
        }

    def _details(self, notice: Notice, texts: Texts) -> dict[str, str]:
        details = texts.texts({f"{name}": text for name, text in self._section.details.items()})
        found = common([dict(sorted(alert.labels.items())) for alert in notice.alerts]) | details
        for name, text in (*facts(notice), *links(notice)):
            found[name] = f"{found[name]}\n{text}" if name in found else text
        room = DETAILS_CHARACTERS
        kept = {}
        for name, text in found.items():
            if len(name) + 1 > room:
                break
            kept[name] = cut(text, room - len(name))
            room -= len(name) + len(kept[name])
        return kept

    def _responders(self, texts: Texts) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for section in self._section.responders:
            responder = given(texts.texts(section.model_dump()))
            if responder.get("type") == "teams":
                found += [{"name": name, "type": "team"} for name in _split(responder.get("name", ""))]
            elif len(responder) > 1:
                found.append(responder)
        return found

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Send all requests of the message; each may safely come again."""
        try:
            key = await asyncio.to_thread(self._key.read, self._setting.base)
        except SecretError as error:
            return unusable(error)
        base = (self._section.api_url or self._setting.defaults.opsgenie_api_url).rstrip("/")
        headers = {"Authorization": f"GenieKey {key}"}
        attempt = Attempt(Outcome.DELIVERED)
        for request in json.loads(message.body)["requests"]:
            url = f"{base}/{request['path']}"
            attempt = await self._post(
                session, url, request["body"], headers=headers, secrets=(key,), method=request["method"]
            )
            if attempt.outcome is not Outcome.DELIVERED:
                return attempt
        return attempt


def _request(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"method": method, "path": path, "body": body}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
