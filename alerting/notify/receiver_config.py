"""Who is told: the `receivers` of the config file, in Alertmanager's format.

The sections of each kind of address are in the file of that kind; one is imported only where a config has such an
address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from alerting.notify.address import refusal
from core.config import Duration, LaterSections, Section, SparseSection

KINDS = (
    "webhook",
    "slack",
    "email",
    "pagerduty",
    "opsgenie",
    "telegram",
    "discord",
    "msteams",
    "msteamsv2",
    "apprise",
)
"""The kinds of addresses, each with a key `KIND_configs`."""


def _by_apprise(url: str) -> BeforeValidator:
    return refusal(f"is not supported here; use apprise_configs with an address such as {url}")


def _by_webhook(what: str) -> BeforeValidator:
    return refusal(f"is not supported here; use webhook_configs with {what}")


_Refused = Field(description="Refused, with the remedy.", examples=[None])


class ReceiverSection(SparseSection):
    """Who gets notifications; one without any address gets none."""

    name: str = Field(min_length=1, description="What the route calls it.", examples=["team-shop"])
    fallback_receiver: str | None = Field(
        None, description="Who is told as well of what this one could not be told.", examples=["on-call"]
    )
    fallback_after: Duration = Field(
        600.0, gt=0, description="How long a message waits before the fallback is told.", examples=["10m"]
    )
    webhook_configs: Annotated[list[Any], LaterSections("alerting.notify.webhook:WebhookSection")] = Field(
        default_factory=list, description="Addresses to post to.", examples=[[{"url": "http://127.0.0.1:9009/alerts"}]]
    )
    slack_configs: Annotated[list[Any], LaterSections("alerting.notify.slack:SlackSection")] = Field(
        default_factory=list,
        description="Slack channels.",
        examples=[[{"channel": "#shop", "api_url_file": "secrets/slack"}]],
    )
    email_configs: Annotated[list[Any], LaterSections("alerting.notify.mail:EmailSection")] = Field(
        default_factory=list, description="Mailboxes.", examples=[[{"to": "shop@example.org"}]]
    )
    pagerduty_configs: Annotated[list[Any], LaterSections("alerting.notify.pagerduty:PagerdutySection")] = Field(
        default_factory=list,
        description="PagerDuty services.",
        examples=[[{"routing_key_file": "secrets/pagerduty"}]],
    )
    opsgenie_configs: Annotated[list[Any], LaterSections("alerting.notify.opsgenie:OpsgenieSection")] = Field(
        default_factory=list, description="Opsgenie teams.", examples=[[{"api_key_file": "secrets/opsgenie"}]]
    )
    telegram_configs: Annotated[list[Any], LaterSections("alerting.notify.telegram:TelegramSection")] = Field(
        default_factory=list,
        description="Telegram chats.",
        examples=[[{"chat_id": -100123, "bot_token_file": "secrets/telegram"}]],
    )
    discord_configs: Annotated[list[Any], LaterSections("alerting.notify.discord:DiscordSection")] = Field(
        default_factory=list, description="Discord channels.", examples=[[{"webhook_url_file": "secrets/discord"}]]
    )
    msteams_configs: Annotated[list[Any], LaterSections("alerting.notify.msteams:MsteamsSection")] = Field(
        default_factory=list,
        description="Microsoft Teams channels, by the older connectors.",
        examples=[[{"webhook_url_file": "secrets/teams"}]],
    )
    msteamsv2_configs: Annotated[list[Any], LaterSections("alerting.notify.msteams:Msteamsv2Section")] = Field(
        default_factory=list,
        description="Microsoft Teams channels, by Workflows.",
        examples=[[{"webhook_url_file": "secrets/teams"}]],
    )
    apprise_configs: Annotated[list[Any], LaterSections("alerting.notify.apprise_address:AppriseSection")] = Field(
        default_factory=list,
        description="Any other service, by Apprise; needs the extra `apprise`.",
        examples=[[{"url_file": "secrets/pushover"}]],
    )
    pushover_configs: Annotated[None, _by_apprise("pover://USER@TOKEN"), _Refused] = None
    victorops_configs: Annotated[None, _by_apprise("splunk://KEY@API_KEY"), _Refused] = None
    sns_configs: Annotated[None, _by_apprise("sns://KEY/SECRET/REGION/TOPIC"), _Refused] = None
    wechat_configs: Annotated[None, _by_apprise("wecombot://KEY"), _Refused] = None
    webex_configs: Annotated[None, _by_apprise("webex://TOKEN"), _Refused] = None
    rocketchat_configs: Annotated[None, _by_apprise("rockets://TOKEN@HOST/CHANNEL"), _Refused] = None
    mattermost_configs: Annotated[None, _by_apprise("mmosts://HOST/TOKEN"), _Refused] = None
    jira_configs: Annotated[None, _by_webhook("a Jira automation"), _Refused] = None
    incidentio_configs: Annotated[None, _by_webhook("incident.io's Alertmanager source"), _Refused] = None

    def addresses(self) -> Iterator[tuple[str, int, Any]]:
        """Yield each address: its kind, its place among those of its kind, its section."""
        for kind in KINDS:
            for index, section in enumerate(getattr(self, f"{kind}_configs")):
                yield kind, index, section


class AddressSection(Section):
    """What sections of all kinds of addresses have."""

    send_resolved: bool = Field(True, description="Whether ends are told too.", examples=[False])
