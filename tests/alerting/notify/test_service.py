"""What is particular to single services: their ways to say no, their markup, their limits."""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.length import cut, cut_bytes, cut_html
from alerting.notify.notice import Links, Notice
from tests.alerting.notify.scene import huge, notice
from tests.alerting.notify.test_contract import SERVICES, Service, base_of, deliver, made
from tests.alerting.receiver import receiving

KINDS = {service.kind: service for service in SERVICES}


async def answered(kind: str, *answers: web.Response, of: Notice | None = None, **keys: Any) -> Attempt:
    async with receiving() as receiver:
        receiver.answers = list(answers)
        return await deliver(made(KINDS[kind], base_of(receiver), **keys), of or notice())


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        (web.json_response({"ok": True}), "delivered", "status 200"),
        (web.json_response({"ok": False, "error": "channel_not_found"}), "rejected", "Slack says: channel_not_found"),
        (web.json_response({"ok": False, "error": "ratelimited"}), "retry", "Slack says: ratelimited"),
        (web.Response(text="invalid_token"), "rejected", "Slack says: invalid_token"),
        (web.Response(text="no_text", status=400), "rejected", "status 400: no_text"),
    ],
)
async def test_slack_says_no_in_the_body(answer: web.Response, outcome: str, detail: str) -> None:
    attempt = await answered("slack", answer)
    assert (attempt.outcome, attempt.detail) == (Outcome(outcome), detail)


async def test_slack_apps_send_their_token() -> None:
    async with receiving() as receiver:
        receiver.answers = [web.json_response({"ok": True})]
        app = Service("slack", {"app_token": "xoxb-1", "app_url": "URL", "channel": "C1"}, [])
        assert (await deliver(made(app, base_of(receiver)), notice())).outcome is Outcome.DELIVERED
    assert receiver.got[0].headers["Authorization"] == "Bearer xoxb-1"
    assert receiver.got[0].message["channel"] == "C1"


def test_slack_markup_in_what_is_known_stays_text() -> None:
    body = made(KINDS["slack"], "http://x", text="Look").render(notice(suspects=("<!channel> & <b>",)))
    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in body


@pytest.mark.parametrize(("code", "outcome"), [(429, "retry"), (502, "retry"), (413, "rejected")])
async def test_teams_says_no_with_status_200(code: int, outcome: str) -> None:
    text = f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {code} with x"
    assert (await answered("msteams", web.Response(text=text))).outcome == Outcome(outcome)


@pytest.mark.parametrize("kind", ["msteams", "msteamsv2"])
def test_teams_cards_fit(kind: str) -> None:
    assert len(made(KINDS[kind], "http://x").render(huge()).encode()) <= 28_000


async def test_pauses_in_the_body_count() -> None:
    limited = {"ok": False, "error_code": 429, "parameters": {"retry_after": 12}}
    assert (await answered("telegram", web.json_response(limited, status=429))).retry_after == 12
    assert (await answered("discord", web.json_response({"retry_after": 0.25}, status=429))).retry_after == 0.25
    assert (await answered("discord", web.Response(text="?", status=429))).retry_after == 0


@pytest.mark.parametrize("mode", ["HTML", "MarkdownV2", "Markdown", ""])
def test_telegram_texts_keep_their_markup(mode: str) -> None:
    own = made(KINDS["telegram"], "http://x", parse_mode=mode, message="Look: {{ .Status }}")
    text = json.loads(own.render(notice()))["text"]
    assert text.startswith("Look: firing\n\n")
    if mode == "HTML":
        assert '<a href="https://watch.example.org/acknowledge?token=abc&amp;incident=7">Acknowledge</a>' in text
    if mode == "MarkdownV2":
        outside = re.sub(r"\]\([^)]*\)", "", text).replace("Look: firing", "")
        assert not re.findall(r"(?<!\\)[_*()~`>#+=|{}.!-]", outside)


def test_telegram_html_that_is_too_long_stays_whole() -> None:
    text = json.loads(made(KINDS["telegram"], "http://x").render(huge()))["text"]
    assert len(text) <= 4096
    assert balanced(text)


