"""The webhook message, field by field."""

from __future__ import annotations

import json

import pytest

from alerting.notify.payload import GroupOfAlerts, format_time, group_key, group_labels, render
from tests.alerting.makers import alert, ended


def message(*alerts: object, max_alerts: int = 0, **labels: str) -> str:
    group = GroupOfAlerts(labels, alerts)  # type: ignore[arg-type]
    return render(group, receiver="team", external_url="http://w:8797", max_alerts=max_alerts)


def test_the_message_is_alertmanagers_version_4() -> None:
    one = alert("TargetDown", instance="b", severity="critical", at=1_700_000_000.25)
    two = ended(alert("TargetDown", instance="a", severity="critical", at=1_700_000_000), at=1_700_000_060)
    assert message(one, two, alertname="TargetDown") == (
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
    ("labels", "expected"),
    [
        ({}, "{}:{}"),
        ({"b": "2", "a": "1"}, '{}:{a="1", b="2"}'),
        ({"a": 'x"\\\n\x01é\u2028'}, '{}:{a="x\\"\\\\\\n\\x01é\\u2028"}'),
    ],
)
def test_the_group_key_is_alertmanagers(labels: dict[str, str], expected: str) -> None:
    assert group_key(labels) == expected


def test_group_labels_are_those_that_are_there() -> None:
    labels = {"alertname": "A", "instance": "i"}
    assert group_labels(labels, ["alertname", "service"]) == {"alertname": "A"}
    assert group_labels(labels, ["..."]) == labels


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
