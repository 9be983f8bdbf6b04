"""What the integrations of all services share: their surroundings, and texts made from templates."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape as escape_html
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from alerting.notify.attempt import Attempt, Outcome, judge
from alerting.notify.global_config import NotificationDefaults
from alerting.notify.http_client import HttpClient, Reply
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.secret import SecretError
from core.clock import Clock
from core.errors import UserError
from core.yaml_file import Path_

if TYPE_CHECKING:
    import aiohttp

Escape = Callable[[str], str]


class TextTemplates(Protocol):
    """The named templates of a config, and texts made with them."""

    def text(self, text: str, data: Any, escape: Callable[[str], str] | None = None) -> str:
        """Return a template's text for `data`; each value in it goes through `escape`."""

    def html(self, text: str, data: Any) -> str:
        """Return it as HTML, with everything that comes from outside escaped."""

    def check(self, text: str) -> None:
        """Refuse a template that can never be rendered; raises UserError."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where integrations live.

    Attributes:
        base: the folder that relative paths start from.
        data_of: turns a notice into what templates are given.
        path: leads to the list of receivers in the config file.
    """

    base: Path
    clock: Clock
    templates: TextTemplates
    data_of: Callable[[Notice], Any]
    defaults: NotificationDefaults = field(default_factory=NotificationDefaults)
    path: Path_ = ("receivers",)


class Texts:
    """Texts for one notice. A template that fails does not keep the notification: the text says what failed.

    Args:
        escape: what comes from outside goes through it, so that it stays text among the marks of a medium.
    """

    def __init__(self, setting: Setting, notice: Notice, escape: Escape | None = None) -> None:
        self._setting = setting
        self._notice = notice
        self._escape = escape
        self._data: Any = None

    def escaping(self, escape: Escape | None) -> Texts:
        """Return the texts of the same notice for a medium with marks of its own."""
        return Texts(self._setting, self._notice, escape)

    def text(self, template: str | None) -> str:
        """Return the text of a template, empty for none."""
        try:
            return self._text(template)
        except UserError as error:
            return self._mistake(error, self._escape)

    def html(self, template: str | None) -> str:
        """Return the HTML of a template, empty for none."""
        try:
            return self._rendered(template, self._setting.templates.html)
        except UserError as error:
            return self._mistake(error, escape_html)

    def quiet(self, template: str | None) -> str:
        """Return the text of a template for a place where no mistake can be told: empty where it fails."""
        try:
            return self._text(template)
        except UserError:
            return ""

    def texts(self, templates: Mapping[str, str]) -> dict[str, str]:
        """Return the texts of many templates under the same names."""
        return {name: self.text(template) for name, template in templates.items()}

    def _text(self, template: str | None) -> str:
        return self._rendered(template, lambda text, data: self._setting.templates.text(text, data, self._escape))

    def _rendered(self, template: str | None, render: Callable[[str, Any], str]) -> str:
        if not template or "{{" not in template:
            return template or ""
        if self._data is None:
            self._data = self._setting.data_of(self._notice)
        return render(template, self._data)

    def _mistake(self, error: UserError, escape: Escape | None) -> str:
        reason = " ".join(str(error).split())
        text = f"{plain_subject(self._notice)} (a template of this receiver failed: {reason})"
        return text if escape is None else escape(text)


def plain_subject(notice: Notice) -> str:
    """Return one line that says what it is about, without any template."""
    values = " ".join(notice.group_labels[name] for name in sorted(notice.group_labels))
    return f"[{notice.status.upper()}:{len(notice.alerts)}] {values}".strip()


def compact(document: Any) -> str:
    """Return JSON text without spare spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that are not empty: what services take as absent."""
    return {name: value for name, value in values.items() if value}


class BaseIntegration(ABC):
    """One address of a receiver.

    Args:
        index: its place among the receiver's addresses of its kind.
        path: leads to its section in the config file.
    """

    kind: ClassVar[str]

    def __init__(self, section: Any, setting: Setting, index: int, path: Path_) -> None:
        self._setting = setting
        self._index = index
        self._path = path
        self._send_resolved: bool = section.send_resolved

    @property
    def name(self) -> str:
        """Its kind and its place: `slack/0`."""
        return f"{self.kind}/{self._index}"

    @property
    def send_resolved(self) -> bool:
        """Whether ends are told too."""
        return self._send_resolved

    def render(self, notice: Notice) -> str:
        """Return the message for a notice, as it is stored before it is sent."""
        return compact(self._document(notice, Texts(self._setting, notice)))

    def _document(self, notice: Notice, texts: Texts) -> dict[str, Any]:
        """Return what is stored and sent, without secrets."""
        raise AssertionError(f"{self.kind} makes no document of {notice.group_key} with {texts}")

    @abstractmethod
    async def send(self, session: aiohttp.ClientSession, message: Message) -> Attempt:
        """Try once to deliver a message."""

    def missing(self) -> str:
        """Return what the config lacks for this address to work, with the remedy; empty where nothing is missing."""
        return ""

    def secret_files(self) -> list[tuple[Path_, Path]]:
        """Return the files with secrets that it reads, each with the path of its key from the address's section."""
        return []


class HttpIntegration(BaseIntegration):
    """An address that is spoken to over HTTP."""

    def __init__(self, section: Any, setting: Setting, index: int, path: Path_) -> None:
        super().__init__(section, setting, index, path)
        config = section.http_config if section.http_config is not None else setting.defaults.http_config
        self._http = HttpClient(config, setting.base, path, section.timeout)

    def secret_files(self) -> list[tuple[Path_, Path]]:
        """Return those of the HTTP settings, and those that `_own_files` names."""
        own: list[tuple[Path_, Path]] = [
            ((key,), self._setting.base / file) for key, file in self._own_files().items() if file is not None
        ]
        return own + self._http.secret_files()

    def _own_files(self) -> Mapping[str, Path | None]:
        return {}

    async def _post(
        self,
        session: aiohttp.ClientSession,
        url: str,
        document: Any,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        method: str = "POST",
    ) -> Attempt:
        reply = await self._http.request(
            session, url, compact(document).encode(), headers=headers, secrets=secrets, method=method
        )
        return reply if isinstance(reply, Attempt) else self._judge(reply)

    def _judge(self, reply: Reply) -> Attempt:
        """Return what an answer means; services that say more than a status have their own way."""
        return judge(reply.status, reply.headers, reply.body, self._setting.clock.now())


def unusable(error: SecretError | ValueError) -> Attempt:
    """Return the attempt that a secret which cannot be read now comes to: its file may be mended any moment."""
    return Attempt(Outcome.RETRY, str(error))
