"""The section `incidents` of the config file."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from alerting.alert import Alert, Severity
from alerting.escalation_config import EscalationChoiceSection
from core.config import Duration, Section
from core.errors import UserError

if TYPE_CHECKING:
    from alerting.matcher import Matcher


def _check_matcher(text: str) -> str:
    from alerting.matcher import parse_matcher  # noqa: PLC0415 - most configs need it not

    try:
        parse_matcher(text)
    except UserError as error:
        raise ValueError(str(error)) from None
    return text


class OpeningSection(Section):
    """Which alerts open an incident; all that is given must hold."""

    severities: list[Severity] = Field(
        default_factory=lambda: list(Severity),
        description="Those of these severities.",
        examples=[["critical", "high"]],
    )
    matchers: list[Annotated[str, AfterValidator(_check_matcher)]] = Field(
        default_factory=list,
        description="Those whose labels satisfy all of these.",
        examples=[['team="shop"', "environment!=staging"]],
    )

    def opens(self, alert: Alert) -> bool:
        """Tell whether an alert opens an incident."""
        if alert.severity not in self.severities:
            return False
        return all(matcher.matches(alert.labels.get(matcher.name, "")) for matcher in self._parsed)

    @cached_property
    def _parsed(self) -> tuple[Matcher, ...]:
        from alerting.matcher import parse_matcher  # noqa: PLC0415

        return tuple(map(parse_matcher, self.matchers))


class IncidentsSection(Section):
    """When alerts become incidents; docs/incidents.md tells what becomes of these."""

    open_for: list[OpeningSection] = Field(
        default_factory=lambda: [OpeningSection(severities=[Severity.CRITICAL])],
        description="Which alerts open an incident: those that any of these means; [] for none.",
        examples=[[{"severities": ["critical"]}, {"matchers": ['page="yes"']}]],
    )
    correlate_within: Duration = Field(
        600.0,
        ge=0,
        description="So long after an incident last grew, alerts of services that it depends on, or that depend on it,"
        " join it.",
        examples=["5m"],
    )
    reopen_within: Duration = Field(
        0.0,
        ge=0,
        le=86_400,
        description="So long after its end, the same trouble reopens an incident; 0s makes it a new one.",
        examples=["10m"],
    )
    suspect_within: Duration = Field(
        1800.0,
        ge=0,
        le=86_400,
        description="A change in this time before the trouble is named as a suspect.",
        examples=["1h"],
    )
    link_lifetime: Duration = Field(
        86_400.0,
        ge=60,
        le=30 * 86_400,
        description="How long the link of a notification that acknowledges an incident works.",
        examples=["8h"],
    )

    escalation: list[EscalationChoiceSection] = Field(
        default_factory=list,
        description="How incidents escalate; all by the first policy where it is absent.",
        examples=[[{"policy": "default", "severities": ["critical", "high"]}]],
    )

    def opens(self, alert: Alert) -> bool:
        """Tell whether an alert opens an incident."""
        return any(section.opens(alert) for section in self.open_for)
