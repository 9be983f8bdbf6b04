"""What a person needs beside a notification's text, whatever the service: facts in a line each, and links. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from alerting.alert import Alert, AlertState
from alerting.notify.length import cut
from alerting.notify.notice import Notice
from core.duration import format_duration

SUSPECTS_SHOWN = 3
VALUES_SHOWN = 3
_PLACES = ("service", "environment", "instance")
_RUNBOOK = "runbook_url"
_VALUE_CHARACTERS = 160


def facts(notice: Notice) -> list[tuple[str, str]]:
    """Return what is to be known, as name and text: where, since when, the value against its rule, suspects …"""
    firing = [alert for alert in notice.alerts if alert.state is AlertState.FIRING]
    shown = firing or list(notice.alerts)
    found = [("Why now", _WHY[notice.why])] if notice.why in _WHY else []
    if notice.incident is not None:
        incident = notice.incident
        found.append(("Incident", f"#{incident.id} {incident.title} ({incident.severity.value})"))
    found += [("Where", place) for place in [_place(shown)] if place]
    found += [("Since", since) for since in [_since(shown, notice.now, is_over=not firing)] if since]
    found += [("Value", _value(alert)) for alert in firing[:VALUES_SHOWN] if alert.expr]
    found += [("Suspect", suspect) for suspect in notice.suspects[:SUSPECTS_SHOWN]]
    if notice.truncated:
        found.append(("Left out", f"{notice.truncated} more alerts of this group"))
    return found


def links(notice: Notice) -> list[tuple[str, str]]:
    """Return what can be opened, as label and address, the most urgent first; what has ended is not acknowledged."""
    is_over = notice.status == "resolved"
    found = [
        ("Acknowledge", "" if is_over else notice.links.acknowledge),
        ("Incident", notice.links.incident),
        ("Runbook", runbook(notice.alerts)),
        ("Silence", "" if is_over else notice.links.silence),
        ("Console", notice.links.console or notice.external_url),
    ]
    return [(label, address) for label, address in found if address.startswith(("http://", "https://"))]


def runbook(alerts: Sequence[Alert]) -> str:
    """Return the address of the first runbook that the alerts name; empty where none does."""
    return next((found for alert in alerts if (found := alert.annotations.get(_RUNBOOK, ""))), "")


def format_moment(seconds: float) -> str:
    """Return Unix seconds as people write a moment: `2026-11-22 23:40 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


_WHY = {
    "repeat": "It still goes on.",
    "escalation": "Nobody has acknowledged it yet.",
    "test": "This is a test; nothing is wrong.",
    "fallback": "Another receiver could not be told.",
    "summary": "Many alerts at once, summed up.",
}


def _place(alerts: Sequence[Alert]) -> str:
    parts = []
    for name in _PLACES:
        values = sorted({alert.labels[name] for alert in alerts if alert.labels.get(name)})
        if values:
            more = f" and {len(values) - 1} more" if len(values) > 1 else ""
            parts.append(f"{name} {values[0]}{more}")
    return ", ".join(parts)


def _since(alerts: Sequence[Alert], now: float, *, is_over: bool) -> str:
    starts = [alert.fired_at if alert.fired_at is not None else alert.active_since for alert in alerts]
    if not starts:
        return ""
    first = min(starts)
    ends = [alert.resolved_at for alert in alerts if alert.resolved_at is not None]
    last = max(ends) if is_over and ends else now
    lasted = format_duration(float(max(0, round(last - first))))
    return f"{format_moment(first)}, {'lasted' if is_over else 'for'} {lasted}"


def _value(alert: Alert) -> str:
    return cut(f"{alert.value:.6g}, rule: {' '.join(alert.expr.split())}", _VALUE_CHARACTERS)
