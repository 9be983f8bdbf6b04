"""The notice by which an escalation tells of its incident. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from alerting.alert import Alert, AlertState
from alerting.incident import Incident
from alerting.notify.notice import IncidentNote, Notice
from alerting.notify.payload import sort_alerts

MOST_ALERTS = 50
"""A message is read on a phone at night: further alerts are only counted."""

_KEY = re.compile(r'\{\}/escalation:\{incident="([0-9]{1,18})"\}', re.ASCII)


def group_key_of(incident: int) -> str:
    """Return the group key of everything that is told of an incident."""
    return f'{{}}/escalation:{{incident="{incident}"}}'


def incident_of(group_key: str) -> int | None:
    """Return the incident that a group key is of; None for the groups of routes."""
    match = _KEY.fullmatch(group_key)
    return int(match[1]) if match else None


def make_notice(
    incident: Incident,
    alerts: Sequence[Alert],
    receiver: str,
    now: float,
    *,
    is_over: bool,
    external_url: str,
) -> Notice:
    """Return what a receiver is told of an incident; links and suspects are added elsewhere.

    Args:
        alerts: those of the incident that are known; of one that is not over, the ended ones are left out.
    """
    told = [_ended(alert, now) for alert in alerts] if is_over else _firing(alerts)
    ordered = sort_alerts(told or [_stand_in(incident, now, is_over=is_over)])
    about = {"incident": str(incident.id), "service": incident.service, "environment": incident.environment}
    return Notice(
        receiver=receiver,
        group_key=group_key_of(incident.id),
        group_labels={name: value for name, value in about.items() if value},
        alerts=ordered[:MOST_ALERTS],
        status="resolved" if is_over else "firing",
        external_url=external_url,
        now=now,
        why="escalation",
        incident=IncidentNote(incident.id, incident.title, incident.severity),
        truncated=max(0, len(ordered) - MOST_ALERTS),
    )


def _firing(alerts: Sequence[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.state is AlertState.FIRING]


def _ended(alert: Alert, now: float) -> Alert:
    """Return an alert as ended: the incident is over, even where a person said so and the alert goes on."""
    if alert.state is AlertState.RESOLVED:
        return alert
    return replace(alert, state=AlertState.RESOLVED, resolved_at=now)


def _stand_in(incident: Incident, now: float, *, is_over: bool) -> Alert:
    """Return an alert that stands for an incident without alerts: it was opened by hand, or they have ended."""
    labels = {
        "alertname": "Incident",
        "incident": str(incident.id),
        "severity": incident.severity.value,
        "service": incident.service,
        "environment": incident.environment,
    }
    return Alert(
        id=f"incident-{incident.id}",
        name="Incident",
        labels={name: value for name, value in labels.items() if value},
        annotations={"summary": incident.title},
        state=AlertState.RESOLVED if is_over else AlertState.FIRING,
        severity=incident.severity,
        active_since=incident.opened_at,
        fired_at=incident.opened_at,
        resolved_at=now if is_over else None,
        value=1.0,
        rule="",
        expr="",
    )
