"""Prometheus' rule files, read as they are, and the same groups written into the config file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from alerting.alert import Timing
from alerting.rule import NO_DEFAULTS, AlertingRule, Group, GroupDefaults, RecordingRule, Rule, base_key
from alerting.template.rule import Template, parse_template
from core.config import Duration, Section, validate
from core.errors import UserError
from core.yaml_file import Document, read_yaml
from metrics.label import METRIC_NAME
from metrics.promql.ast import ValueType
from metrics.promql.parse import Expression, parse

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def _text(value: object) -> object:
    """Numbers and booleans stand for their text, as in Prometheus' own files."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return "" if value is None else value


def parse_expression(value: object) -> Expression:
    """Return the expression that a config value is; usable as a rule's condition.

    Raises: ValueError: it is none, or does not yield an instant vector or a scalar.
    """
    text = _text(value)
    if isinstance(text, Expression):
        return text
    if not isinstance(text, str) or not text.strip():
        raise ValueError("must be a PromQL expression, such as up == 0")
    try:
        expression = parse(text)
    except UserError as error:
        raise ValueError(str(error)) from None
    if expression.value_type not in (ValueType.VECTOR, ValueType.SCALAR):
        raise ValueError(f"yields a {expression.value_type.value}; a rule needs an instant vector or a scalar")
    return expression


