"""The built-in rules, read from the file beside this module."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from pydantic import Field

from alerting.rule import NO_DEFAULTS, Group, GroupDefaults
from alerting.rule_file import GroupSection, groups_of
from alerting.threshold import ThresholdSection, threshold_group
from core.config import Section, validate
from core.yaml_file import parse_yaml

FILE = "default_rules.yml"
GROUP_NAME = "default-thresholds"


class _DefaultRulesFile(Section):
    """Groups in Prometheus' format, and thresholds."""

    groups: list[GroupSection] = Field(description="Groups of rules.", examples=[[]])
    thresholds: list[ThresholdSection] = Field(description="Thresholds.", examples=[[]])


def default_rules_text() -> str:
    """Return the file as it is shipped."""
    return files("alerting").joinpath(FILE).read_text(encoding="utf-8")


@cache
def default_groups() -> tuple[Group, ...]:
    """Return all built-in rules."""
    document = parse_yaml(default_rules_text(), FILE)
    section = validate(document, _DefaultRulesFile)
    groups = groups_of(section.groups, FILE, document=document)
    return (threshold_group(section.thresholds, FILE, GROUP_NAME), *groups)


def default_rule_names() -> set[str]:
    """Return the names of all built-in rules."""
    return {rule.name for group in default_groups() for rule in group.rules}


def enabled_default_groups(disabled: list[str], defaults: GroupDefaults = NO_DEFAULTS) -> list[Group]:
    """Return the built-in rules without some, by name."""
    unwanted = set(disabled)
    return [
        replace(
            group,
            rules=tuple(rule for rule in group.rules if rule.name not in unwanted),
            interval_seconds=defaults.interval_seconds,
            offset_seconds=defaults.offset_seconds,
        )
        for group in default_groups()
    ]
