"""Notices and the surroundings of integrations, for tests of what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from alerting.alert import Alert, Severity
from alerting.notify.global_config import NotificationDefaults
from alerting.notify.integration import Setting
from alerting.notify.notice import IncidentNote, Links, Notice
from alerting.notify.setting import make_setting
from tests.alerting.makers import alert, ended
from tests.fakes.clock import START, FakeClock

EXTERNAL_URL = "https://watch.example.org"
GROUP_KEY = '{}/{team="shop"}:{alertname="QueueLong"}'


def setting(base: Path = Path(), *, templates: Sequence[str] = (), **defaults: Any) -> Setting:
    """Return surroundings with a fake clock; `defaults` are keys of `global`."""
    return make_setting(templates, base, NotificationDefaults.model_validate(defaults), FakeClock())


def firing(name: str = "QueueLong", **labels: str) -> Alert:
    """Return an alert of a rule with a threshold, that everything is known of."""
    made = alert(name, at=START - 300, **({"service": "shop", "instance": "db-1:9100"} | labels))
    annotations = {
        "summary": "The queue is <long> & *growing*",
        "description": "More comes in than is worked off.",
        "runbook_url": "https://runbooks.example.org/queue",
    }
    return replace(made, annotations=annotations, value=1234.5, expr="queue_length > 1000")


def notice(*alerts: Alert, **changes: Any) -> Notice:
    """Return a notice of firing alerts, or of what is given."""
    made = Notice(
        receiver="team",
        group_key=GROUP_KEY,
        group_labels={"alertname": "QueueLong"},
        alerts=alerts or (firing(),),
        status="firing",
        external_url=EXTERNAL_URL,
        now=START,
        why="first",
        links=Links(
            console=f"{EXTERNAL_URL}/#alert/1",
            incident=f"{EXTERNAL_URL}/#incident/7",
            acknowledge=f"{EXTERNAL_URL}/acknowledge?token=abc&incident=7",
            silence=f"{EXTERNAL_URL}/#silence?alertname=QueueLong",
        ),
        incident=IncidentNote(7, "Checkout fails", Severity.CRITICAL),
        suspects=("auth 1.4.2, deployed 40 s before",),
    )
    return replace(made, **changes)


def resolved() -> Notice:
    """Return a notice of an end."""
    return notice(ended(firing(), at=START - 60), status="resolved")


def huge() -> Notice:
    """Return a notice that no service takes as a whole: many alerts, long texts, characters that need escapes."""
    long = 'a "quoted" <tag> & \\ back\nslash ä€😀 ' * 100
    alerts = [
        replace(firing(instance=f"db-{number}"), annotations={"summary": long, "description": long})
        for number in range(40)
    ]
    return notice(*alerts, suspects=(long, long, long))
