"""Who is told: the `receivers` of the config file, in Alertmanager's format, and what their addresses share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.config import Duration, Section


def _refuse(_value: object) -> None:
    raise ValueError("is not supported yet; remove it")


def _refuse_secret(_value: object) -> None:
    raise ValueError("a secret does not belong here; write it to a file and name that file with the '_file' key")


NotYet = Annotated[None, BeforeValidator(_refuse)]
InlineSecret = Annotated[None, BeforeValidator(_refuse_secret)]
NOT_YET = "Alertmanager's; not supported yet."
_BY_FILE = "Refused: secrets come from files."


class BasicAuthSection(Section):
    """User name and password sent with each request."""

    username: str = Field(min_length=1, description="The user's name.", examples=["watchkeeper"])
    password_file: Path = Field(description="A file that holds the password.", examples=["secrets/webhook-password"])
    password: InlineSecret = Field(None, description=_BY_FILE, examples=[None])


class AuthorizationSection(Section):
    """A token sent with each request."""

    type: str = Field("Bearer", min_length=1, description="The scheme before the token.", examples=["Bearer"])
    credentials_file: Path = Field(description="A file that holds the token.", examples=["secrets/webhook-token"])
    credentials: InlineSecret = Field(None, description=_BY_FILE, examples=[None])


class HttpConfigSection(Section):
    """How a receiver's address is called."""

    basic_auth: BasicAuthSection | None = Field(
        None, description="User name and password.", examples=[{"username": "w", "password_file": "secrets/password"}]
    )
    authorization: AuthorizationSection | None = Field(
        None, description="A token.", examples=[{"credentials_file": "secrets/token"}]
    )
    oauth2: NotYet = Field(None, description=NOT_YET, examples=[None])
    proxy_url: NotYet = Field(None, description=NOT_YET, examples=[None])
    tls_config: NotYet = Field(None, description=NOT_YET, examples=[None])
    follow_redirects: NotYet = Field(None, description=NOT_YET, examples=[None])

    @model_validator(mode="after")
    def _one_kind(self) -> HttpConfigSection:
        if self.basic_auth is not None and self.authorization is not None:
            raise ValueError("give one of 'basic_auth' and 'authorization', not both")
        return self


class WebhookSection(Section):
    """An address that gets notifications as Alertmanager sends them (payload version 4)."""

    url: str | None = Field(None, description="Where to post to.", examples=["http://127.0.0.1:9009/alerts"])
    url_file: Path | None = Field(
        None, description="A file that holds the address, where that is a secret.", examples=["secrets/webhook-url"]
    )
    send_resolved: bool = Field(True, description="Whether ends are told too.", examples=[False])
    max_alerts: int = Field(0, ge=0, description="The most alerts in one message; 0 for all.", examples=[100])
    timeout: Duration = Field(10.0, gt=0, le=300, description="How long an answer may take.", examples=["5s"])
    http_config: HttpConfigSection = Field(
        default_factory=HttpConfigSection,
        description="How the address is called.",
        examples=[{"authorization": {"credentials_file": "secrets/token"}}],
    )
    signing_secret_file: Path | None = Field(
        None,
        description="A file with the secret that signs each message (HMAC-SHA256); see docs on webhooks.",
        examples=["secrets/webhook-signing"],
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        return url if url is None else check_url(url)

    @model_validator(mode="after")
    def _one_address(self) -> WebhookSection:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give exactly one of 'url' and 'url_file'")
        return self


def check_url(url: str) -> str:
    """Return an address that a webhook can be posted to.

    Raises: ValueError: it is none.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in ("http", "https") or not separator or not rest.partition("/")[0] or any(c.isspace() for c in url):
        raise ValueError("is no http:// or https:// address; write it in full, such as http://127.0.0.1:9009/alerts")
    return url


class ReceiverSection(Section):
    """Who gets notifications; one without any `webhook_configs` gets none."""

    name: str = Field(min_length=1, description="What the route calls it.", examples=["team-shop"])
    webhook_configs: list[WebhookSection] = Field(
        default_factory=list, description="Addresses to post to.", examples=[[{"url": "http://127.0.0.1:9009/alerts"}]]
    )
    email_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    slack_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    pagerduty_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    opsgenie_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    pushover_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    telegram_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    discord_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    msteams_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    victorops_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    sns_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    wechat_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
    webex_configs: NotYet = Field(None, description=NOT_YET, examples=[None])
