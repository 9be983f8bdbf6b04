"""Thresholds: the short form of an alerting rule with two levels and hysteresis."""

from __future__ import annotations

from pydantic import ConfigDict, Field, field_validator, model_validator

from alerting.alert import Severity, Timing
from alerting.rule import NO_DEFAULTS, AlertingRule, Group, GroupDefaults, base_key
from alerting.rule_file import ExpressionField, LabelName, TemplateField, Text
from alerting.template.number import format_number
from alerting.template.rule import parse_template
from core.config import Duration, Section
from metrics.promql.ast import ValueType
from metrics.promql.parse import Expression, parse

GROUP_NAME = "thresholds"


class LevelSection(Section):
    """When a level is reached, and when it is left again."""

    above: float | None = Field(None, description="Reached when the value is greater.", examples=[80])
    below: float | None = Field(None, description="Reached when the value is less.", examples=[10])
    resolve: float | None = Field(
        None, description="A firing alert stays until the value has passed this one.", examples=[75]
    )
    for_: Duration | None = Field(
        None,
        alias="for",
        ge=0,
        description="How long it must hold to fire; the threshold's unless told.",
        examples=["5m"],
    )

    @model_validator(mode="after")
    def _check_limits(self) -> LevelSection:
        if (self.above is None) == (self.below is None):
            raise ValueError("give exactly one of 'above' and 'below'")
        if self.resolve is not None and self.above is not None and self.resolve > self.above:
            raise ValueError(f"'resolve' ({self.resolve:g}) must not be greater than 'above' ({self.above:g})")
        if self.resolve is not None and self.below is not None and self.resolve < self.below:
            raise ValueError(f"'resolve' ({self.resolve:g}) must not be less than 'below' ({self.below:g})")
        return self


class ThresholdSection(Section):
    """A value that should stay on one side of one or two levels."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: Text = Field(min_length=1, description="The alert's name.", examples=["QueueLong"])
    expr: ExpressionField = Field(description="PromQL; the value that is compared.", examples=["sum by (queue) (jobs)"])
    for_: Duration = Field(0.0, alias="for", ge=0, description="How long it must hold to fire.", examples=["5m"])
    keep_firing_for: Duration = Field(0.0, ge=0, description="How long it fires on after its end.", examples=["10m"])
    warning: LevelSection | None = Field(
        None, description="Fires with severity medium.", examples=[{"above": 80, "resolve": 75}]
    )
    critical: LevelSection | None = Field(
        None, description="Fires with severity critical.", examples=[{"above": 90, "resolve": 85}]
    )
    labels: dict[LabelName, TemplateField] = Field(
        default_factory=dict, description="Put on the alert.", examples=[{"service": "shop"}]
    )
    annotations: dict[LabelName, TemplateField] = Field(
        default_factory=dict, description="Told with the alert.", examples=[{"runbook": "https://wiki/queue"}]
    )
    summary: TemplateField | None = Field(
        None, description="The annotation of this name.", examples=["{{ $labels.queue }} holds {{ $value }} jobs"]
    )

    @field_validator("expr")
    @classmethod
    def _check_vector(cls, expr: Expression) -> Expression:
        if expr.value_type is not ValueType.VECTOR:
            raise ValueError("yields a scalar; a threshold needs an instant vector, such as vector(EXPRESSION)")
        return expr

    @model_validator(mode="after")
    def _check_levels(self) -> ThresholdSection:
        warning, critical = self.warning, self.critical
        if warning is None and critical is None:
            raise ValueError("give 'warning', 'critical' or both")
        if "severity" in self.labels:
            raise ValueError("the level sets the label 'severity'; remove it from 'labels'")
        if self.summary is not None and "summary" in self.annotations:
            raise ValueError("'summary' is given twice; remove it here or from 'annotations'")
        if warning is not None and critical is not None:
            _check_order(warning, critical)
        return self


def _check_order(warning: LevelSection, critical: LevelSection) -> None:
    if (warning.above is None) != (critical.above is None):
        raise ValueError("'warning' and 'critical' look in different directions; use 'above' or 'below' in both")
    if warning.above is not None and critical.above is not None and warning.above > critical.above:
        raise ValueError("'warning' is above 'critical'; swap them")
    if warning.below is not None and critical.below is not None and warning.below < critical.below:
        raise ValueError("'warning' is below 'critical'; swap them")


def threshold_group(
    thresholds: list[ThresholdSection], file: str, name: str = GROUP_NAME, defaults: GroupDefaults = NO_DEFAULTS
) -> Group:
    """Return the alerting rules that thresholds stand for, in one group."""
    rules = tuple(rule for section in thresholds for rule in rules_of(section, file, name))
    return Group(name, rules, defaults.interval_seconds, offset_seconds=defaults.offset_seconds, file=file)


def rules_of(section: ThresholdSection, file: str, group: str = GROUP_NAME) -> list[AlertingRule]:
    """Return a threshold's alerting rules, one for each level."""
    levels = ((Severity.MEDIUM, section.warning), (Severity.CRITICAL, section.critical))
    return [_rule(section, level, severity, file, group) for severity, level in levels if level is not None]


def _rule(section: ThresholdSection, level: LevelSection, severity: Severity, file: str, group: str) -> AlertingRule:
    limit, operator = (level.above, ">") if level.above is not None else (level.below, "<")
    assert limit is not None
    labels = {**section.labels, "severity": parse_template(severity.value)}
    direction = "above" if operator == ">" else "below"
    default = parse_template(f"{section.name}: {{{{ $value | humanize }}}} is {direction} {format_number(limit)}")
    annotations = {**section.annotations}
    annotations.setdefault("summary", section.summary or default)
    for_seconds = section.for_ if level.for_ is None else level.for_
    return AlertingRule(
        key=base_key(group, section.name, {name: template.text for name, template in labels.items()}),
        name=section.name,
        expr=_compare(section.expr, operator, limit),
        timing=Timing(for_seconds, section.keep_firing_for),
        labels=labels,
        annotations=annotations,
        hold=None if level.resolve is None else _compare(section.expr, operator + "=", level.resolve),
        place=file,
    )


def _compare(expr: Expression, operator: str, limit: float) -> Expression:
    text = expr.text.strip()
    inner = f"(\n{text}\n)" if "#" in text else f"({text})"  # a comment would swallow the bracket
    return parse(f"{inner} {operator} {format_number(limit)}")
