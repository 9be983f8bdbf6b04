"""The webhook message, field by field."""

from __future__ import annotations

import json

import pytest

from alerting.alert import Alert
from alerting.notify.notice import Notice
from alerting.notify.payload import format_time, render_notice, sort_alerts
from tests.alerting.makers import alert, ended


def message(*alerts: Alert, max_alerts: int = 0) -> str:
    notice = Notice(
        receiver="team",
        group_key='{}:{alertname="TargetDown"}',
        group_labels={"alertname": "TargetDown"},
        alerts=sort_alerts(alerts),
        status="firing",
        external_url="http://w:8797",
        now=0,
    )
    return render_notice(notice, max_alerts=max_alerts)


def test_the_message_is_alertmanagers_version_4() -> None:
    one = alert("TargetDown", instance="b", severity="critical", at=1_700_000_000.25)
    two = ended(alert("TargetDown", instance="a", severity="critical", at=1_700_000_000), at=1_700_000_060)
    assert message(one, two) == (
        '{"receiver":"team","status":"firing","alerts":['
        '{"status":"resolved","labels":{"alertname":"TargetDown","instance":"a","severity":"critical"},'
        '"annotations":{"summary":"TargetDown of a"},"startsAt":"2023-11-14T22:13:20Z","endsAt":"2023-11-14T22:14:20Z",'
        '"generatorURL":"http://w:8797/#alert/0318efda1cb8c24a-18bcfe56800","fingerprint":"f4a238d5fdaed353"},'
        '{"status":"firing","labels":{"alertname":"TargetDown","instance":"b","severity":"critical"},'
        '"annotations":{"summary":"TargetDown of b"},"startsAt":"2023-11-14T22:13:20.25Z",'
        '"endsAt":"0001-01-01T00:00:00Z",'
        '"generatorURL":"http://w:8797/#alert/66eb4f1d1c97b684-18bcfe568fa","fingerprint":"3793f613c78ea594"}],'
        '"groupLabels":{"alertname":"TargetDown"},'
        '"commonLabels":{"alertname":"TargetDown","severity":"critical"},"commonAnnotations":{},'
        '"externalURL":"http://w:8797","version":"4","groupKey":"{}:{alertname=\\"TargetDown\\"}","truncatedAlerts":0}\n'
    )


def test_a_group_is_resolved_when_all_of_it_is() -> None:
    assert json.loads(message(ended(alert())))["status"] == "resolved"
    assert json.loads(message(ended(alert()), alert("B")))["status"] == "firing"


def test_more_alerts_than_wanted_are_counted() -> None:
    shown = json.loads(message(*(alert(instance=str(n)) for n in range(5)), max_alerts=2))
    assert (len(shown["alerts"]), shown["truncatedAlerts"]) == (2, 3)


def test_hostile_label_values_stay_text() -> None:
    hostile = '</script>"\\\n\u2028&'
    text = message(alert(instance=hostile))
    assert json.loads(text)["alerts"][0]["labels"]["instance"] == hostile
    assert "<" not in text
    assert "\u2028" not in text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1.5, "1970-01-01T00:00:01.5Z"),
        (1.0004, "1970-01-01T00:00:01Z"),
        (10, "1970-01-01T00:00:10Z"),
    ],
)
def test_times_are_rfc_3339(seconds: float, expected: str) -> None:
    assert format_time(seconds) == expected
