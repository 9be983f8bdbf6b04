"""What the answers of a receiver mean, and what is sent to it."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import ValidationError

from alerting.notify.attempt import Outcome, judge, retry_after_seconds
from alerting.notify.message import Message
from alerting.notify.secret import SecretError, read_secret
from alerting.notify.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from alerting.notify.webhook import Webhook, WebhookSection
from tests.alerting.notify.scene import setting
from tests.alerting.receiver import receiving
from tests.fakes.clock import START

MESSAGE = Message("key-1", "team", "webhook/0", "{}:{}", "firing", '{"version":"4"}\n', START)


async def send(section: dict[str, object], base: Path = Path()) -> tuple[Outcome, str]:
    webhook = Webhook(WebhookSection.model_validate(section), setting(base))
    async with aiohttp.ClientSession() as session:
        attempt = await webhook.send(session, MESSAGE)
    return attempt.outcome, attempt.detail


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (202, "delivered"), (204, "delivered"), (301, "rejected"), (400, "rejected"),
     (401, "rejected"), (404, "rejected"), (408, "retry"), (429, "retry"), (500, "retry"), (503, "retry"),
     (599, "retry")],
)  # fmt: skip
def test_the_status_decides(status: int, outcome: str) -> None:
    assert judge(status, {}, b"", START).outcome == Outcome(outcome)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", 0), ("30", 30), ("999999999999", 3600), ("-5", 0), ("soon", 0), ("Tue, 14 Nov 2023 22:13:30 GMT", 10),
     ("Tue, 14 Nov 2023 22:13:10 GMT", 0), ("²", 0)],
)  # fmt: skip
def test_retry_after_is_read(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, START) == seconds


async def test_the_message_is_posted_as_it_is_with_its_key() -> None:
    async with receiving() as receiver:
        assert await send({"url": receiver.url}) == (Outcome.DELIVERED, "status 200")
    (got,) = receiver.got
    assert (got.body, got.key) == (MESSAGE.body.encode(), "key-1")
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["User-Agent"].startswith("watchkeeper/")
    assert "Authorization" not in got.headers


async def test_secrets_come_from_files_and_are_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "signing").write_text("s3cret\n")
    async with receiving() as receiver:
        (tmp_path / "url").write_text(receiver.url)
        section: dict[str, object] = {
            "url_file": "url",
            "signing_secret_file": "signing",
            "http_config": {"authorization": {"credentials_file": "token"}},
        }
        await send(section, tmp_path)
        (tmp_path / "token").write_text("two")
        await send(section, tmp_path)
    first, second = receiver.got
    assert first.headers["Authorization"] == "Bearer one"
    assert second.headers["Authorization"] == "Bearer two"
    signature = first.headers[SIGNATURE_HEADER]
    assert verify(b"s3cret", first.headers[TIMESTAMP_HEADER], signature, first.body, START)


async def test_basic_auth_is_sent(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass:word")
    auth = {"basic_auth": {"username": "user", "password_file": str(tmp_path / "password")}}
    async with receiving() as receiver:
        await send({"url": receiver.url, "http_config": auth})
    assert receiver.got[0].headers["Authorization"] == "Basic dXNlcjpwYXNzOndvcmQ="


async def test_a_secret_file_that_is_gone_is_tried_again_later(tmp_path: Path) -> None:
    outcome, detail = await send({"url": "http://127.0.0.1:9/", "signing_secret_file": "gone"}, tmp_path)
    assert outcome is Outcome.RETRY
    assert "gone: cannot read" in detail


async def test_an_answer_is_shown_in_part_however_long_it_is() -> None:
    async with receiving() as receiver:
        receiver.answers = [web.Response(status=500, body=b"no\n" * 1_000_000)]
        outcome, detail = await send({"url": receiver.url})
    assert outcome is Outcome.RETRY
    assert detail.startswith("status 500: no no no")
    assert len(detail) < 400


async def test_a_receiver_that_says_nothing_is_tried_again() -> None:
    async with receiving() as receiver:
        receiver.answers = ["hang"]
        assert await send({"url": receiver.url, "timeout": "100ms"}) == (Outcome.RETRY, "no answer within 0.1 s")


async def test_a_receiver_that_hangs_up_or_is_not_there_is_tried_again() -> None:
    async with receiving() as receiver:
        receiver.answers = ["hang up"]
        outcome, _ = await send({"url": receiver.url})
        assert outcome is Outcome.RETRY
    outcome, detail = await send({"url": receiver.url})
    assert outcome is Outcome.RETRY
    assert "connect" in detail.lower()


async def test_redirects_are_not_followed() -> None:
    async with receiving() as receiver:
        receiver.answers = [web.Response(status=302, headers={"Location": "http://169.254.169.254/"})]
        outcome, _ = await send({"url": receiver.url})
    assert outcome is Outcome.REJECTED
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"a\nb", "more than one line"),
        (b"\xff", "not UTF-8"),
        (b"a" * 70_000, "larger"),
    ],
)
def test_a_file_that_holds_no_secret_is_named_but_not_shown(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SecretError, match=words):
        read_secret(tmp_path / "secret")


async def test_an_address_from_a_file_is_not_shown_when_it_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("token-hunter2")
    outcome, detail = await send({"url_file": "url"}, tmp_path)
    assert outcome is Outcome.RETRY
    assert "hunter2" not in detail


def test_a_wrong_address_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValidationError, match="no http:// or https:// address"):
        WebhookSection.model_validate({"url": "127.0.0.1:9009"})
