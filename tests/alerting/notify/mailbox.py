"""A mail server on a free loopback port that keeps what it gets and refuses what it is told to."""

from __future__ import annotations

import asyncio
import base64
import hmac
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


@dataclass
class Mailbox:
    """What came, and how."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    data_answer: str = "250 OK"
    was_encrypted: bool = False
    hello: str = ""

    @property
    def smarthost(self) -> str:
        return f"127.0.0.1:{self.port}"

    def mail(self) -> EmailMessage:
        (envelope,) = self.envelopes
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.was_encrypted = session.ssl is not None
        self.hello = str(session.host_name)
        if self.data_answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.data_answer

    async def auth_CRAM__MD5(self, server: SMTP, _args: Any) -> AuthResult:  # noqa: N802
        challenge = b"<1.2@mail>"
        await server.push(b"334 " + base64.b64encode(challenge))
        answer = base64.b64decode(await server._reader.readline()).decode()
        user, _, digest = answer.partition(" ")
        good = hmac.new(b"hush", challenge, "md5").hexdigest() == digest
        self.logins.append(("CRAM-MD5", user.encode(), b""))
        return AuthResult(success=good, handled=False)


@asynccontextmanager
async def serving(
    *, password: bytes = b"", without: tuple[str, ...] = ("CRAM-MD5",), tls: ssl.SSLContext | None = None,
    is_implicit: bool = False,
) -> AsyncIterator[Mailbox]:  # fmt: skip
    """Serve a mailbox; with a password it asks for a login."""
    mailbox = Mailbox()

    def authenticate(_server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any) -> AuthResult:
        mailbox.logins.append((mechanism, data.login, data.password))
        return AuthResult(success=data.password == password, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            mailbox,
            hostname="mail.test",
            authenticator=authenticate if password else None,
            auth_required=bool(password),
            auth_require_tls=False,
            auth_exclude_mechanism=without,
            tls_context=None if is_implicit else tls,
            enable_SMTPUTF8=False,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls if is_implicit else None)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await server.wait_closed()
