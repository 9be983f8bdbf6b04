"""What receivers take where they do not say it themselves: the keys of Alertmanager's `global`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from alerting.notify.address import SecretUrl, Url
from core.config import Advised, Duration, LaterSections, NotUsed, SparseSection
from core.secret import SecretText

_NO_RECEIVER = NotUsed("has no effect: receivers of that kind are not supported, reach the service by apprise_configs")
_Elsewhere = Annotated[Any, _NO_RECEIVER, Field(description="Has no effect here.", examples=[None])]


def move_to(key: str) -> Advised:
    """Return the advice for a secret that stands in the file itself."""
    return Advised(f"is a secret in a config file; move it to a file of its own and name that with '{key}'")


def one_of(section: object, *pairs: tuple[str, str]) -> None:
    """Hold a section to one of each pair of keys.

    Raises: ValueError: both of a pair are given.
    """
    for first, second in pairs:
        if getattr(section, first) is not None and getattr(section, second) is not None:
            raise ValueError(f"has both '{first}' and '{second}'; keep one")


def check_host_port(value: str) -> str:
    """Return `host:port`.

    Raises: ValueError: it is not of that form.
    """
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("is no 'host:port'; write it such as smtp.example.org:587")
    return value


HostPort = Annotated[str, AfterValidator(check_host_port)]


class NotificationDefaults(SparseSection):
    """What counts for every receiver that does not say it itself."""

    resolve_timeout: Duration = Field(
        300.0, gt=0, description="When an alert that others posted ends where they do not say it.", examples=["5m"]
    )
    http_config: Annotated[Any, LaterSections("alerting.notify.http_config:HttpConfigSection", is_list=False)] = Field(
        None, description="How the addresses of receivers are called.", examples=[{"proxy_url": "http://proxy:3128"}]
    )
    smtp_from: str | None = Field(None, description="The sender of mails.", examples=["watchkeeper@example.org"])
    smtp_smarthost: HostPort | None = Field(
        None, description="The mail server, with its port.", examples=["smtp.example.org:587"]
    )
    smtp_hello: str = Field("localhost", description="How we name ourselves to it.", examples=["watch.example.org"])
    smtp_auth_username: str | None = Field(None, description="User name there.", examples=["watchkeeper"])
    smtp_auth_password: Annotated[SecretText | None, move_to("smtp_auth_password_file")] = Field(
        None, description="Password there.", examples=["secret"]
    )
    smtp_auth_password_file: Path | None = Field(
        None, description="A file that holds the password.", examples=["secrets/smtp"]
    )
    smtp_auth_identity: str | None = Field(
        None, description="Identity for PLAIN, if not the user name.", examples=["w"]
    )
    smtp_auth_secret: Annotated[SecretText | None, move_to("smtp_auth_secret_file")] = Field(
        None, description="Secret for CRAM-MD5.", examples=["secret"]
    )
    smtp_auth_secret_file: Path | None = Field(
        None, description="A file that holds the secret for CRAM-MD5.", examples=["secrets/smtp"]
    )
    smtp_require_tls: bool = Field(True, description="Whether mails are sent encrypted only.", examples=[True])
    smtp_tls_config: Annotated[Any, LaterSections("core.http.config:TlsConfig", is_list=False)] = Field(
        None, description="How the mail server proves itself.", examples=[{"ca_file": "ca.pem"}]
    )
    slack_api_url: Annotated[SecretUrl | None, move_to("slack_api_url_file")] = Field(
        None, description="Slack's incoming webhook.", examples=["https://hooks.slack.com/services/T/B/x"]
    )
    slack_api_url_file: Path | None = Field(
        None, description="A file that holds Slack's incoming webhook.", examples=["secrets/slack"]
    )
    slack_app_token: Annotated[SecretText | None, move_to("slack_app_token_file")] = Field(
        None, description="Token of a Slack app, instead of a webhook.", examples=["xoxb-…"]
    )
    slack_app_token_file: Path | None = Field(
        None, description="A file that holds the token of a Slack app.", examples=["secrets/slack"]
    )
    slack_app_url: Url = Field(
        "https://slack.com/api/chat.postMessage",
        description="Where Slack apps post to.",
        examples=["https://slack.com/api/chat.postMessage"],
    )
    pagerduty_url: Url = Field(
        "https://events.pagerduty.com/v2/enqueue",
        description="PagerDuty's Events API.",
        examples=["https://events.pagerduty.com/v2/enqueue"],
    )
    opsgenie_api_key: Annotated[SecretText | None, move_to("opsgenie_api_key_file")] = Field(
        None, description="Key of the Opsgenie API.", examples=["secret"]
    )
    opsgenie_api_key_file: Path | None = Field(
        None, description="A file that holds the key of the Opsgenie API.", examples=["secrets/opsgenie"]
    )
    opsgenie_api_url: Url = Field(
        "https://api.opsgenie.com/", description="Opsgenie's API.", examples=["https://api.eu.opsgenie.com/"]
    )
    telegram_api_url: Url = Field(
        "https://api.telegram.org", description="Telegram's API.", examples=["https://api.telegram.org"]
    )
    telegram_bot_token: Annotated[SecretText | None, move_to("telegram_bot_token_file")] = Field(
        None, description="Token of the Telegram bot.", examples=["secret"]
    )
    telegram_bot_token_file: Path | None = Field(
        None, description="A file that holds the token of the Telegram bot.", examples=["secrets/telegram"]
    )
    jira_api_url: _Elsewhere = None
    mattermost_webhook_url: _Elsewhere = None
    mattermost_webhook_url_file: _Elsewhere = None
    rocketchat_api_url: _Elsewhere = None
    rocketchat_token: _Elsewhere = None
    rocketchat_token_file: _Elsewhere = None
    rocketchat_token_id: _Elsewhere = None
    rocketchat_token_id_file: _Elsewhere = None
    victorops_api_key: _Elsewhere = None
    victorops_api_key_file: _Elsewhere = None
    victorops_api_url: _Elsewhere = None
    webex_api_url: _Elsewhere = None
    wechat_api_url: _Elsewhere = None
    wechat_api_secret: _Elsewhere = None
    wechat_api_secret_file: _Elsewhere = None
    wechat_api_corp_id: _Elsewhere = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        one_of(
            self,
            ("smtp_auth_password", "smtp_auth_password_file"),
            ("smtp_auth_secret", "smtp_auth_secret_file"),
            ("slack_api_url", "slack_api_url_file"),
            ("slack_app_token", "slack_app_token_file"),
            ("opsgenie_api_key", "opsgenie_api_key_file"),
            ("telegram_bot_token", "telegram_bot_token_file"),
        )
        return self


NO_NOTIFICATION_DEFAULTS = NotificationDefaults.defaults()
