"""Labels of a series: a sorted tuple of name and value, so that equal labels are equal, hashable values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

METRIC_NAME = "__name__"

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs sorted by name; no name twice, no empty value (an empty value is an absent label). The metric's name is the
label `__name__`."""

_LEGACY_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LEGACY_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def labels_of(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """Return the labels for a mapping, without those whose value is empty."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return tuple(sorted((name, value) for name, value in items if value))


def metric_name(labels: Labels) -> str:
    """Return the metric's name; empty where it has none."""
    # "__name__" sorts before every lower-case name, but not before upper-case ones.
    return next((value for name, value in labels if name == METRIC_NAME), "")


def label_value(labels: Labels, name: str) -> str:
    """Return the value of a label; empty where it is absent."""
    return next((value for key, value in labels if key == name), "")


def with_labels(labels: Labels, changes: Mapping[str, str]) -> Labels:
    """Return the labels with some set; an empty value removes one."""
    return labels_of({**dict(labels), **changes})


def escape_value(value: str) -> str:
    """Return a label value as it stands between the quotes of the text format."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def format_labels(labels: Labels) -> str:
    """Return labels as PromQL writes them: `up{instance="a",job="b"}`; UTF-8 names are quoted."""
    name = metric_name(labels)
    plain = bool(_LEGACY_NAME.fullmatch(name))
    parts = [] if plain or not name else [f'"{escape_value(name)}"']
    for key, value in labels:
        if key != METRIC_NAME:
            shown = key if _LEGACY_LABEL.fullmatch(key) else f'"{escape_value(key)}"'
            parts.append(f'{shown}="{escape_value(value)}"')
    body = "{" + ",".join(parts) + "}" if parts else ""
    return (name if plain else "") + body or "{}"
