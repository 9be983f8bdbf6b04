"""Relabelling as Prometheus does it: an ordered list of rules that rewrite a label set, or drop it. Pure.

Written after Prometheus' documentation (configuration, "relabel_config") and measured beside a real one. As in
Prometheus 3, `.` in a regular expression matches a line feed too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from metrics.promql.regex import translate

DEFAULT_SEPARATOR = ";"
DEFAULT_REGEX = "(.*)"
DEFAULT_REPLACEMENT = "$1"

LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
TARGET_TEMPLATE = re.compile(r"(?:[a-zA-Z_]|\$\{\w+\}|\$\w)(?:\w|\$\{\w+\}|\$\w)*", re.ASCII)
"""A label name that may hold `$1` and `${name}`."""

_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")

Template = Callable[["re.Match[str]"], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, valid by its section of the config file.

    Attributes:
        action: as in Prometheus, in lower case.
        source_labels: their values, joined by `separator`, are what `regex` is matched with.
    """

    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    separator: str = DEFAULT_SEPARATOR
    regex: str = DEFAULT_REGEX
    modulus: int = 0
    target_label: str = ""
    replacement: str = DEFAULT_REPLACEMENT
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    target: Template = field(init=False, repr=False, compare=False)
    value: Template = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile what is the same for every label set."""
        object.__setattr__(self, "pattern", compile_regex(self.regex))
        object.__setattr__(self, "target", compile_template(self.target_label))
        object.__setattr__(self, "value", compile_template(self.replacement))


def relabel(labels: Mapping[str, str], rules: Sequence[Rule]) -> dict[str, str] | None:
    """Return the labels after all rules, or None where a rule drops them; a label without a value is absent."""
    changed = dict(labels)
    for rule in rules:
        if not _ACTIONS[rule.action](rule, changed):
            return None
    return changed


def compile_regex(text: str) -> re.Pattern[str]:
    """Return a regular expression of RE2's language, to be used with `fullmatch`.

    Raises: ValueError: it is none.
    """
    return re.compile(translate(text), re.DOTALL)


def compile_template(text: str) -> Template:
    """Return what expands `$1`, `${1}` and `${name}` as Go's regexp package does.

    A name is as long as it can be, so that `$1x` is the group `1x`; a group that is not there is empty; a `$` that
    begins no reference stands for itself.
    """
    parts: list[str | tuple[str]] = []
    position = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[position : match.start()])
        parts.append("$" if match[1] else (match[2] or match[3],))
        position = match.end()
    parts.append(text[position:])
    if all(isinstance(part, str) for part in parts):
        constant = "".join(part for part in parts if isinstance(part, str))
        return lambda _match: constant
    return lambda match: "".join(part if isinstance(part, str) else _group(match, part[0]) for part in parts)


def _group(match: re.Match[str], name: str) -> str:
    if name.isascii() and name.isdecimal() and (name == "0" or name[0] != "0"):
        number = int(name) if len(name) < 9 else -1
        return (match[number] or "") if 0 <= number <= match.re.groups else ""
    return (match[name] or "") if name in match.re.groupindex else ""


def _joined(rule: Rule, labels: Mapping[str, str]) -> str:
    return rule.separator.join([labels.get(name, "") for name in rule.source_labels])


def _set(labels: dict[str, str], name: str, value: str) -> None:
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _replace(rule: Rule, labels: dict[str, str]) -> bool:
    match = rule.pattern.fullmatch(_joined(rule, labels))
    if match is not None:
        target = rule.target(match)
        if LABEL_NAME.fullmatch(target):
            _set(labels, target, rule.value(match))
    return True


def _keep(rule: Rule, labels: dict[str, str]) -> bool:
    return rule.pattern.fullmatch(_joined(rule, labels)) is not None


def _drop(rule: Rule, labels: dict[str, str]) -> bool:
    return rule.pattern.fullmatch(_joined(rule, labels)) is None


def _keep_equal(rule: Rule, labels: dict[str, str]) -> bool:
    return labels.get(rule.target_label, "") == _joined(rule, labels)


def _drop_equal(rule: Rule, labels: dict[str, str]) -> bool:
    return labels.get(rule.target_label, "") != _joined(rule, labels)


def _hash_modulo(rule: Rule, labels: dict[str, str]) -> bool:
    digest = hashlib.md5(_joined(rule, labels).encode(), usedforsecurity=False).digest()
    _set(labels, rule.target_label, str(int.from_bytes(digest[8:], "big") % rule.modulus))
    return True


def _label_map(rule: Rule, labels: dict[str, str]) -> bool:
    for name, value in sorted(labels.items()):
        match = rule.pattern.fullmatch(name)
        new_name = rule.value(match) if match is not None else ""
        if new_name:
            _set(labels, new_name, value)
    return True


def _label_drop(rule: Rule, labels: dict[str, str]) -> bool:
    for name in [name for name in labels if rule.pattern.fullmatch(name)]:
        del labels[name]
    return True


def _label_keep(rule: Rule, labels: dict[str, str]) -> bool:
    for name in [name for name in labels if not rule.pattern.fullmatch(name)]:
        del labels[name]
    return True


def _lowercase(rule: Rule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, "".join(map(_lower, _joined(rule, labels))))
    return True


def _uppercase(rule: Rule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, "".join(map(_upper, _joined(rule, labels))))
    return True


def _lower(character: str) -> str:
    """Return one character for one, as Go does: `str.lower` may give two."""
    return character.lower()[0]


def _upper(character: str) -> str:
    """Return one character for one, as Go does: `str.upper` makes SS of ß."""
    for changed in (character.upper(), character.title()):
        if len(changed) == 1:
            return changed
    return character


_ACTIONS: Mapping[str, Callable[[Rule, dict[str, str]], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hash_modulo,
    "labelmap": _label_map,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
}

ACTIONS = tuple(_ACTIONS)
"""The names of all actions."""
