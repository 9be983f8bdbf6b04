"""Alerts for tests of what comes after evaluation."""

from __future__ import annotations

from dataclasses import replace

from alerting.alert import Alert, AlertState, alert_id, severity_of
from metrics.label import labels_of


def alert(name: str = "TargetDown", *, at: float = 100.0, **labels: str) -> Alert:
    """Return a firing alert."""
    every = {"alertname": name, **labels}
    return Alert(
        id=alert_id(f"group/{name}", every, at),
        name=name,
        labels=every,
        annotations={"summary": f"{name} of {labels.get('instance', '')}"},
        state=AlertState.FIRING,
        severity=severity_of(labels_of(every)),
        active_since=at,
        fired_at=at,
        resolved_at=None,
        value=1.0,
        rule=f"group/{name}",
        expr="up == 0",
    )


def ended(of: Alert, at: float = 200.0) -> Alert:
    """Return an alert after its end."""
    return replace(of, state=AlertState.RESOLVED, resolved_at=at)
