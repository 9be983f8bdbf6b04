"""Mails, sent to a real mail server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerting.notify import mail as module
from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.mail import EmailSection, Mail, compose, text_of
from alerting.notify.message import Message
from tests.alerting.notify.mailbox import Mailbox, serving
from tests.alerting.notify.scene import huge, notice, resolved, setting
from tests.collectors.server import make_certificate, server_tls
from tests.components import require
from tests.fakes.clock import START

# The server warns that logins are not encrypted, and of how it keeps them itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Requiring AUTH while"),
    pytest.mark.filterwarnings("ignore:Session.login_data is deprecated"),
]

SECTION: dict[str, Any] = {"to": "Shop <shop@example.org>, ops@example.org", "from": "watch@example.org"}


def made(mailbox: Mailbox, base: Path = Path(), **keys: Any) -> Mail:
    section = {"smarthost": mailbox.smarthost, "require_tls": False, "timeout": 5.0, **SECTION, **keys}
    return Mail(EmailSection.model_validate(section), setting(base))


async def deliver(mail: Mail, of: Any = None) -> Attempt:
    of = of or notice()
    message = Message("key-1", "team", mail.name, of.group_key, of.status, mail.render(of), START)
    async with aiohttp.ClientSession() as session:
        return await mail.send(session, message)


async def test_a_mail_has_text_html_and_headers() -> None:
    async with serving() as mailbox:
        attempt = await deliver(
            made(mailbox, headers={"x-team": "shop", "Reply-To": "a@example.org"}, hello="watch.test")
        )
        assert attempt == Attempt(Outcome.DELIVERED, f"taken by {mailbox.smarthost}")
    mail = mailbox.mail()
    assert mailbox.envelopes[0].mail_from == "watch@example.org"
    assert mailbox.envelopes[0].rcpt_tos == ["shop@example.org", "ops@example.org"]
    assert mailbox.hello == "watch.test"
    assert mail["Subject"].startswith("[FIRING")
    assert "QueueLong" in mail["Subject"]
    assert (mail["X-Team"], mail["Reply-To"], mail["Message-ID"]) == ("shop", "a@example.org", "<key-1@watch.test>")
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "queue_length > 1000" in text.get_content()
    assert "auth 1.4.2, deployed 40 s before" in text.get_content()
    assert "The queue is &lt;long&gt; &amp;" in html.get_content()
    assert "auth 1.4.2, deployed 40 s before" in html.get_content()


async def test_mails_of_one_group_are_one_thread() -> None:
    async with serving() as mailbox:
        mail = made(mailbox)
        await deliver(mail)
        first = mailbox.mail()
        mailbox.envelopes.clear()
        await deliver(mail, resolved())
        assert mailbox.mail()["References"] == first["References"]


async def test_a_huge_mail_arrives_whole() -> None:
    async with serving() as mailbox:
        assert (await deliver(made(mailbox), huge())).outcome is Outcome.DELIVERED
        html = mailbox.mail().get_body(("html",))
        assert html is not None
        assert "slash ä€😀" in html.get_content()


@pytest.mark.parametrize("without", [("CRAM-MD5", "LOGIN"), ("CRAM-MD5", "PLAIN")])
async def test_a_login_uses_what_the_server_offers(without: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass\n")
    async with serving(password=b"pass", without=without) as mailbox:
        attempt = await deliver(made(mailbox, tmp_path, auth_username="watch", auth_password_file="password"))
    assert attempt.outcome is Outcome.DELIVERED
    ((mechanism, user, password),) = mailbox.logins
    assert (user, password) == (b"watch", b"pass")
    assert mechanism not in without


async def test_a_secret_is_proven_by_cram_md5() -> None:
    async with serving(password=b"-", without=()) as mailbox:
        attempt = await deliver(made(mailbox, auth_username="watch", auth_secret="hush"))
    assert attempt.outcome is Outcome.DELIVERED
    assert mailbox.logins == [("CRAM-MD5", b"watch", b"")]


async def test_a_wrong_password_is_tried_again_and_not_shown() -> None:
    async with serving(password=b"pass") as mailbox:
        attempt = await deliver(made(mailbox, auth_username="watch", auth_password="wr0ng"))
    assert attempt.outcome is Outcome.RETRY
    assert attempt.detail.startswith("the login failed: 535")
    assert "wr0ng" not in attempt.detail


async def test_a_password_is_sent_to_another_host_only_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCAL", ())
    async with serving(password=b"hunter2") as mailbox:
        attempt = await deliver(made(mailbox, auth_username="watch", auth_password="hunter2"))
    assert attempt == Attempt(Outcome.RETRY, "a password is not sent unencrypted; use a server with STARTTLS")
    assert mailbox.logins == []


async def test_without_tls_nothing_is_sent_where_it_is_required() -> None:
    async with serving() as mailbox:
        attempt = await deliver(made(mailbox, require_tls=True))
    assert attempt.outcome is Outcome.RETRY
    assert "does not offer STARTTLS; set 'require_tls: false'" in attempt.detail
    assert mailbox.envelopes == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 later", "retry"), ("550 no such mail wanted", "rejected"), ("552 too large", "rejected")],
)
async def test_the_answer_decides_whether_it_is_tried_again(answer: str, outcome: str) -> None:
    async with serving() as mailbox:
        mailbox.data_answer = answer
        attempt = await deliver(made(mailbox))
    assert (attempt.outcome, attempt.detail) == (Outcome(outcome), answer)


async def test_one_refused_address_keeps_the_mail_from_no_other() -> None:
    async with serving() as mailbox:
        mailbox.refusals = {"ops@example.org": "550 unknown"}
        attempt = await deliver(made(mailbox))
        assert attempt == Attempt(Outcome.DELIVERED, f"taken by {mailbox.smarthost}, but not for ops@example.org")
        mailbox.refusals["shop@example.org"] = "451 later"
        attempt = await deliver(made(mailbox))
        assert attempt.outcome is Outcome.RETRY
        mailbox.refusals["shop@example.org"] = "550 unknown"
        attempt = await deliver(made(mailbox))
    assert attempt.outcome is Outcome.REJECTED
    assert "shop@example.org: 550 unknown" in attempt.detail


async def test_no_server_is_tried_again() -> None:
    attempt = await deliver(made(Mailbox(port=1)))
    assert attempt.outcome is Outcome.RETRY
    assert "refused" in attempt.detail.lower()


async def test_what_is_absent_is_taken_from_global(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass")
    async with serving(password=b"pass") as mailbox:
        defaults: dict[str, Any] = {
            "smtp_smarthost": mailbox.smarthost,
            "smtp_from": "global@example.org",
            "smtp_require_tls": False,
            "smtp_hello": "hello.test",
            "smtp_auth_username": "w",
            "smtp_auth_password_file": "password",
        }
        mail = Mail(EmailSection.model_validate({"to": "a@example.org"}), setting(tmp_path, **defaults))
        assert mail.missing() == ""
        assert (await deliver(mail)).outcome is Outcome.DELIVERED
        assert (mailbox.envelopes[0].mail_from, mailbox.hello) == ("global@example.org", "hello.test")
    lost = Mail(EmailSection.model_validate({"to": "a@example.org"}), setting())
    assert "has no mail server" in lost.missing()


async def test_nothing_in_a_label_can_add_a_header() -> None:
    async with serving() as mailbox:
        of = notice(group_labels={"alertname": "A\r\nBcc: evil@example.org"})
        attempt = await deliver(made(mailbox, headers={"Subject": '{{ template "email.default.subject" . }}'}), of)
        assert attempt.outcome is Outcome.DELIVERED
        assert mailbox.mail()["Bcc"] is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"to": ""}, "at least 1 character"),
        ({"smarthost": "mail"}, "is no 'host:port'"),
        ({"smarthost": "mail:0"}, "is no 'host:port'"),
        ({"headers": {"to": "a", "To": "b"}}, "given twice"),
        ({"headers": {"a b": "c"}}, "no name of a header"),
        ({"auth_password": "a", "auth_password_file": "b"}, "has both"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EmailSection.model_validate(SECTION | keys)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
@example("", "ann@", "")
def test_any_text_makes_a_mail_or_a_clear_refusal(subject: str, to: str, text: str) -> None:
    headers = {"From": "w@example.org", "To": " ".join(to.split()), "Subject": " ".join(subject.split())}
    document = {"headers": headers, "thread": "t", "text": text, "html": text}
    try:
        made_mail = compose(document, "k", START, "h")
    except ValueError:
        return
    assert b"\nBcc:" not in bytes(made_mail).partition(b"\n\n")[0] if "Bcc" not in to + subject else True


def test_html_becomes_lines_of_text() -> None:
    html = "<style>b{}</style><p>One &amp; <b>two</b></p><table><tr><td>three</td></tr></table>four<br>five"
    assert text_of(html) == "One & two\nthree\nfour\nfive"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(require("openssl"), tmp_path)


@pytest.mark.slow
@pytest.mark.component("openssl")
class TestTls:
    """With a certificate that openssl makes."""

    async def test_starttls_is_used_where_it_is_offered(self, certificate: tuple[Path, Path]) -> None:
        async with serving(tls=server_tls(*certificate)) as mailbox:
            tls = {"ca_file": str(certificate[0])}
            attempt = await deliver(made(mailbox, require_tls=True, tls_config=tls))
        assert attempt.outcome is Outcome.DELIVERED
        assert mailbox.was_encrypted

    async def test_an_unknown_certificate_is_refused(self, certificate: tuple[Path, Path]) -> None:
        async with serving(tls=server_tls(*certificate)) as mailbox:
            attempt = await deliver(made(mailbox, require_tls=True))
        assert attempt.outcome is Outcome.RETRY
        assert attempt.detail.startswith("the server's certificate is not trusted")
        assert mailbox.envelopes == []

    async def test_the_certificate_must_be_for_the_name(self, certificate: tuple[Path, Path]) -> None:
        async with serving(tls=server_tls(*certificate)) as mailbox:
            tls = {"ca_file": str(certificate[0]), "server_name": "mail.example.org"}
            attempt = await deliver(made(mailbox, tls_config=tls))
            assert attempt.outcome is Outcome.RETRY
            tls["server_name"] = "localhost"
            assert (await deliver(made(mailbox, tls_config=tls))).outcome is Outcome.DELIVERED

    async def test_port_465_is_encrypted_from_the_start(
        self, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serving(tls=server_tls(*certificate), is_implicit=True) as mailbox:
            monkeypatch.setattr(module, "IMPLICIT_TLS_PORT", mailbox.port)
            attempt = await deliver(made(mailbox, require_tls=True, tls_config={"ca_file": str(certificate[0])}))
        assert attempt.outcome is Outcome.DELIVERED


def test_what_is_stored_holds_no_password() -> None:
    mail = made(Mailbox(port=1), auth_username="w", auth_password="hunter2", auth_secret="hunter2")
    assert "hunter2" not in mail.render(notice())
    assert json.loads(mail.render(notice()))["from"] == "watch@example.org"
