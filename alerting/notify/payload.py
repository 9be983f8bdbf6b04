"""The webhook message of Alertmanager, payload version 4: same fields, same order, same meaning. Pure.

Like Alertmanager's, a message shows its whole group: every alert of it that fires, and those that have ended since the
last message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cmp_to_key
from typing import Any

from alerting.alert import Alert, AlertState, fingerprint
from alerting.notify.notice import Notice

NO_TIME = "0001-01-01T00:00:00Z"
"""The time of an end that has not come."""


def render_notice(notice: Notice, *, max_alerts: int = 0) -> str:
    """Return the message for a notice as JSON text, with at most `max_alerts` alerts, 0 for all."""
    alerts = notice.alerts
    listed = alerts[:max_alerts] if max_alerts else alerts
    shown = [_alert(alert, notice.external_url) for alert in listed]
    message = {
        "receiver": notice.receiver,
        "status": _status(alerts),
        "alerts": shown,
        "groupLabels": dict(sorted(notice.group_labels.items())),
        "commonLabels": common([alert["labels"] for alert in shown]),
        "commonAnnotations": common([alert["annotations"] for alert in shown]),
        "externalURL": notice.external_url,
        "version": "4",
        "groupKey": notice.group_key,
        "truncatedAlerts": len(alerts) - len(listed) + notice.truncated,
    }
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    # As Go's encoder does, so that the text is safe inside HTML and JavaScript; quotes of JSON stay as they are.
    for character in "&<>\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"


def sort_alerts(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts in the order in which Alertmanager tells them: by job, by instance, then by all labels."""
    return sorted(alerts, key=cmp_to_key(_compare))


def _status(alerts: Sequence[Alert]) -> str:
    return "firing" if any(alert.state is AlertState.FIRING for alert in alerts) else "resolved"


def _alert(alert: Alert, external_url: str) -> dict[str, Any]:
    started = alert.fired_at if alert.fired_at is not None else alert.active_since
    return {
        "status": "firing" if alert.state is AlertState.FIRING else "resolved",
        "labels": dict(sorted(alert.labels.items())),
        "annotations": dict(sorted(alert.annotations.items())),
        "startsAt": format_time(started),
        "endsAt": NO_TIME if alert.resolved_at is None else format_time(alert.resolved_at),
        "generatorURL": alert.generator_url if alert.is_posted else f"{external_url}/#alert/{alert.id}",
        "fingerprint": fingerprint(alert.labels),
    }


def format_time(seconds: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC with milliseconds, without zeros at the end, as Go prints it."""
    moment = datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    return text.rstrip("0").rstrip(".") + "Z"


def common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what all of these have in common."""
    if not mappings:
        return {}
    first, *others = mappings
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _compare(left: Alert, right: Alert) -> int:
    for name in ("job", "instance"):
        ours, theirs = left.labels.get(name), right.labels.get(name)
        if ours != theirs:
            return 1 if ours is None else -1 if theirs is None or ours < theirs else 1
    if len(left.labels) != len(right.labels):
        return -1 if len(left.labels) < len(right.labels) else 1
    for name in sorted({*left.labels, *right.labels}):
        ours, theirs = left.labels.get(name), right.labels.get(name)
        if ours != theirs:
            return -1 if ours is None else 1 if theirs is None or ours > theirs else -1
    return 0
