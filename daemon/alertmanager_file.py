"""The key `alertmanager_config`: an Alertmanager's own config file takes the place of the same keys here.

Its contents are put into the document of the config file before anything is validated, each with its own place, so
that everything after this sees one config, and mistakes are named with the file and line where they stand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import ConfigError, Problem
from core.yaml_file import Document, read_yaml

KEY = "alertmanager_config"
ROUTING_KEYS = ("route", "receivers", "inhibit_rules", "time_intervals", "mute_time_intervals", "templates")
"""What of an Alertmanager's file is not `global`."""

_FREE_FORM = frozenset({"details", "headers", "http_headers", "fields"})
"""Mappings whose keys are the user's own words, and so name no files."""


def include(document: Document) -> list[Problem]:
    """Put the file that a document names under `alertmanager_config` into it, and return the mistakes in doing so."""
    name = document.data.get(KEY)
    if not isinstance(name, str):
        return []
    inline = [key for key in document.data if key in ROUTING_KEYS]
    message = f"stands beside '{KEY}'; write it in one of the two places"
    problems = [document.problem((key,), message, key=True) for key in inline]
    if problems:
        return problems
    file = Path(document.file).parent / name
    try:
        other = read_yaml(file)
    except ConfigError as error:
        return list(error.problems)
    if not isinstance(other.data, dict):
        return [other.problem((), "must be an Alertmanager's config: a mapping with 'route' and 'receivers'")]
    _resolve(other.data, file.absolute().parent)
    problems = [
        other.problem((key,), "is no key of an Alertmanager's config; write it in the main config file", key=True)
        for key in other.data
        if key not in (*ROUTING_KEYS, "global")
    ]
    if other.data.get("route") is None:
        problems.append(other.problem((), "has no 'route'; add one that names a receiver"))
    for key in ROUTING_KEYS:
        if other.data.get(key) is not None:
            document.put(other, (key,))
    return problems + _include_global(document, other)


def _include_global(document: Document, other: Document) -> list[Problem]:
    theirs = other.data.get("global")
    if not isinstance(theirs, dict):
        return []
    if document.data.get("global") is None:
        document.data["global"] = {}
    ours = document.data["global"]
    if not isinstance(ours, dict):
        return []  # validation says what is wrong with it
    problems = []
    for key in theirs:
        if key in ours:
            message = f"is set in {document.file} too; remove one of them"
            problems.append(other.problem(("global", key), message, key=True))
        else:
            document.put(other, ("global", key))
    return problems


def _resolve(data: dict[str, Any], base: Path) -> None:
    """Make paths absolute that start from the Alertmanager's file's folder."""
    templates = data.get("templates")
    if isinstance(templates, list):
        data["templates"] = [str(base / item) if isinstance(item, str) else item for item in templates]
    for key in ("global", "receivers"):
        _resolve_files(data.get(key), base)


def _resolve_files(value: Any, base: Path) -> None:
    if isinstance(value, list):
        for item in value:
            _resolve_files(item, base)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key.endswith("_file") and isinstance(inner, str) and inner:
                value[key] = str(base / inner)
            elif key not in _FREE_FORM:
                _resolve_files(inner, base)
