"""PagerDuty: events of its Events API, version 2, and of the older one for integrations of kind `Prometheus`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from alerting.notify.address import Url
from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.fact import facts, links
from alerting.notify.global_config import move_to, one_of
from alerting.notify.http_client import Reply
from alerting.notify.http_config import HttpAddressSection
from alerting.notify.integration import HttpIntegration, Setting, Texts, compact, given, unusable
from alerting.notify.length import cut
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.secret import SecretError, SecretSource
from core.config import Section
from core.secret import SecretText
from core.text import Text
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

# https://developer.pagerduty.com/docs/events-api-v2-overview
SUMMARY_CHARACTERS = 1024
EVENT_BYTES = 512_000
SEVERITIES = ("critical", "error", "warning", "info")
DEFAULT_SEVERITY = "error"
OLDER_URL = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
DEFAULT_DETAILS = {
    "firing": '{{ template "pagerduty.default.instances" .Alerts.Firing }}',
    "resolved": '{{ template "pagerduty.default.instances" .Alerts.Resolved }}',
    "num_firing": "{{ .Alerts.Firing | len }}",
    "num_resolved": "{{ .Alerts.Resolved | len }}",
}
_FORBIDDEN = 403


class PagerdutyImageSection(Section):
    """A picture."""

    src: Text = Field("", description="Its address.", examples=["https://example.org/graph.png"])
    alt: Text = Field("", description="Text instead of it.", examples=["Graph"])
    href: Text = Field("", description="What it opens.", examples=["https://example.org/"])


class PagerdutyLinkSection(Section):
    """A link."""

    href: Text = Field("", description="The address.", examples=["https://wiki.example.org/"])
    text: Text = Field("", description="The label.", examples=["Wiki"])


class PagerdutySection(HttpAddressSection):
    """A PagerDuty service. Texts are templates."""

    routing_key: Annotated[SecretText | None, move_to("routing_key_file")] = Field(
        None, description="Key of an integration of kind Events API v2.", examples=["secret"]
    )
    routing_key_file: Path | None = Field(
        None, description="A file that holds the routing key.", examples=["secrets/pagerduty"]
    )
    service_key: Annotated[SecretText | None, move_to("service_key_file")] = Field(
        None, description="Key of an integration of kind Prometheus.", examples=["secret"]
    )
    service_key_file: Path | None = Field(
        None, description="A file that holds the service key.", examples=["secrets/pagerduty"]
    )
    url: Url | None = Field(
        None,
        description="The Events API; that of `global` if absent.",
        examples=["https://events.eu.pagerduty.com/v2/enqueue"],
    )
    client: Text = Field('{{ template "pagerduty.default.client" . }}', description="Who tells.", examples=["Watch"])
    client_url: Text = Field(
        '{{ template "pagerduty.default.clientURL" . }}', description="Where it is.", examples=["https://w.example/"]
    )
    description: Text = Field(
        '{{ template "pagerduty.default.description" .}}',
        description="What the incident is called.",
        examples=["{{ .CommonAnnotations.summary }}"],
    )
    severity: Text = Field(
        DEFAULT_SEVERITY, description="critical, error, warning or info.", examples=["{{ .CommonLabels.severity }}"]
    )
    source: Text | None = Field(None, description="What is affected; `client` if absent.", examples=["shop"])
    class_: Text = Field("", alias="class", description="Kind of the event.", examples=["latency"])
    component: Text = Field("", description="The part that is broken.", examples=["database"])
    group: Text = Field("", description="What it belongs to.", examples=["shop"])
    details: dict[str, Text] = Field(
        default_factory=dict, description="More names with values.", examples=[{"team": "{{ .CommonLabels.team }}"}]
    )
    images: list[PagerdutyImageSection] = Field(
        default_factory=list, description="Pictures.", examples=[[{"src": "https://example.org/graph.png"}]]
    )
    links: list[PagerdutyLinkSection] = Field(
        default_factory=list,
        description="Links, beside those to runbook and console.",
        examples=[[{"href": "https://wiki.example.org/", "text": "Wiki"}]],
    )

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        one_of(self, ("routing_key", "routing_key_file"), ("service_key", "service_key_file"))
        keys = (self.routing_key, self.routing_key_file, self.service_key, self.service_key_file)
        if not any(key is not None for key in keys):
            raise ValueError("has no key; give 'routing_key_file' or 'service_key_file'")
        return self


class Pagerduty(HttpIntegration):
    """Triggers and resolves one incident for each group of alerts."""

    kind = "pagerduty"

    def __init__(self, section: PagerdutySection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section
        self._service_key = SecretSource(section.service_key, section.service_key_file)
        self._key = SecretSource(section.routing_key, section.routing_key_file)
        self._is_older = self._service_key.is_given

    def _own_files(self) -> Mapping[str, Path | None]:
        return {"routing_key_file": self._key.file, "service_key_file": self._service_key.file}

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        details = texts.texts(DEFAULT_DETAILS | self._section.details)
        for name, text in facts(notice):
            details[name] = f"{details[name]}\n{text}" if name in details else text
        make = self._older if self._is_older else self._event
        document = make(notice, texts, details)
        if len(compact(document).encode()) <= EVENT_BYTES:
            return document
        return make(notice, texts, {"error": f"left out: the event was longer than {EVENT_BYTES} bytes"})

    def _event(self, notice: Notice, texts: Texts, details: dict[str, str]) -> dict[str, Any]:
        section = self._section
        severity = texts.quiet(section.severity).strip().lower()
        payload = {
            "summary": _summary(texts.text(section.description), notice),
            "source": texts.text(section.client if section.source is None else section.source) or "watchkeeper",
            "severity": severity if severity in SEVERITIES else DEFAULT_SEVERITY,
            **given(texts.texts({"class": section.class_, "component": section.component, "group": section.group})),
            "custom_details": details,
        }
        images = [texts.texts(image.model_dump()) for image in section.images]
        own = [texts.texts(link.model_dump()) for link in section.links]
        found = [link for link in own if link["href"]]
        found += [{"href": address, "text": label} for label, address in links(notice)]
        return {
            "event_action": _action(notice),
            "dedup_key": _key_of(notice),
            "client": texts.quiet(section.client),
            "client_url": texts.quiet(section.client_url),
            "payload": payload,
            "images": [given(image) for image in images if image["src"]],
            "links": found,
        }

    def _older(self, notice: Notice, texts: Texts, details: dict[str, str]) -> dict[str, Any]:
        section = self._section
        return {
            "event_type": _action(notice),
            "incident_key": _key_of(notice),
            "description": _summary(texts.text(section.description), notice),
            "client": texts.quiet(section.client),
            "client_url": texts.quiet(section.client_url),
            "details": details,
        }

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Send the event once."""
        name, source = ("service_key", self._service_key) if self._is_older else ("routing_key", self._key)
        try:
            key = await asyncio.to_thread(source.read, self._setting.base)
        except SecretError as error:
            return unusable(error)
        url = OLDER_URL if self._is_older else self._section.url or self._setting.defaults.pagerduty_url
        return await self._post(session, url, {name: key, **json.loads(message.body)}, secrets=(key,))

    def _judge(self, reply: Reply) -> Attempt:
        """The older API answers 403 to who asks too often."""
        attempt = super()._judge(reply)
        if self._is_older and reply.status == _FORBIDDEN:
            return Attempt(Outcome.RETRY, attempt.detail)
        return attempt


def _summary(text: str, notice: Notice) -> str:
    return cut(text, SUMMARY_CHARACTERS) or cut(notice.group_key, SUMMARY_CHARACTERS)


def _action(notice: Notice) -> str:
    return "resolve" if notice.status == "resolved" else "trigger"


def _key_of(notice: Notice) -> str:
    """Return the key of the group's incident; Alertmanager's, so that a change of program keeps incidents."""
    return sha256(notice.group_key.encode()).hexdigest()
