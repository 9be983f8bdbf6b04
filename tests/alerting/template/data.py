"""A notification for tests: as Alertmanager's JSON, and as our templates see it."""

from __future__ import annotations

from typing import Any

from alerting.template.go_time import Time
from alerting.template.notification_data import KV, AlertData, Alerts, Data

HOSTILE = "<b>\"q'&+`{{ .Receiver }}"

DOCUMENT: dict[str, Any] = {
    "receiver": "team/one",
    "status": "firing",
    "externalURL": "http://watch.example.org/x?a=b&c",
    "groupLabels": {"alertname": "DiskFull", "service": "shop"},
    "commonLabels": {"alertname": "DiskFull", "service": "shop", "b": HOSTILE},
    "commonAnnotations": {"summary": "Disk is full", "b": "Ünï"},
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DiskFull", "service": "shop", "b": HOSTILE, "instance": "web-1:80"},
            "annotations": {"summary": "Disk is full", "b": "Ünï"},
            "startsAt": "2026-01-02T03:04:05.678Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus/graph?g0.expr=up",
            "fingerprint": "0123456789abcdef",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "DiskFull", "service": "shop", "b": HOSTILE, "instance": "web-2:80"},
            "annotations": {"summary": "Disk is full", "b": "Ünï"},
            "startsAt": "2025-12-31T23:59:59.5Z",
            "endsAt": "2026-01-01T00:10:00Z",
            "generatorURL": "javascript:alert(1)",
            "fingerprint": "fedcba9876543210",
        },
    ],
}

_TIMES = {
    "2026-01-02T03:04:05.678Z": 1767323045.678,
    "2025-12-31T23:59:59.5Z": 1767225599.5,
    "2026-01-01T00:10:00Z": 1767226200.0,
}


def _time(text: str) -> Time:
    return Time.of(_TIMES.get(text))


def _alert(alert: dict[str, Any]) -> AlertData:
    return AlertData(
        alert["status"], KV(alert["labels"]), KV(alert["annotations"]), _time(alert["startsAt"]),
        _time(alert["endsAt"]), alert["generatorURL"], alert["fingerprint"],
    )  # fmt: skip


NOW = 1767323045.678 + 90
DATA = Data(
    receiver=DOCUMENT["receiver"],
    status=DOCUMENT["status"],
    alerts=Alerts(map(_alert, DOCUMENT["alerts"])),
    group_labels=KV(DOCUMENT["groupLabels"]),
    common_labels=KV(DOCUMENT["commonLabels"]),
    common_annotations=KV(DOCUMENT["commonAnnotations"]),
    external_url=DOCUMENT["externalURL"],
    now=NOW,
)