def _template(value: object) -> Template:
    text = _text(value)
    if isinstance(text, Template):
        return text
    if not isinstance(text, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic makes a problem of this one only
    try:
        return parse_template(text)
    except UserError as error:
        raise ValueError(str(error)) from None


def check_label_name(name: str) -> str:
    """Return a label name that a rule may set.

    Raises: ValueError: it is none.
    """
    if not _LABEL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no label name; use letters, digits and '_', not starting with a digit")
    if name == METRIC_NAME:
        raise ValueError(f"{METRIC_NAME!r} is the metric's name and cannot be set as a label; remove it")
    return name


ExpressionField = Annotated[
    Expression,
    PlainValidator(parse_expression),
    PlainSerializer(lambda expression: expression.text, return_type=str),
    WithJsonSchema({"type": "string"}),
]
TemplateField = Annotated[
    Template,
    PlainValidator(_template),
    PlainSerializer(lambda template: template.text, return_type=str),
    WithJsonSchema({"type": "string"}),
]
Text = Annotated[str, BeforeValidator(_text)]
LabelName = Annotated[str, BeforeValidator(lambda value: check_label_name(str(value)))]


class RuleSection(Section):
    """One alerting rule (`alert`) or recording rule (`record`)."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    alert: Text = Field("", description="The alert's name.", examples=["TargetDown"])
    record: Text = Field("", description="The name under which the result is remembered.", examples=["job:up:count"])
    expr: ExpressionField = Field(description="PromQL; each series it yields is an alert.", examples=["up == 0"])
    for_: Duration = Field(0.0, alias="for", ge=0, description="How long it must hold to fire.", examples=["5m"])
    keep_firing_for: Duration = Field(0.0, ge=0, description="How long it fires on after its end.", examples=["10m"])
    labels: dict[LabelName, TemplateField] = Field(
        default_factory=dict, description="Put on the alert or recorded series.", examples=[{"severity": "critical"}]
    )
    annotations: dict[LabelName, TemplateField] = Field(
        default_factory=dict, description="Told with the alert.", examples=[{"summary": "{{ $labels.job }} is down"}]
    )

    @model_validator(mode="after")
    def _check_kind(self) -> RuleSection:
        if bool(self.alert) == bool(self.record):
            raise ValueError("a rule has either 'alert' or 'record'; give exactly one of them")
        if self.record:
            if not _METRIC_NAME.fullmatch(self.record):
                raise ValueError(f"'record' is {self.record!r}, which is no metric name; use letters, digits, '_', ':'")
            unused = {"for": self.for_, "keep_firing_for": self.keep_firing_for, "annotations": self.annotations}
            wrong = [name for name, value in unused.items() if value]
            if wrong:
                raise ValueError(f"a recording rule has no {wrong[0]!r}; remove it")
        return self


class GroupSection(Section):
    """Rules that are evaluated in order."""

    name: Text = Field(min_length=1, description="Unique in its file.", examples=["shop"])
    interval: Duration | None = Field(
        None,
        gt=0,
        description="How often rules are evaluated though none of their data arrived; without it, that of `global`.",
        examples=["30s"],
    )
    limit: int = Field(0, ge=0, description="The most series a rule may yield; 0 for any number.", examples=[100])
    query_offset: Duration | None = Field(
        None, ge=0, description="How far in the past the rules look; without it, that of `global`.", examples=["30s"]
    )
    labels: dict[LabelName, TemplateField] = Field(
        default_factory=dict, description="Put on all rules that do not set them.", examples=[{"team": "shop"}]
    )
    rules: list[RuleSection] = Field(
        default_factory=list, description="In order.", examples=[[{"alert": "TargetDown", "expr": "up == 0"}]]
    )


def check_group_names(groups: list[GroupSection]) -> list[GroupSection]:
    """Return groups none of which shares its name with another.

    Raises: ValueError: two do.
    """
    names = [group.name for group in groups]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"group name {twice!r} is used twice in this file; rename one of them")
    return groups


class RuleFileSection(Section):
    """A rule file."""

    groups: list[GroupSection] = Field(
        default_factory=list, description="Groups of rules.", examples=[[{"name": "shop", "rules": []}]]
    )

    @field_validator("groups")
    @classmethod
    def _unique(cls, groups: list[GroupSection]) -> list[GroupSection]:
        return check_group_names(groups)


def read_rule_file(file: Path, defaults: GroupDefaults = NO_DEFAULTS) -> list[Group]:
    """Return the groups of a rule file.

    Raises: ConfigError: all mistakes in it, with their places.
    """
    document = read_yaml(file)
    section = validate(document, RuleFileSection)
    return groups_of(section.groups, str(file), document=document, defaults=defaults)


def groups_of(
    sections: Sequence[GroupSection],
    file: str,
    *,
    document: Document | None = None,
    path: tuple[str | int, ...] = (),
    defaults: GroupDefaults = NO_DEFAULTS,
) -> list[Group]:
    """Return the rules of group sections; `document` and `path` tell where in `file` they stand."""
    groups = []
    for number, section in enumerate(sections):
        rules = []
        for index, rule in enumerate(section.rules):
            place = file
            if document is not None:
                mark = document.mark((*path, "groups", number, "rules", index))
                place = f"{file}:{mark.line}"
            rules.append(_rule(section, rule, place))
        interval = section.interval or defaults.interval_seconds
        offset = defaults.offset_seconds if section.query_offset is None else section.query_offset
        groups.append(Group(section.name, tuple(rules), interval, section.limit, offset, file))
    return groups


def _rule(group: GroupSection, rule: RuleSection, place: str) -> Rule:
    labels = {**group.labels, **rule.labels}
    texts = {name: template.text for name, template in labels.items()}
    key = base_key(group.name, rule.alert or rule.record, texts)
    if rule.record:
        return RecordingRule(key, rule.record, rule.expr, texts, place)
    timing = Timing(rule.for_, rule.keep_firing_for)
    return AlertingRule(key, rule.alert, rule.expr, timing, labels, rule.annotations, place=place)


def with_unique_keys(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Return the groups with rules of the same key numbered, in order: `KEY`, `KEY#2`, `KEY#3`."""
    seen: dict[str, int] = {}

    def unique(rule: Any) -> Rule:
        seen[rule.key] = count = seen.get(rule.key, 0) + 1
        numbered: Rule = rule if count == 1 else replace(rule, key=f"{rule.key}#{count}")
        return numbered

    return tuple(replace(group, rules=tuple(unique(rule) for rule in group.rules)) for group in groups)
