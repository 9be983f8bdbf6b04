"""Alerts, groups and silences as the documents of Alertmanager's API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alerting.alert import Alert, fingerprint
from alerting.pipeline.dispatch import GroupView
from alerting.pipeline.stage import AlertStatus
from alerting.silence import Silence, SilenceState
from daemon.api.alertmanager.answer import format_time
from daemon.api.alertmanager.choice import OPERATORS, Choice

Document = dict[str, Any]

OWN_ALERT_SECONDS = 300.0
"""So far from now the end of an alert of our own rules is told to be: clients show that it goes on."""

_ORDER = {SilenceState.ACTIVE: 0, SilenceState.PENDING: 1, SilenceState.EXPIRED: 2}


class Teller:
    """Tells alerts as of one moment.

    Args:
        statuses: by fingerprint; an alert without one is not told.
        external_url: where people reach the daemon.
    """

    def __init__(self, statuses: Mapping[str, AlertStatus], choice: Choice, now: float, external_url: str) -> None:
        self._statuses = statuses
        self._choice = choice
        self._now = now
        self._external_url = external_url

    def alerts(self, alerts: Iterable[Alert]) -> list[Document]:
        """Return the alerts that are asked for, in the order of their fingerprints."""
        found = []
        for alert in alerts:
            key = fingerprint(alert.labels)
            status = self._statuses.get(key)
            if status is not None and self._choice.wants(alert.labels, status):
                found.append(self._alert(alert, key, status))
        return sorted(found, key=lambda document: str(document["fingerprint"]))

    def groups(self, groups: Iterable[GroupView]) -> list[Document]:
        """Return the groups with an alert that is asked for, by labels and receiver."""
        ordered = sorted(groups, key=lambda group: (sorted(group.labels.items()), group.receiver))
        found = [(group, self.alerts(group.alerts)) for group in ordered if self._choice.wants_receiver(group.receiver)]
        return [
            {"labels": dict(group.labels), "receiver": {"name": group.receiver}, "alerts": alerts}
            for group, alerts in found
            if alerts
        ]

    def _alert(self, alert: Alert, key: str, status: AlertStatus) -> Document:
        started = alert.fired_at if alert.fired_at is not None else alert.active_since
        ends_at = alert.expires_at if alert.expires_at is not None else self._now + OWN_ALERT_SECONDS
        return {
            "annotations": dict(alert.annotations),
            "endsAt": format_time(alert.resolved_at if alert.resolved_at is not None else ends_at),
            "fingerprint": key,
            "receivers": [{"name": name} for name in status.receivers],
            "startsAt": format_time(started),
            "status": {
                "inhibitedBy": list(status.inhibited_by),
                "mutedBy": list(status.muted_by),
                "silencedBy": list(status.silenced_by),
                "state": status.state,
            },
            "updatedAt": format_time(alert.updated_at or started),
            "generatorURL": alert.generator_url or f"{self._external_url}/#alert/{alert.id}",
            "labels": dict(alert.labels),
        }


def silence_documents(silences: Iterable[Silence], now: float) -> list[Document]:
    """Return silences: active ones that end first, pending ones that begin first, then those that ended last."""
    ordered = sorted(silences, key=lambda silence: _place(silence, now))
    return [silence_document(silence, now) for silence in ordered]


def _place(silence: Silence, now: float) -> tuple[int, float, str]:
    state = silence.state(now)
    moment = silence.starts_at if state is SilenceState.PENDING else silence.ends_at
    return _ORDER[state], -moment if state is SilenceState.EXPIRED else moment, silence.id


def silence_document(silence: Silence, now: float) -> Document:
    """Return one silence."""
    matchers = []
    for matcher in silence.matchers:
        is_regex, is_equal = OPERATORS[matcher.op]
        matchers.append({"isEqual": is_equal, "isRegex": is_regex, "name": matcher.name, "value": matcher.value})
    return {
        "id": silence.id,
        "status": {"state": silence.state(now).value},
        "updatedAt": format_time(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": format_time(silence.ends_at),
        "matchers": matchers,
        "startsAt": format_time(silence.starts_at),
    }
