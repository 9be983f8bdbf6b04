"""The sections of the config file that alerting reads."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from alerting.escalation_config import EscalationChoiceSection, EscalationPolicySection
from alerting.notify.receiver_config import NOT_YET, NotYet, ReceiverSection
from alerting.rule_file import GroupSection, check_group_names, check_label_name
from alerting.schedule_config import PersonSection, ScheduleSection, check_unique
from alerting.threshold import ThresholdSection
from core.config import Section


class RouteSection(Section):
    """Which receiver gets which alerts, and which alerts share a message."""

    receiver: str = Field(description="The name of a receiver.", examples=["team-shop"])
    group_by: list[str] = Field(
        default_factory=lambda: ["alertname", "service", "environment"],
        description="Alerts that agree in these labels share a message; ['...'] for all labels.",
        examples=[["alertname", "service"]],
    )
    group_wait: NotYet = Field(None, description=NOT_YET, examples=[None])
    group_interval: NotYet = Field(None, description=NOT_YET, examples=[None])
    repeat_interval: NotYet = Field(None, description=NOT_YET, examples=[None])
    routes: NotYet = Field(None, description=NOT_YET, examples=[None])
    matchers: NotYet = Field(None, description=NOT_YET, examples=[None])
    match: NotYet = Field(None, description=NOT_YET, examples=[None])
    match_re: NotYet = Field(None, description=NOT_YET, examples=[None])
    mute_time_intervals: NotYet = Field(None, description=NOT_YET, examples=[None])
    active_time_intervals: NotYet = Field(None, description=NOT_YET, examples=[None])

    @field_validator("group_by")
    @classmethod
    def _check_names(cls, names: list[str]) -> list[str]:
        if names == ["..."]:
            return names
        if "..." in names:
            raise ValueError("'...' stands for all labels; do not name others beside it")
        return [check_label_name(name) for name in names]


class IncidentsSection(Section):
    """When alerts become incidents, and how these escalate."""

    escalation: list[EscalationChoiceSection] = Field(
        default_factory=list,
        description="How incidents escalate; all by the first policy where it is absent.",
        examples=[[{"policy": "default", "severities": ["critical", "high"]}]],
    )


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
    route: RouteSection | None = Field(
        None,
        description="Who is told what; the first receiver, of everything, where it is absent.",
        examples=[{"receiver": "team"}],
    )

    people: list[PersonSection] = Field(
        default_factory=list, description="Who can be on call.", examples=[[{"name": "ana", "receiver": "ana-phone"}]]
    )
    schedules: list[ScheduleSection] = Field(
        default_factory=list,
        description="Who is on call when.",
        examples=[[{"name": "primary", "layers": [{"people": ["ana", "ben"]}]}]],
    )
    escalation_policies: list[EscalationPolicySection] = Field(
        default_factory=list,
        description="Who is told of an incident, step by step, until somebody acknowledges it.",
        examples=[[{"name": "default", "steps": [{"notify": [{"schedule": "primary"}]}]}]],
    )
    incidents: IncidentsSection = Field(
        default_factory=IncidentsSection,
        description="How incidents escalate.",
        examples=[{"escalation": [{"policy": "default"}]}],
    )

    @field_validator("people", "schedules", "escalation_policies")
    @classmethod
    def _unique_names(cls, named: list[Any], info: ValidationInfo) -> list[Any]:
        kinds = {"people": "person", "schedules": "schedule", "escalation_policies": "escalation policy"}
        check_unique([one.name for one in named], kinds[info.field_name or ""])
        return named

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
    def _known_receiver(cls, route: RouteSection | None, info: ValidationInfo) -> RouteSection | None:
        receivers = info.data.get("receivers")
        if route is not None and receivers is not None:
            names = [receiver.name for receiver in receivers]
            if route.receiver not in names:
                known = ", ".join(names) or "none; add it under 'receivers'"
                raise ValueError(f"receiver {route.receiver!r} does not exist; known are: {known}")
        return route
