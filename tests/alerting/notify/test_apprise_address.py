"""Services by Apprise; its own JSON service stands for all of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from alerting.notify.apprise_address import AppriseAddress, AppriseSection
from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from tests.alerting.notify.scene import notice, resolved, setting
from tests.alerting.receiver import receiving
from tests.fakes.clock import START

# What Apprise imports of others uses what Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


def made(base: Path = Path(), **keys: Any) -> AppriseAddress:
    return AppriseAddress(AppriseSection.model_validate(keys), setting(base))


async def deliver(address: AppriseAddress, of: Notice) -> Attempt:
    message = Message("key-1", "team", address.name, of.group_key, of.status, address.render(of), START)
    async with aiohttp.ClientSession() as session:
        return await address.send(session, message)


def own(url: str) -> str:
    """Return a receiver's address as Apprise writes it."""
    return url.replace("http://", "json://w:s3cr3t@")


async def test_a_message_goes_out_by_apprise() -> None:
    async with receiving() as receiver:
        attempt = await deliver(made(url=own(receiver.url)), notice())
        assert attempt == Attempt(Outcome.DELIVERED, "Apprise has delivered it")
        body = (await receiver.next()).message
        assert body["title"].startswith("[FIRING:1] QueueLong")
        assert "auth 1.4.2, deployed 40 s before" in body["message"]
        assert "https://watch.example.org/acknowledge?token=abc&incident=7" in body["message"]
        assert body["type"] == "failure"
        assert (await deliver(made(url=own(receiver.url)), resolved())).outcome is Outcome.DELIVERED
        assert (await receiver.next()).message["type"] == "success"


async def test_a_text_of_ones_own_is_followed_by_what_there_is_to_know() -> None:
    body = made(url="json://h", message="Look!").render(notice())
    assert "Look!\\nIncident: #7 Checkout fails (critical)" in body
    assert "Value: 1234.5, rule: queue_length > 1000" in body


async def test_a_failure_is_tried_again_and_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("json://w:s3cr3t@127.0.0.1:1/x")
    attempt = await deliver(made(tmp_path, url_file="url"), notice())
    assert attempt.outcome is Outcome.RETRY
    assert "s3cr3t" not in attempt.detail
    gone = await deliver(made(tmp_path, url_file="gone"), notice())
    assert "cannot read" in gone.detail


def test_an_unknown_address_is_a_mistake() -> None:
    assert "is no address that Apprise knows" in made(url="nonsense://x").missing()
    assert made(url="json://h").missing() == ""
    with pytest.raises(ValidationError, match="give 'url_file'"):
        AppriseSection.model_validate({})


async def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    address = made(url="json://h")
    assert "pip install 'watchkeeper[apprise]'" in address.missing()
    attempt = await deliver(address, notice())
    assert attempt.outcome is Outcome.RETRY
    assert "is not installed" in attempt.detail
