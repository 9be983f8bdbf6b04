"""The one message that stands for many in a storm: how many more alerts there are, by name and severity. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from alerting.alert import Alert, AlertState, Severity, alert_id
from alerting.pipeline.group import is_firing

SUMMARY_NAME = "MoreAlerts"
SUMMARY_KEY = f'{{}}:{{alertname="{SUMMARY_NAME}"}}'
NAMES_LISTED = 20


def summary_alert(alerts: Sequence[Alert], groups: int, now: float, limit: int) -> Alert:
    """Return the alert that says what else there is.

    Args:
        alerts: those that have no message of their own.
        groups: how many messages it stands for.
        limit: of messages a minute.
    """
    firing = [alert for alert in alerts if is_firing(alert)]
    worst = min(
        (alert.severity for alert in firing or alerts), default=Severity.LOW, key=lambda severity: severity.rank
    )
    labels = {"alertname": SUMMARY_NAME}
    annotations = {
        "summary": _summary(firing, len(alerts) - len(firing)),
        "description": f"They are of {_count(groups, 'group')}, and have no message of their own because a receiver"
        f" gets at most {limit} a minute. By severity: {_tally(alert.severity.value for alert in alerts)}.",
    }
    return Alert(
        id=alert_id("", labels, now),
        name=SUMMARY_NAME,
        labels=labels,
        annotations=annotations,
        state=AlertState.FIRING if firing or not alerts else AlertState.RESOLVED,
        severity=worst,
        active_since=now,
        fired_at=now,
        resolved_at=None if firing else now,
        value=float(len(alerts)),
        rule="",
        expr="",
        updated_at=now,
    )


def over(summary: Alert, now: float) -> Alert:
    """Return a summary at its end: all that comes has a message of its own again."""
    annotations = {"summary": "Each alert has a message of its own again."}
    return replace(summary, annotations=annotations, state=AlertState.RESOLVED, resolved_at=now)


def tally_by_name(alerts: Sequence[Alert]) -> Mapping[str, int]:
    """Return how many alerts there are of each name, most first."""
    return dict(Counter(alert.name for alert in alerts).most_common())


def _summary(firing: Sequence[Alert], ended: int) -> str:
    parts = []
    if firing:
        parts.append(f"{_count(len(firing), 'more alert')}: {_tally(alert.name for alert in firing)}")
    if ended:
        parts.append(f"{_count(ended, 'more alert')} ended")
    return "; and ".join(parts)


def _tally(names: Iterable[str]) -> str:
    counts = Counter(names).most_common()
    listed = [f"{count:,} {name}" for name, count in counts[:NAMES_LISTED]]
    others = len(counts) - len(listed)
    return ", ".join(listed) + (f" and {others:,} others" if others else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
