"""The sections of the config file that alerting reads."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from alerting.escalation_config import EscalationConfig
from alerting.incident_config import IncidentsSection
from alerting.notify.receiver_config import ReceiverSection
from alerting.quality.dependency_config import DependencySection, all_needs
from alerting.routing_config import InhibitRuleSection, RouteSection, TimeIntervalSection, route_mistakes
from alerting.rule_file import GroupSection, Text, check_group_names
from alerting.threshold import ThresholdSection
from core.config import InnerError, Section


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


class AlertingConfig(EscalationConfig):
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
    notification_limit: int = Field(
        50,
        ge=0,
        description="The most messages of groups that a receiver gets in a minute; others are summed up. 0 for all.",
        examples=[20],
    )
    alertmanager_config: Path | None = Field(
        None,
        description="An Alertmanager's config file, read as it is, in place of receivers, route and so on here.",
        examples=["/etc/alertmanager/alertmanager.yml"],
    )

    incidents: IncidentsSection = Field(
        default_factory=IncidentsSection,
        description="When alerts become incidents.",
        examples=[{"reopen_within": "10m"}],
    )

    dependencies: list[DependencySection] = Field(
        default_factory=list,
        description="What needs what: alerts of a thing are not told while one that it needs is down.",
        examples=[[{"name": "shop", "depends_on": ["auth", "db:5432"]}]],
    )

    @field_validator("dependencies")
    @classmethod
    def _without_circles(cls, sections: list[DependencySection]) -> list[DependencySection]:
        all_needs(sections)
        return sections

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
