"""Mail: one message with text and HTML, by SMTP."""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
import ssl
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, getaddresses
from hashlib import sha256
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from alerting.notify.attempt import Attempt, Outcome
from alerting.notify.fact import facts, links
from alerting.notify.global_config import HostPort, move_to, one_of
from alerting.notify.http_client import shortened
from alerting.notify.integration import BaseIntegration, Setting, Texts, plain_subject, unusable
from alerting.notify.length import cut
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.receiver_config import AddressSection
from alerting.notify.secret import SecretError, source
from core.config import Duration
from core.http.config import TlsConfig
from core.http.tls import make_context
from core.secret import SecretText, scrub
from core.text import Text
from core.version import __version__
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

DEFAULT_TIMEOUT_SECONDS = 30.0
IMPLICIT_TLS_PORT = 465
SUBJECT_CHARACTERS = 300
"""More than anybody shows of it; Python folds headers in time that grows with the square of their length."""

DEFAULT_HTML = '{{ template "email.default.html" . }}'
DEFAULT_SUBJECT = '{{ template "email.default.subject" . }}'
_LOCAL = ("localhost", "127.0.0.1", "::1")
_OURS = ("From", "To", "Subject")


class EmailSection(AddressSection):
    """A mailbox. Texts are templates; what is absent is taken from `global`."""

    send_resolved: bool = Field(False, description="Whether ends are told too.", examples=[True])
    to: Text = Field(min_length=1, description="Addresses, between commas.", examples=["shop@example.org"])
    from_: Text | None = Field(None, alias="from", description="The sender.", examples=["watch@example.org"])
    smarthost: HostPort | None = Field(None, description="The mail server.", examples=["smtp.example.org:587"])
    hello: Text | None = Field(None, description="How we name ourselves to it.", examples=["watch.example.org"])
    auth_username: Text | None = Field(None, description="User name there.", examples=["watchkeeper"])
    auth_password: Annotated[SecretText | None, move_to("auth_password_file")] = Field(
        None, description="Password there.", examples=["secret"]
    )
    auth_password_file: Path | None = Field(
        None, description="A file that holds the password.", examples=["secrets/smtp"]
    )
    auth_secret: Annotated[SecretText | None, move_to("auth_secret_file")] = Field(
        None, description="Secret for CRAM-MD5.", examples=["secret"]
    )
    auth_secret_file: Path | None = Field(
        None, description="A file that holds the secret for CRAM-MD5.", examples=["secrets/smtp"]
    )
    auth_identity: Text | None = Field(None, description="Identity for PLAIN, if not the user name.", examples=["w"])
    require_tls: bool | None = Field(None, description="Whether it is sent encrypted only.", examples=[True])
    tls_config: TlsConfig | None = Field(
        None, description="How the mail server proves itself.", examples=[{"ca_file": "ca.pem"}]
    )
    headers: dict[str, Text] = Field(
        default_factory=dict, description="More headers, or other ones.", examples=[{"Subject": "Shop"}]
    )
    html: Text = Field(DEFAULT_HTML, description="The HTML.", examples=["<b>Shop</b>"])
    text: Text = Field("", description="The plain text; that of the HTML where absent.", examples=["Shop is down"])
    timeout: Duration = Field(
        0.0, ge=0, le=300, description="How long a step of sending may take; 0s for the usual 30s.", examples=["10s"]
    )

    @field_validator("headers")
    @classmethod
    def _canonical(cls, headers: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in headers.items():
            if not re.fullmatch(r"[!-9;-~]+", name):
                raise ValueError(f"{name!r} is no name of a header; use letters, digits and '-'")
            usual = "-".join(part.capitalize() for part in name.split("-"))
            if usual in found:
                raise ValueError(f"header {usual!r} is given twice; keep one")
            found[usual] = value
        return found

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        one_of(self, ("auth_password", "auth_password_file"), ("auth_secret", "auth_secret_file"))
        return self


class Mail(BaseIntegration):
    """Sends mails, each over a connection of its own.

    Raises: ConfigError: a certificate cannot be used.
    """

    kind = "email"

    def __init__(self, section: EmailSection, setting: Setting, index: int = 0, path: Path_ = ()) -> None:
        super().__init__(section, setting, index, path)
        self._section = section
        defaults = setting.defaults
        self._smarthost = section.smarthost or defaults.smtp_smarthost or ""
        self._from = section.from_ or defaults.smtp_from or ""
        self._hello = section.hello or defaults.smtp_hello
        self._user = section.auth_username or defaults.smtp_auth_username or ""
        self._identity = section.auth_identity or defaults.smtp_auth_identity or ""
        self._password = source(
            (section.auth_password, section.auth_password_file),
            (defaults.smtp_auth_password, defaults.smtp_auth_password_file),
        )
        self._secret = source(
            (section.auth_secret, section.auth_secret_file),
            (defaults.smtp_auth_secret, defaults.smtp_auth_secret_file),
        )
        required = section.require_tls
        self._needs_tls = defaults.smtp_require_tls if required is None else required
        self._tls_config = section.tls_config or defaults.smtp_tls_config or TlsConfig()
        make_context(self._tls_config, setting.base, (*path, "tls_config"), _Context)
        self._timeout_seconds = section.timeout or DEFAULT_TIMEOUT_SECONDS

    def missing(self) -> str:
        """Return what lacks."""
        if not self._smarthost:
            return "has no mail server; give 'smarthost' here or 'smtp_smarthost' under 'global'"
        return "" if self._from else "has no sender; give 'from' here or 'smtp_from' under 'global'"

    def secret_files(self) -> list[tuple[Path_, Path]]:
        """Return the files with its own password and secret."""
        section = self._section
        files = {"auth_password_file": section.auth_password_file, "auth_secret_file": section.auth_secret_file}
        return [((key,), self._setting.base / file) for key, file in files.items() if file is not None]

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        headers = {name: _line(texts.text(value)) for name, value in self._section.headers.items()}
        subject = headers.pop("Subject", "") or _line(texts.text(DEFAULT_SUBJECT)) or plain_subject(notice)
        html = texts.html(self._section.html)
        own = texts.text(self._section.text)
        text = own or text_of(html)
        is_usual = self._section.html == DEFAULT_HTML  # which says all of it already
        sender = _line(texts.quiet(self._from))
        to = _line(texts.quiet(self._section.to))
        return {
            "from": sender,
            "to": to,
            "headers": {"From": sender, "To": to, "Subject": cut(subject, SUBJECT_CHARACTERS), **headers},
            "thread": sha256(notice.group_key.encode()).hexdigest()[:32],
            "html": _with_extra(html, notice) if html and not is_usual else html,
            "text": text.rstrip() + (_text_extra(notice) if own or not is_usual else ""),
        }

    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Send the mail once."""
        try:
            return await asyncio.to_thread(self._send, message)
        except SecretError as error:
            return unusable(error)

    def _send(self, message: Message) -> Attempt:
        document = json.loads(message.body)
        password, secret = self._password.read(self._setting.base), self._secret.read(self._setting.base)
        try:
            mail = compose(document, message.key, self._setting.clock.now(), self._hello)
            recipients = [address for _, address in getaddresses([document["to"]]) if address]
            if not recipients:
                return Attempt(Outcome.REJECTED, "there is no address in 'to'")
            with self._connect() as server:
                self._secure(server)
                self._log_in(server, password, secret)
                sender = getaddresses([document["from"]])[0][1]
                refused = server.send_message(mail, sender, recipients)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            attempt = judge_error(error)
            return Attempt(attempt.outcome, shortened(scrub(attempt.detail, password, secret)))
        others = f", but not for {', '.join(sorted(refused))}" if refused else ""
        return Attempt(Outcome.DELIVERED, f"taken by {self._smarthost}{others}")

    def _connect(self) -> smtplib.SMTP:
        host, _, port = self._smarthost.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if int(port) == IMPLICIT_TLS_PORT:
            return smtplib.SMTP_SSL(
                host, int(port), local_hostname=self._hello, timeout=self._timeout_seconds, context=self._context()
            )
        return smtplib.SMTP(host, int(port), local_hostname=self._hello, timeout=self._timeout_seconds)

    def _secure(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if isinstance(server, smtplib.SMTP_SSL):
            return
        if server.has_extn("starttls"):
            server.starttls(context=self._context())
            server.ehlo()
        elif self._needs_tls:
            raise smtplib.SMTPNotSupportedError(
                f"{self._smarthost} does not offer STARTTLS; set 'require_tls: false' to send unencrypted"
            )

    def _log_in(self, server: smtplib.SMTP, password: str, secret: str) -> None:
        if not self._user or not (password or secret):
            return
        host = self._smarthost.rpartition(":")[0]
        is_safe = isinstance(server.sock, ssl.SSLSocket) or host in _LOCAL
        offered = server.esmtp_features.get("auth", "").upper().split()
        if secret and "CRAM-MD5" in offered:
            server.user, server.password = self._user, secret
            server.auth("CRAM-MD5", server.auth_cram_md5)
        elif not is_safe:
            raise smtplib.SMTPNotSupportedError("a password is not sent unencrypted; use a server with STARTTLS")
        elif "PLAIN" in offered:
            server.auth("PLAIN", lambda _=None: f"{self._identity}\0{self._user}\0{password}")
        elif "LOGIN" in offered:
            server.user, server.password = self._user, password
            server.auth("LOGIN", server.auth_login)
        else:
            ways = ", ".join(offered) or "none"
            raise smtplib.SMTPNotSupportedError(f"{self._smarthost} offers no way to log in that is known here: {ways}")

    def _context(self) -> ssl.SSLContext:
        context = make_context(self._tls_config, self._setting.base, (*self._path, "tls_config"), _Context)
        context.expected_name = self._tls_config.server_name
        return context


class _Context(ssl.SSLContext):
    """Expects another name in the certificate than the host's, where one is set."""

    expected_name: str | None = None

    def wrap_socket(self, *args: Any, **keywords: Any) -> ssl.SSLSocket:
        if self.expected_name:
            keywords["server_hostname"] = self.expected_name
        return super().wrap_socket(*args, **keywords)


def compose(document: dict[str, Any], key: str, now: float, host: str) -> EmailMessage:
    """Return the mail; every attempt to send it bears the same Message-ID, every mail of a group the same thread.

    Raises: ValueError: a header cannot be written.
    """
    mail = EmailMessage()
    headers = {
        **document["headers"],
        "Date": formatdate(now),
        "Message-ID": f"<{key}@{host}>",
        "References": f"<{document['thread']}@{host}>",
        "X-Mailer": f"watchkeeper/{__version__}",
        "Auto-Submitted": "auto-generated",
        **{name: value for name, value in document["headers"].items() if name not in _OURS},
    }
    seen = set()
    for name, value in headers.items():
        if name.lower() not in seen and value:
            seen.add(name.lower())
            try:
                mail[name] = value
            except (IndexError, AttributeError, MessageError) as error:
                # What Python's parser of addresses does at the end of a text like `ann@`.
                raise ValueError(f"{name} {value!r} is no list of addresses") from error
    mail.set_content(document["text"] or " ", charset="utf-8")
    if document["html"]:
        mail.add_alternative(document["html"], subtype="html", charset="utf-8")
    return mail


def judge_error(error: Exception) -> Attempt:
    """Return what a failure to send means: a refusal for good is one of this mail, not of us or of our password."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        said = "; ".join(f"{address}: {code} {_said(text)}" for address, (code, text) in error.recipients.items())
        return Attempt(Outcome.REJECTED if all(code >= 500 for code in codes) else Outcome.RETRY, said)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Attempt(Outcome.RETRY, f"the login failed: {error.smtp_code} {_said(error.smtp_error)}")
    if isinstance(error, smtplib.SMTPResponseException):
        refused = error.smtp_code >= 500 and isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused)
        detail = f"{error.smtp_code} {_said(error.smtp_error)}"
        return Attempt(Outcome.REJECTED if refused else Outcome.RETRY, detail)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Attempt(Outcome.RETRY, f"the server's certificate is not trusted: {error.verify_message}")
    if isinstance(error, ValueError):
        return Attempt(Outcome.REJECTED, f"the mail cannot be written: {error}")
    return Attempt(Outcome.RETRY, str(error) or type(error).__name__)


_TAGS = re.compile(r"<(?:style|script|title)\b.*?</(?:style|script|title)\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_ENDS = re.compile(r"<(?:br|/p|/tr|/div|/h[1-6]|/li|/table)\b[^>]*>", re.IGNORECASE)


def text_of(html: str) -> str:
    """Return the plain text of HTML, line by line, for who reads mails without it."""
    text = unescape(_TAGS.sub("", _ENDS.sub("\n", html)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


def _text_extra(notice: Notice) -> str:
    lines = [f"{name}: {text}" for name, text in (*facts(notice), *links(notice))]
    return "\n\n" + "\n".join(lines) + "\n" if lines else "\n"


def _with_extra(html: str, notice: Notice) -> str:
    rows = [f"<tr><td><b>{escape(name)}</b></td><td>{escape(text)}</td></tr>" for name, text in facts(notice)]
    opened = " &middot; ".join(f'<a href="{escape(url)}">{escape(label)}</a>' for label, url in links(notice))
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    extra = table + (f"<p>{opened}</p>" if opened else "")
    end = html.lower().rfind("</body>")
    return html[:end] + extra + html[end:] if end >= 0 else html + extra


def _line(text: str) -> str:
    return " ".join(text.split())


def _said(text: bytes | str) -> str:
    return text.decode(errors="replace") if isinstance(text, bytes) else text