async def test_the_older_pagerduty_api_limits_with_403(monkeypatch: pytest.MonkeyPatch) -> None:
    from alerting.notify import pagerduty  # noqa: PLC0415
    from tests.alerting.notify import schema  # noqa: PLC0415

    older = Service("pagerduty", {"service_key": "k"}, [])
    async with receiving() as receiver:
        monkeypatch.setattr(pagerduty, "OLDER_URL", receiver.url)
        receiver.answers = [web.Response(status=403), web.Response(status=200)]
        assert (await deliver(made(older, ""), notice())).outcome is Outcome.RETRY
        assert (await deliver(made(older, ""), notice())).outcome is Outcome.DELIVERED
    import jsonschema  # noqa: PLC0415

    jsonschema.validate(receiver.got[1].message, schema.PAGERDUTY_V1)


async def test_opsgenie_stops_at_the_first_request_that_fails() -> None:
    async with receiving() as receiver:
        receiver.answers = [web.Response(status=202), web.Response(status=503)]
        attempt = await deliver(made(KINDS["opsgenie"], base_of(receiver)), notice())
    assert attempt.outcome is Outcome.RETRY
    assert [(got.method, got.path.rpartition("/")[2]) for got in receiver.got] == [
        ("POST", "alerts"),
        ("PUT", "message?identifierType=alias"),
    ]
    assert receiver.got[0].headers["Authorization"] == "GenieKey s3cr3t-t0ken"
    assert receiver.got[0].message["responders"] == [{"name": "shop", "type": "team"}, {"name": "core", "type": "team"}]


@pytest.mark.parametrize(
    ("status", "follow", "outcome"), [(307, True, "delivered"), (308, True, "delivered"), (302, True, "rejected"),
                                      (307, False, "rejected")]
)  # fmt: skip
async def test_only_redirects_that_keep_the_message_are_followed(status: int, follow: bool, outcome: str) -> None:
    async with receiving() as receiver:
        receiver.answers = [web.Response(status=status, headers={"Location": "/there"})]
        http = {"follow_redirects": follow, "bearer_token": "b"}
        attempt = await deliver(made(KINDS["webhook"], base_of(receiver), http_config=http), notice())
    assert attempt.outcome == Outcome(outcome)
    if outcome == "delivered":
        assert receiver.got[1].path == "/there"
        assert receiver.got[1].body == receiver.got[0].body
        assert receiver.got[1].headers["Authorization"] == "Bearer b"


async def test_credentials_do_not_follow_to_another_host() -> None:
    async with receiving() as other, receiving() as receiver:
        receiver.answers = [web.Response(status=307, headers={"Location": other.url})]
        http = {"bearer_token": "b", "http_headers": {"X-Key": {"secrets": ["k"]}}}
        await deliver(made(KINDS["webhook"], base_of(receiver), http_config=http), notice())
    assert receiver.got[0].headers["X-Key"] == "k"
    assert not {"Authorization", "X-Key"} & set(other.got[0].headers)


async def test_a_proxy_is_used() -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        http = {"proxy_url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        attempt = await deliver(made(KINDS["webhook"], "http://shop.invalid", http_config=http), notice())
    assert attempt.outcome is Outcome.DELIVERED
    assert asked == [b"POST http://shop.invalid HTTP/1.1\r\n"]


def test_what_has_ended_is_not_acknowledged_and_only_web_addresses_are_linked() -> None:
    of = notice(status="resolved", links=Links(acknowledge="https://a", incident="javascript:alert(1)"))
    buttons = json.loads(made(KINDS["slack"], "http://x").render(of))["attachments"][0]["actions"]
    assert [button["text"] for button in buttons] == ["Runbook", "Console"]


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def balanced(html: str) -> bool:
    parser = _Balance()
    parser.feed(html)
    parser.close()
    return not parser.open


_PART = st.one_of(
    st.text(st.characters(exclude_characters="<>&"), max_size=8), st.sampled_from(["&amp;", "&lt;", "<b>x</b>", "😀"])
)


@settings(max_examples=100)
@given(st.lists(_PART, max_size=30), st.integers(20, 80), st.booleans())
def test_cut_texts_keep_their_limit(parts: list[str], limit: int, inside: bool) -> None:
    html = "".join(parts)
    html = f'<a href="x"><i>{html}</i></a>' if inside else html
    assert len(cut_html(html, max(limit, 30))) <= max(limit, 30)
    assert balanced(cut_html(html, max(limit, 30)))
    assert len(cut(html, limit)) <= limit
    assert len(cut_bytes(html, limit).encode()) <= limit
