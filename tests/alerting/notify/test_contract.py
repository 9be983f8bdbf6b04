"""What every integration keeps: bodies that the service takes, no secrets in them, and the same meaning of answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
import pytest
from aiohttp import web

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.integrations import by_receiver, integrations
from alerting.notify.message import Message
from alerting.notify.notice import Integration, Notice
from alerting.notify.receiver_config import ReceiverSection
from tests.alerting.notify import schema
from tests.alerting.notify.scene import GROUP_KEY, firing, huge, notice, resolved, setting
from tests.alerting.receiver import Got, Receiver, receiving
from tests.fakes.clock import START

SECRET = "s3cr3t-t0ken"


@dataclass(frozen=True)
class Service:
    """A service as an integration meets it.

    Attributes:
        section: of the config; URL stands for the service's address.
        schemas: of the bodies that one firing notice brings, in order.
        good: what the service answers to a good request.
    """

    kind: str
    section: dict[str, Any]
    schemas: list[dict[str, Any]]
    good: Callable[[], web.Response] = lambda: web.json_response({"ok": True})
    path: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)


SERVICES = [
    Service("webhook", {"url": "URL"}, [{"type": "object"}]),
    Service(
        "slack",
        {"api_url": f"URL/{SECRET}", "channel": "#shop"},
        [schema.SLACK],
        lambda: web.Response(text="ok"),
        f"/{SECRET}",
    ),
    Service(
        "msteams", {"webhook_url": f"URL/{SECRET}"}, [schema.MSTEAMS], lambda: web.Response(text="1"), f"/{SECRET}"
    ),
    Service(
        "msteamsv2",
        {"webhook_url": f"URL/{SECRET}"},
        [schema.MSTEAMSV2],
        lambda: web.Response(status=202),
        f"/{SECRET}",
    ),
    Service(
        "pagerduty",
        {"routing_key": SECRET, "url": "URL", "class": "queue", "links": [{"href": "https://w.example/", "text": "W"}]},
        [schema.PAGERDUTY],
        lambda: web.json_response({"status": "success", "dedup_key": "k"}, status=202),
    ),
    Service(
        "opsgenie",
        {"api_key": SECRET, "api_url": "URL", "priority": "p2", "tags": "a, b,", "update_alerts": True,
         "responders": [{"name": "shop,core", "type": "teams"}]},
        [schema.OPSGENIE, {"required": ["message"]}, {"required": ["description"]}],
        lambda: web.json_response({"result": "Request will be processed"}, status=202),
        "/v2/alerts",
    ),
    Service(
        "telegram", {"bot_token": SECRET, "chat_id": -100, "api_url": "URL"}, [schema.TELEGRAM],
        path=f"/bot{SECRET}/sendMessage",
    ),
    Service(
        "discord", {"webhook_url": f"URL/{SECRET}", "username": "Watch"}, [schema.DISCORD],
        lambda: web.Response(status=204), f"/{SECRET}",
    ),
]  # fmt: skip

every_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.kind)


def made(service: Service, url: str, base: Path = Path(), **more: Any) -> Integration:
    text = json.dumps({"name": "team", f"{service.kind}_configs": [service.section | more]})
    section = ReceiverSection.model_validate(json.loads(text.replace("URL", url)))
    return by_receiver([section], integrations([section], setting(base, **service.defaults)))["team"][0]


def message(integration: Integration, of: Notice) -> Message:
    return Message("key-1", "team", integration.name, of.group_key, of.status, integration.render(of), START)


async def deliver(integration: Integration, of: Notice) -> Attempt:
    async with aiohttp.ClientSession() as session:
        return await integration.send(session, message(integration, of))


def base_of(receiver: Receiver) -> str:
    return receiver.url.removesuffix("/alerts")


async def sent(service: Service, of: Notice, **more: Any) -> list[Got]:
    """Return what the service gets for a notice that it takes."""
    async with receiving() as receiver:
        receiver.answers = [service.good() for _ in service.schemas]
        attempt = await deliver(made(service, base_of(receiver), **more), of)
        assert attempt.outcome is Outcome.DELIVERED, attempt
        return receiver.got


@every_service
@pytest.mark.parametrize("of", [notice(), huge(), notice(firing(), why="test", links=notice().links)],
                         ids=["usual", "huge", "test"])  # fmt: skip
async def test_bodies_are_what_the_service_documents(service: Service, of: Notice) -> None:
    got = await sent(service, of)
    assert len(got) == len(service.schemas)
    for request, wanted in zip(got, service.schemas, strict=True):
        jsonschema.validate(request.message, wanted)
    if service.path:
        assert got[0].path == service.path


@every_service
async def test_an_end_is_told_too(service: Service) -> None:
    async with receiving() as receiver:
        receiver.answers = [service.good()]
        attempt = await deliver(made(service, base_of(receiver), send_resolved=True), resolved())
    assert attempt.outcome is Outcome.DELIVERED
    assert len(receiver.got) == 1


@every_service
def test_what_is_stored_holds_no_secret(service: Service) -> None:
    assert SECRET not in made(service, "http://127.0.0.1:1").render(notice())


@every_service
def test_what_is_shown_of_a_config_holds_no_secret(service: Service) -> None:
    text = json.dumps({"name": "team", f"{service.kind}_configs": [service.section]}).replace("URL", "http://x")
    section = ReceiverSection.model_validate(json.loads(text))
    shown = f"{section!r} {section} {section.model_dump()} {section.model_dump_json()}"
    assert SECRET not in shown


@every_service
@pytest.mark.parametrize(
    ("status", "outcome"), [(400, "rejected"), (404, "rejected"), (429, "retry"), (500, "retry"), (503, "retry")]
)
async def test_the_answer_decides_whether_it_is_tried_again(service: Service, status: int, outcome: str) -> None:
    async with receiving() as receiver:
        receiver.answers = [web.Response(status=status, headers={"Retry-After": "7"})]
        attempt = await deliver(made(service, base_of(receiver)), notice())
    assert attempt.outcome == Outcome(outcome)
    assert attempt.retry_after == (7 if outcome == "retry" else 0)
    assert SECRET not in attempt.detail


@every_service
async def test_nobody_there_is_tried_again_without_telling_the_secret(service: Service) -> None:
    attempt = await deliver(made(service, "http://127.0.0.1:1"), notice())
    assert attempt.outcome is Outcome.RETRY
    assert SECRET not in attempt.detail


@every_service
async def test_silence_ends_the_try(service: Service) -> None:
    async with receiving() as receiver:
        receiver.answers = ["hang"]
        attempt = await deliver(made(service, base_of(receiver), timeout=0.05), notice())
    assert attempt == Attempt(Outcome.RETRY, "no answer within 0.05 s")


@every_service
async def test_secrets_come_from_files_anew_each_time(service: Service, tmp_path: Path) -> None:
    keys = {"url": "url_file", "api_url": "api_url_file", "webhook_url": "webhook_url_file",
            "routing_key": "routing_key_file", "api_key": "api_key_file", "bot_token": "bot_token_file"}  # fmt: skip
    key = next(key for key in keys if key in service.section and (key != "api_url" or service.kind == "slack"))
    if service.kind == "pagerduty":
        key = "routing_key"
    async with receiving() as receiver:
        file = tmp_path / "secret"
        section = {name: value for name, value in service.section.items() if name != key}
        integration = made(
            Service(service.kind, section | {keys[key]: "secret"}, service.schemas), base_of(receiver), tmp_path
        )
        attempt = await deliver(integration, notice())
        assert attempt.outcome is Outcome.RETRY
        assert "cannot read" in attempt.detail
        for number in range(2):
            value = str(service.section[key]).replace("URL", base_of(receiver)).replace(SECRET, f"other-{number}")
            file.write_text(f"{value}\n")
            receiver.got.clear()
            receiver.answers = [service.good() for _ in service.schemas]
            assert (await deliver(integration, notice())).outcome is Outcome.DELIVERED
            if service.kind != "webhook":
                request = receiver.got[0]
                assert f"other-{number}" in f"{request.path} {request.headers} {request.body.decode()}"


@every_service
def test_a_template_that_fails_keeps_no_notification(service: Service) -> None:
    texts = {"slack": "title", "pagerduty": "description", "opsgenie": "message", "webhook": ""}
    key = texts.get(service.kind, "message" if service.kind in ("telegram", "discord") else "title")
    if not key:
        return
    more: dict[str, Any] = {key: "{{ .CommonLabels.team.name.nope }}"}
    body = made(service, "http://x", **more).render(notice())
    assert "QueueLong" in body


def test_names_say_kind_and_place() -> None:
    section = ReceiverSection.model_validate(
        {"name": "team", "webhook_configs": [{"url": "http://a"}, {"url": "http://b"}],
         "slack_configs": [{"api_url": "http://c"}]}
    )  # fmt: skip
    assert sorted(integrations([section], setting())) == [
        ("team", "slack/0"),
        ("team", "webhook/0"),
        ("team", "webhook/1"),
    ]


def test_groups_keep_their_key_at_the_service() -> None:
    slots = {}
    for service in SERVICES:
        if service.kind in ("pagerduty", "opsgenie"):
            integration = made(service, "http://x")
            slots[service.kind] = (integration.render(notice()), integration.render(resolved()))
    firing_event, resolving_event = (json.loads(body) for body in slots["pagerduty"])
    assert firing_event["dedup_key"] == resolving_event["dedup_key"]
    assert (firing_event["event_action"], resolving_event["event_action"]) == ("trigger", "resolve")
    opened, closed = (json.loads(body)["requests"] for body in slots["opsgenie"])
    assert f"v2/alerts/{opened[0]['body']['alias']}/close?identifierType=alias" == closed[0]["path"]
    assert GROUP_KEY not in slots["pagerduty"][0]
