"""Policies: when this alert or incident, then that operation, inside these guards. Pure: decides, does nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from actions.deployment.service import Name
from core.config import Duration, Section
from core.errors import UserError
from metrics.pattern import compile_pattern
from metrics.storage import Matcher, MatchOp

_MATCHER = re.compile(
    r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"\s][^"]*?))\s*', re.DOTALL
)
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


@lru_cache(maxsize=1000)
def parse_matcher(text: str) -> Matcher:
    r"""Read a matcher as Alertmanager writes it: `severity="critical"`, `service=~"shop|cart"`, `team!=ops`.

    Raises: UserError: it is none; the message says how one looks.
    """
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise UserError(f'{text!r} is no matcher; write one such as severity="critical" or service=~"shop|cart"')
    label, operator, quoted, bare = match.groups()
    value = re.sub(r'\\[n"\\]', lambda escape: _ESCAPES[escape[0]], quoted) if quoted is not None else bare
    if operator.endswith("~"):
        try:
            compile_pattern(value)
        except ValueError as error:
            raise UserError(f"{text!r} holds no regular expression: {error}; correct it") from None
    return Matcher(label, MatchOp(operator), value)


def _matcher(text: str) -> str:
    try:
        parse_matcher(text)
    except UserError as error:
        raise ValueError(str(error)) from None
    return text


class MatchConfig(Section):
    """Which alerts or incidents, and at which of their changes."""

    matchers: list[Annotated[str, AfterValidator(_matcher)]] = Field(
        default_factory=list,
        description="All must hold for the labels; an absent label has the empty value.",
        examples=[['alertname="HighErrorRate"', 'severity="critical"']],
    )
    transition: Literal["firing", "opened", "resolved"] | None = Field(
        default=None, description="Default: firing for an alert, opened for an incident.", examples=["firing"]
    )


class WhenConfig(Section):
    """What a policy waits for: exactly one of alert and incident."""

    alert: MatchConfig | None = Field(
        default=None, description="An alert.", examples=[{"matchers": ['service="shop"']}]
    )
    incident: MatchConfig | None = Field(
        default=None, description="An incident.", examples=[{"matchers": ['severity="critical"']}]
    )

    @model_validator(mode="after")
    def _one(self) -> WhenConfig:
        if (self.alert is None) == (self.incident is None):
            raise ValueError("give exactly one of alert and incident")
        if self.alert is not None and self.alert.transition == "opened":
            raise ValueError("an alert is never opened; its transition is firing or resolved")
        if self.incident is not None and self.incident.transition == "firing":
            raise ValueError("an incident never fires; its transition is opened or resolved")
        return self

    @property
    def kind(self) -> str:
        """Return `alert` or `incident`."""
        return "alert" if self.alert is not None else "incident"

    @property
    def match(self) -> MatchConfig:
        """Return the conditions."""
        match = self.alert or self.incident
        assert match is not None
        return match

    @property
    def transition(self) -> str:
        """Return the change that it waits for."""
        return self.match.transition or ("firing" if self.alert is not None else "opened")


class DoConfig(Section):
    """The operation to start."""

    operation: str = Field(min_length=1, description="Kind of operation.", examples=["rollback"])
    service: Name | None = Field(default=None, description="Default: the label `service`.", examples=["shop"])
    environment: Name | None = Field(
        default=None,
        description="Default: the label `environment`, or the service's only one.",
        examples=["production"],
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="As the operation takes them.", examples=[{"url": "http://127.0.0.1:9000/"}]
    )


class PolicyConfig(Section):
    """One policy. It only says what it would do until `mode: act` is set."""

    name: Name = Field(description="Unique among policies.", examples=["roll-back-bad-release"])
    when: WhenConfig = Field(
        description="What it waits for.", examples=[{"alert": {"matchers": ['severity="critical"']}}]
    )
    do: DoConfig = Field(description="What it does.", examples=[{"operation": "rollback"}])
    mode: Literal["observe", "act"] = Field(
        default="observe", description="observe: write down what it would do. act: do it.", examples=["act"]
    )
    cooldown: Duration = Field(
        default=600.0, ge=0, description="Least time between two actions for the same service.", examples=["10m"]
    )
    max_per_hour: int | None = Field(default=None, ge=1, description="Most actions an hour, in all.", examples=[3])


@dataclass(frozen=True, slots=True)
class Trigger:
    """A change of an alert or incident, offered to all policies.

    Attributes:
        kind: `alert` or `incident`.
        id: of the alert or incident; with the transition it is acted upon once.
        transition: `firing`, `resolved`, `opened` and so on.
        missing_data: whether the change came about because data stopped arriving; no rollback or deployment follows.
    """

    kind: str
    id: str
    transition: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    severity: str = ""
    service: str = ""
    environment: str = ""
    missing_data: bool = False


class Reason(StrEnum):
    """Why a policy acted or did not."""

    ACT = "act"
    WOULD_ACT = "would_act"
    COOLDOWN = "cooldown"
    BUDGET_SPENT = "budget_spent"
    OPERATION_RUNNING = "operation_running"
    ALREADY_ROLLED_BACK = "already_rolled_back"
    NOTHING_TO_ROLL_BACK_TO = "nothing_to_roll_back_to"
    NO_MATCHING_SERVICE = "no_matching_service"
    QUARANTINED = "quarantined"
    MISSING_DATA = "missing_data"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy decided; `detail` is one line for people."""

    taken: bool
    reason: Reason
    detail: str = ""

    @property
    def deferred(self) -> bool:
        """Whether to decide anew when the operation in the way has ended."""
        return self.reason is Reason.OPERATION_RUNNING


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision is made from.

    Attributes:
        known: whether the service and environment are configured.
        needs_service: whether the operation makes sense only for a configured service.
        running: the operation that holds the service and environment now.
        last_taken_at: when this policy last acted for this service and environment.
        taken_last_hour: how often this policy acted within the last hour.
        rolled_back_by: the automatic rollback that the current revision has had.
        obstacle: why the operation is impossible now, as the action itself says; empty when it is possible.
    """

    known: bool
    needs_service: bool
    exclusive: bool
    running: str | None = None
    last_taken_at: float | None = None
    taken_last_hour: int = 0
    rolled_back_by: str | None = None
    quarantined: bool = False
    obstacle: str = ""


def concerns(policy: PolicyConfig, trigger: Trigger) -> bool:
    """Tell whether the trigger is one that the policy waits for."""
    when = policy.when
    if trigger.kind != when.kind or trigger.transition != when.transition:
        return False
    labels = {"alertname": trigger.name, "severity": trigger.severity, "service": trigger.service}
    labels |= {"environment": trigger.environment, **trigger.labels}
    matchers = [parse_matcher(text) for text in when.match.matchers]
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)


def decide(policy: PolicyConfig, trigger: Trigger, facts: Facts, now: float) -> Decision:
    """Decide whether the policy acts on a trigger that concerns it, and name the first reason against it."""
    against = _against(policy, trigger, facts, now)
    if against is not None:
        return against
    if policy.mode == "observe":
        return Decision(False, Reason.WOULD_ACT, "mode is observe; set `mode: act` to let it act")
    return Decision(True, Reason.ACT)


def _against(policy: PolicyConfig, trigger: Trigger, facts: Facts, now: float) -> Decision | None:
    if facts.needs_service and not facts.known:
        return _no(Reason.NO_MATCHING_SERVICE, "the trigger names no configured service and environment")
    if facts.needs_service and trigger.missing_data:
        return _no(Reason.MISSING_DATA, "data stopped arriving, which says nothing about the revision")
    if policy.do.operation == "rollback" and facts.rolled_back_by is not None:
        return _no(Reason.ALREADY_ROLLED_BACK, f"by operation {facts.rolled_back_by}; a person has to decide now")
    if facts.exclusive and facts.running is not None:
        return _no(Reason.OPERATION_RUNNING, f"operation {facts.running}; decided anew at its end")
    since = now - facts.last_taken_at if facts.last_taken_at is not None else None
    if since is not None and since < policy.cooldown:
        return _no(Reason.COOLDOWN, f"it acted {since:.0f} s ago")
    if policy.max_per_hour is not None and facts.taken_last_hour >= policy.max_per_hour:
        return _no(Reason.BUDGET_SPENT, f"it acted {facts.taken_last_hour} times within the last hour")
    if facts.quarantined:
        return _no(Reason.QUARANTINED, facts.obstacle)
    if facts.obstacle:
        rollback = policy.do.operation == "rollback"
        return _no(Reason.NOTHING_TO_ROLL_BACK_TO if rollback else Reason.REFUSED, facts.obstacle)
    return None


def _no(reason: Reason, detail: str) -> Decision:
    return Decision(False, reason, detail)
