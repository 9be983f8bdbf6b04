"""Sections `relabel_configs` and `metric_relabel_configs`, with the defaults and checks of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.config import Section
from core.text import Text
from metrics.relabel import (
    ACTIONS,
    DEFAULT_REGEX,
    DEFAULT_REPLACEMENT,
    DEFAULT_SEPARATOR,
    LABEL_NAME,
    TARGET_TEMPLATE,
    Rule,
    compile_regex,
)

_NEEDS_TARGET = frozenset({"replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal"})
_FIXED_VALUE = frozenset({"lowercase", "uppercase"})
_ONLY_EQUAL = frozenset({"keepequal", "dropequal"})
_ONLY_REGEX = frozenset({"labeldrop", "labelkeep"})


def _or_empty(value: object) -> object:
    return "" if value is None else value


OptionalText = Annotated[Text, BeforeValidator(_or_empty)]


class RelabelConfig(Section):
    """One rule that rewrites labels, or drops what has them."""

    source_labels: list[str] | None = Field(
        None, description="Labels whose values are joined and looked at.", examples=[["__meta_url", "team"]]
    )
    separator: OptionalText = Field(DEFAULT_SEPARATOR, description="What joins them.", examples=[";"])
    regex: OptionalText = Field(DEFAULT_REGEX, description="Must match the whole of it (RE2).", examples=["(.+):9100"])
    modulus: int = Field(0, ge=0, lt=2**64, description="For hashmod: the number of shards.", examples=[4])
    target_label: OptionalText = Field("", description="The label that is written.", examples=["instance"])
    replacement: OptionalText = Field(
        DEFAULT_REPLACEMENT, description="What is written; $1 and ${name} are groups of the regex.", examples=["$1"]
    )
    action: str = Field("replace", description=f"One of {', '.join(ACTIONS)}.", examples=["keep"])

    @field_validator("action")
    @classmethod
    def _known_action(cls, value: str) -> str:
        if value.lower() not in ACTIONS:
            raise ValueError(f"{value!r} is no action; use one of {', '.join(ACTIONS)}")
        return value.lower()

    @field_validator("source_labels")
    @classmethod
    def _label_names(cls, names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if not LABEL_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no label name; use letters, digits and _, and no digit first")
        return names

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            compile_regex(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no regular expression: {error}; correct it") from None
        return value

    @model_validator(mode="after")
    def _fits_action(self) -> Self:
        for mistake in self._mistakes():
            raise ValueError(mistake)
        return self

    def _mistakes(self) -> Iterable[str]:
        action, target = self.action, self.target_label
        if action == "hashmod" and not self.modulus:
            yield "action hashmod needs a modulus; give the number of shards"
        if action in _NEEDS_TARGET and not target:
            yield f"action {action} needs a target_label; name the label to write"
        if action in _NEEDS_TARGET and not self._is_target(target):
            yield f"target_label {target!r} is no label name for action {action}; use letters, digits and _"
        if action in _FIXED_VALUE and self.replacement != DEFAULT_REPLACEMENT:
            yield f"action {action} takes no replacement; remove it"
        if action == "labelmap" and not TARGET_TEMPLATE.fullmatch(self.replacement):
            yield f"replacement {self.replacement!r} makes no label names; use letters, digits, _ and $1"
        if action in _ONLY_EQUAL and (extra := self._extra({"source_labels", "target_label"})):
            yield f"action {action} takes only source_labels and target_label; remove {extra}"
        if action in _ONLY_REGEX and (extra := self._extra({"regex"})):
            yield f"action {action} takes only regex; remove {extra}"

    def _is_target(self, target: str) -> bool:
        pattern = TARGET_TEMPLATE if self.action == "replace" else LABEL_NAME
        return pattern.fullmatch(target) is not None

    def _extra(self, allowed: set[str]) -> str:
        """Return the name of a key that was given a value of its own though the action has no use for it."""
        for name, field in type(self).model_fields.items():
            # Prometheus compares compiled expressions: one that is written out is never the default.
            differs = getattr(self, name) != field.default or name == "regex"
            if name in self.model_fields_set and differs and name not in allowed and name != "action":
                return name
        return ""

    def rule(self) -> Rule:
        """Return the rule, ready to be applied."""
        return Rule(
            self.action,
            tuple(self.source_labels or ()),
            self.separator,
            self.regex,
            self.modulus,
            self.target_label,
            self.replacement,
        )


def rules_of(configs: Iterable[RelabelConfig]) -> tuple[Rule, ...]:
    """Return the rules of a section."""
    return tuple(config.rule() for config in configs)
