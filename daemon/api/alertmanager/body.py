"""What is posted: alerts and silences, read and checked as Alertmanager's OpenAPI document has them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerting.matcher import Matcher, new_matcher
from alerting.pipeline.posted import PostedAlert
from alerting.silence import Silence
from core.errors import UserError
from daemon.api.alertmanager.answer import SchemaError
from metrics.storage import MatchOp

MAX_ALERTS = 100_000
"""So many alerts one request may post."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_OPERATORS = {
    (False, True): MatchOp.EQUAL, (False, False): MatchOp.NOT_EQUAL,
    (True, True): MatchOp.REGEX, (True, False): MatchOp.NOT_REGEX,
}  # fmt: skip


def read_json(body: bytes, what: str) -> Any:
    """Return the document that a body is.

    Raises: SchemaError: it is no JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f'parsing {what} body from "" failed, because {error}', 400) from None


def alerts_of(document: Any) -> tuple[list[PostedAlert], list[str]]:
    """Return the valid alerts of a posted document, and what is wrong with each of the others.

    Raises: SchemaError: it has not the form of alerts.
    """
    if not isinstance(document, list):
        raise SchemaError("alerts in body must be of type array", 601)
    if len(document) > MAX_ALERTS:
        raise SchemaError(f"alerts in body should have at most {MAX_ALERTS} items", 604)
    found, mistakes = [], []
    for index, one in enumerate(document):
        alert = _alert(one, f"alerts.{index}")
        mistake = _mistake(alert)
        if mistake:
            mistakes.append(mistake)
        else:
            found.append(alert)
    return found, mistakes


def _alert(document: Any, place: str) -> PostedAlert:
    given = _object(document, place)
    labels = _texts(given, "labels", place, is_required=True)
    return PostedAlert(
        labels={name: value for name, value in labels.items() if value},
        annotations=_texts(given, "annotations", place),
        starts_at=_time(given, "startsAt", place),
        ends_at=_time(given, "endsAt", place),
        generator_url=_text(given, "generatorURL", place) or "",
    )


def _mistake(alert: PostedAlert) -> str:
    starts_at, ends_at = alert.starts_at, alert.ends_at
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        return "start time must be before end time"
    if not alert.labels:
        return "at least one label pair required"
    for what, pairs in (("label", alert.labels), ("annotation", alert.annotations)):
        wrong = next((name for name in pairs if not _NAME.fullmatch(name)), None)
        if wrong is not None:
            return f'invalid {what} set: invalid name "{wrong}"'
    return ""


def silence_of(document: Any) -> Silence:
    """Return the silence that a posted document asks for.

    Raises: SchemaError: it has not the form of one. UserError: a matcher cannot be used.
    """
    given = _object(document, "silence")
    matchers = given.get("matchers")
    if matchers is None:
        raise SchemaError("silence.matchers in body is required", 602)
    if not isinstance(matchers, list) or not matchers:
        raise SchemaError("silence.matchers in body should have at least 1 items", 612)
    starts_at, ends_at = (_time(given, name, "silence", is_required=True) for name in ("startsAt", "endsAt"))
    assert starts_at is not None
    assert ends_at is not None
    return Silence(
        id=_text(given, "id", "silence") or "",
        matchers=tuple(_matcher(one, f"silence.matchers.{index}") for index, one in enumerate(matchers)),
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=_text(given, "createdBy", "silence", is_required=True) or "",
        comment=_text(given, "comment", "silence", is_required=True) or "",
    )


def _matcher(document: Any, place: str) -> Matcher:
    given = _object(document, place)
    name, value = (_text(given, key, place, is_required=True) or "" for key in ("name", "value"))
    is_regex = _flag(given, "isRegex", place)
    if is_regex is None:
        raise SchemaError(f"{place}.isRegex in body is required", 602)
    is_equal = _flag(given, "isEqual", place)
    if not name:
        raise UserError("invalid silence: a matcher has no label name; name the label")
    return new_matcher(name, _OPERATORS[is_regex, is_equal is not False], value)


def _object(document: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise SchemaError(f"{place} in body must be of type object", 601)
    return document


def _text(given: Mapping[str, Any], name: str, place: str, *, is_required: bool = False) -> str | None:
    value = given.get(name)
    if value is None and is_required:
        raise SchemaError(f"{place}.{name} in body is required", 602)
    if value is not None and not isinstance(value, str):
        raise SchemaError(f"{place}.{name} in body must be of type string", 601)
    return value


def _flag(given: Mapping[str, Any], name: str, place: str) -> bool | None:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise SchemaError(f"{place}.{name} in body must be of type boolean", 601)
    return value


def _texts(given: Mapping[str, Any], name: str, place: str, *, is_required: bool = False) -> dict[str, str]:
    value = given.get(name)
    if value is None and is_required:
        raise SchemaError(f"{place}.{name} in body is required", 602)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise SchemaError(f"{place}.{name} in body must be of type object with texts", 601)
    return value


def _time(given: Mapping[str, Any], name: str, place: str, *, is_required: bool = False) -> float | None:
    text = _text(given, name, place, is_required=is_required)
    if text is None or text == "" or text.startswith("0001-01-01T00:00:00"):
        return None if not is_required else 0.0
    if not _TIME.fullmatch(text):
        raise SchemaError(f"{place}.{name} in body must be of type date-time: {json.dumps(text[:100])}", 601)
    try:
        return datetime.fromisoformat(_microseconds(text)).timestamp()
    except (ValueError, OverflowError):
        raise SchemaError(f"{place}.{name} in body must be of type date-time: {json.dumps(text[:100])}", 601) from None


def _microseconds(text: str) -> str:
    """Return a time with no more decimals than Python reads."""
    return re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
