"""The sections of the config file that alerting reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from alerting.routing_config import InhibitRuleSection, RouteSection, TimeIntervalSection, route_mistakes
from alerting.rule_file import GroupSection, Text, check_group_names
from alerting.threshold import ThresholdSection
from core.config import Duration, InnerError, Section


def _refuse(_value: object) -> None:
    raise ValueError("is not supported yet; remove it")


def _refuse_secret(_value: object) -> None:
    raise ValueError("a secret does not belong here; write it to a file and name that file with the '_file' key")


NotYet = Annotated[None, BeforeValidator(_refuse)]
InlineSecret = Annotated[None, BeforeValidator(_refuse_secret)]
_NOT_YET = "Alertmanager's; not supported yet."
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
    oauth2: NotYet = Field(None, description=_NOT_YET, examples=[None])
    proxy_url: NotYet = Field(None, description=_NOT_YET, examples=[None])
    tls_config: NotYet = Field(None, description=_NOT_YET, examples=[None])
    follow_redirects: NotYet = Field(None, description=_NOT_YET, examples=[None])

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
    email_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    slack_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    pagerduty_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    opsgenie_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    pushover_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    telegram_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    discord_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    msteams_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    victorops_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    sns_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    wechat_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])
    webex_configs: NotYet = Field(None, description=_NOT_YET, examples=[None])


class DefaultRulesSection(Section):
    """The built-in rules."""

    enabled: bool = Field(True, description="Whether they are evaluated at all.", examples=[False])
    disable: list[str] = Field(
        default_factory=list, description="Names of those that are not wanted.", examples=[["HostHighCpu"]]
    )

    @field_validator("disable")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        from alerting.default_rules import default_rule_names  # noqa: PLC0415 - reads a file; most configs need it not

        known = default_rule_names()
        wrong = next((name for name in names if name not in known), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is no default rule; known are: {', '.join(sorted(known))}")
        return names


class AlertingConfig(Section):
    """Everything about rules and who is told."""

    rule_files: list[str] = Field(
        default_factory=list,
        description="Prometheus rule files; patterns, from the config file's folder.",
        examples=[["rules/*.yml"]],
    )
    groups: list[GroupSection] = Field(
        default_factory=list,
        description="Rules written here, as in a Prometheus rule file.",
        examples=[[{"name": "shop", "rules": [{"alert": "TargetDown", "expr": "up == 0"}]}]],
    )
    thresholds: list[ThresholdSection] = Field(
        default_factory=list,
        description="Alerting rules in short form, with two levels.",
        examples=[[{"name": "QueueLong", "expr": "jobs", "warning": {"above": 100, "resolve": 80}}]],
    )
    default_rules: DefaultRulesSection = Field(
        default_factory=DefaultRulesSection, description="The built-in rules.", examples=[{"disable": ["HostHighCpu"]}]
    )
    receivers: list[ReceiverSection] = Field(
        default_factory=list,
        description="Who can be told.",
        examples=[[{"name": "team", "webhook_configs": [{"url": "http://127.0.0.1:9009/alerts"}]}]],
    )
    time_intervals: list[TimeIntervalSection] = Field(
        default_factory=list,
        description="Times that routes name.",
        examples=[[{"name": "weekend", "time_intervals": [{"weekdays": ["saturday", "sunday"]}]}]],
    )
    mute_time_intervals: list[TimeIntervalSection] = Field(
        default_factory=list,
        description="Times that routes name, under their old key.",
        examples=[[{"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}]],
    )
    inhibit_rules: list[InhibitRuleSection] = Field(
        default_factory=list,
        description="Which alerts are not told while others fire that explain them.",
        examples=[[{"source_matchers": ["alertname=NodeDown"], "target_matchers": ["node!=''"], "equal": ["node"]}]],
    )
    templates: list[Text] = Field(
        default_factory=list,
        description="Files with templates of messages; patterns, from the config file's folder.",
        examples=[["templates/*.tmpl"]],
    )
    route: RouteSection | None = Field(
        None,
        description="Who is told what; the first receiver, of everything and at once, where it is absent.",
        examples=[{"receiver": "team", "group_by": ["alertname"]}],
    )
    alertmanager_config: Path | None = Field(
        None,
        description="An Alertmanager's config file, read as it is, in place of receivers, route and so on here.",
        examples=["/etc/alertmanager/alertmanager.yml"],
    )

    @field_validator("groups")
    @classmethod
    def _unique_groups(cls, groups: list[GroupSection]) -> list[GroupSection]:
        return check_group_names(groups)

    @field_validator("receivers")
    @classmethod
    def _unique_receivers(cls, receivers: list[ReceiverSection]) -> list[ReceiverSection]:
        names = [receiver.name for receiver in receivers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"receiver {twice!r} is defined twice; rename one of them")
        return receivers

    @field_validator("route")
    @classmethod
    def _known_names(cls, route: RouteSection | None, info: ValidationInfo) -> RouteSection | None:
        known = info.data
        if route is None or not {"receivers", "time_intervals", "mute_time_intervals"} <= known.keys():
            return route
        intervals = [interval.name for interval in (*known["time_intervals"], *known["mute_time_intervals"])]
        mistakes = list(route_mistakes(route, [receiver.name for receiver in known["receivers"]], intervals))
        if mistakes:
            raise InnerError(mistakes)
        return route

    @field_validator("time_intervals", "mute_time_intervals")
    @classmethod
    def _unique_intervals(cls, sections: list[TimeIntervalSection], info: ValidationInfo) -> list[TimeIntervalSection]:
        names = [section.name for section in (*info.data.get("time_intervals", ()), *sections)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"time interval {twice!r} is defined twice; rename one of them")
        return sections
