"""The sections of the config file about escalation."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from alerting.alert import Severity
from alerting.schedule_config import HoursSection, PersonSection, ScheduleSection, check_unique, unknown_name
from core.config import Duration, Section
from core.errors import Problem
from core.yaml_file import Document, Path_

if TYPE_CHECKING:
    from alerting.escalation import Plan, Policy, Step, Target

_MONTH = 31 * 86_400.0


class TargetSection(Section):
    """Whom a step tells: exactly one of the keys."""

    receiver: str | None = Field(None, description="A receiver.", examples=["team-shop"])
    person: str | None = Field(None, description="A person.", examples=["ana"])
    schedule: str | None = Field(None, description="Who is on call by this schedule.", examples=["primary"])

    @model_validator(mode="after")
    def _one_kind(self) -> TargetSection:
        if len(self.given) != 1:
            raise ValueError("give exactly one of 'receiver', 'person' and 'schedule'")
        return self

    @property
    def given(self) -> dict[str, str]:
        """Each key that has a value."""
        keys = {"receiver": self.receiver, "person": self.person, "schedule": self.schedule}
        return {key: value for key, value in keys.items() if value is not None}

    def build(self) -> Target:
        """Return the target."""
        from alerting.escalation import Target  # noqa: PLC0415 - only where somebody escalates

        if self.receiver is not None:
            return Target("receiver", self.receiver)
        if self.person is not None:
            return Target("person", self.person)
        return Target("schedule", self.schedule or "")


class StepSection(Section):
    """One step of an escalation."""

    wait: Duration = Field(
        0.0,
        ge=0,
        le=_MONTH,
        description="How long after the step before it; for the first, after the incident opened.",
        examples=["5m"],
    )
    notify: list[TargetSection] = Field(
        min_length=1, description="Who is told.", examples=[[{"schedule": "primary"}, {"receiver": "team-shop"}]]
    )
    severities: list[Severity] = Field(
        default_factory=lambda: list(Severity),
        min_length=1,
        description="Severities of incidents that the step is for; for others it is left out.",
        examples=[["critical", "high"]],
    )
    hours: HoursSection | None = Field(
        None,
        description="The only hours in which it tells.",
        examples=[
            {"time_zone": "Europe/Berlin", "windows": [{"days": ["monday:friday"], "from": "09:00", "to": "17:00"}]}
        ],
    )
    outside_hours: Literal["wait", "skip"] = Field(
        "wait", description="Whether it waits for its hours or is left out.", examples=["skip"]
    )

    def build(self) -> Step:
        """Return the step."""
        from alerting.escalation import Step  # noqa: PLC0415 - only where somebody escalates

        return Step(
            wait_seconds=self.wait,
            targets=tuple(target.build() for target in self.notify),
            severities=frozenset(self.severities),
            hours=None if self.hours is None else self.hours.build(),
            waits_for_hours=self.outside_hours == "wait",
        )


class RepeatSection(Section):
    """What comes after the last step."""

    times: int = Field(ge=1, le=100, description="How often all steps are gone through again.", examples=[3])
    wait: Duration = Field(ge=1, le=_MONTH, description="How long after the last step.", examples=["15m"])


class EscalationPolicySection(Section):
    """Who is told of an incident, step by step, until somebody acknowledges it."""

    name: str = Field(min_length=1, description="What incidents call it.", examples=["default"])
    steps: list[StepSection] = Field(
        min_length=1,
        max_length=50,
        description="In order.",
        examples=[[{"notify": [{"schedule": "primary"}]}, {"wait": "10m", "notify": [{"receiver": "team-shop"}]}]],
    )
    repeat: RepeatSection | None = Field(
        None, description="Whether the steps begin again after the last.", examples=[{"times": 3, "wait": "15m"}]
    )
    acknowledge_timeout: Duration | None = Field(
        None,
        gt=0,
        le=_MONTH,
        description="So long after it was acknowledged, an incident that is not over escalates further.",
        examples=["1h"],
    )

    def build(self) -> Policy:
        """Return the policy."""
        from alerting.escalation import Policy  # noqa: PLC0415 - only where somebody escalates

        return Policy(
            name=self.name,
            steps=tuple(step.build() for step in self.steps),
            repeats=self.repeat.times if self.repeat is not None else 0,
            repeat_seconds=self.repeat.wait if self.repeat is not None else 0.0,
            acknowledge_seconds=self.acknowledge_timeout or 0.0,
        )


class EscalationChoiceSection(Section):
    """Which incidents escalate by which policy; the first choice whose conditions all hold counts."""

    policy: str = Field(description="The policy.", examples=["default"])
    severities: list[Severity] | None = Field(
        None, min_length=1, description="Severities; all where absent.", examples=[["critical"]]
    )
    services: list[str] | None = Field(
        None, min_length=1, description="Services; all incidents where absent.", examples=[["shop"]]
    )
    environments: list[str] | None = Field(
        None, min_length=1, description="Environments; all where absent.", examples=[["production"]]
    )
    hours: HoursSection | None = Field(
        None,
        description="The hours in which the incident opens; all where absent.",
        examples=[{"windows": [{"days": ["monday:friday"], "from": "09:00", "to": "17:00"}]}],
    )

    def fits(self, severity: Severity, service: str, environment: str, now: float) -> bool:
        """Tell whether an incident that opens now escalates by it."""
        return (
            (self.severities is None or severity in self.severities)
            and (self.services is None or service in self.services)
            and (self.environments is None or environment in self.environments)
            and (self.hours is None or self.hours.build().contains(now))
        )


class EscalationConfig(Section):
    """The keys of the config file about people who are called."""

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

    @field_validator("people", "schedules", "escalation_policies")
    @classmethod
    def _unique_names(cls, named: list[Any], info: ValidationInfo) -> list[Any]:
        kinds = {"people": "person", "schedules": "schedule", "escalation_policies": "escalation policy"}
        check_unique([one.name for one in named], kinds[info.field_name or ""])
        return named


def make_plan(
    policy: EscalationPolicySection, schedules: Iterable[ScheduleSection], people: Iterable[PersonSection]
) -> Plan:
    """Return what an escalation goes by: a policy with all that it names."""
    named = {
        section.given["schedule"] for step in policy.steps for section in step.notify if "schedule" in section.given
    }
    document = {
        "policy": policy.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "schedules": [
            one.model_dump(mode="json", by_alias=True, exclude_unset=True) for one in schedules if one.name in named
        ],
        "people": {person.name: person.receiver for person in people},
    }
    return _plan(document)


def read_plan(source: str) -> Plan:
    """Return a plan from its kept text."""
    return _plan(json.loads(source))


def _plan(document: Mapping[str, Any]) -> Plan:
    from alerting.escalation import Plan  # noqa: PLC0415 - only where somebody escalates

    sections = [ScheduleSection.model_validate(one) for one in document["schedules"]]
    return Plan(
        policy=EscalationPolicySection.model_validate(document["policy"]).build(),
        schedules={section.name: section.build() for section in sections},
        people=dict(document["people"]),
        source=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
    )


def escalation_problems(
    policies: list[EscalationPolicySection],
    choices: list[EscalationChoiceSection],
    known: Mapping[str, Collection[str]],
    document: Document,
) -> list[Problem]:
    """Return the mistakes that show only between policies and what they name.

    Args:
        known: the names that there are: of each `receiver`, `person` and `schedule`.
    """
    found: list[tuple[Path_, str]] = []
    for index, policy in enumerate(policies):
        for number, step in enumerate(policy.steps):
            for position, target in enumerate(step.notify):
                for kind, name in target.given.items():
                    if name not in known[kind]:
                        path: Path_ = ("escalation_policies", index, "steps", number, "notify", position, kind)
                        found.append((path, unknown_name(kind, name, known[kind])))
    names = {policy.name for policy in policies}
    for index, choice in enumerate(choices):
        if choice.policy not in names:
            path = ("incidents", "escalation", index, "policy")
            found.append((path, unknown_name("escalation policy", choice.policy, names)))
    return [document.problem(path, message) for path, message in found]
