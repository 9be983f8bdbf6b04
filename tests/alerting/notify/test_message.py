from __future__ import annotations

import json

from alerting.alert import Transition
from alerting.notify.message import Notifier
from tests.alerting.house import config_of
from tests.alerting.makers import alert, ended

RECEIVER = "receivers: [{name: team, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]"


def test_external_labels_are_told_with_alerts_that_have_none_of_that_name() -> None:
    notifier = Notifier()
    notifier.configure(config_of(RECEIVER), {"region": "north", "instance": "outer", "environment": "prod"})
    one = alert(instance="a")
    [told] = [json.loads(message.body) for message in notifier.messages([(Transition.FIRING, one)], 100.0)]
    assert told["alerts"][0]["labels"] == {
        "alertname": "TargetDown",
        "environment": "prod",
        "instance": "a",
        "region": "north",
    }
    assert told["groupLabels"] == {"alertname": "TargetDown", "environment": "prod"}
    [told] = [json.loads(message.body) for message in notifier.messages([(Transition.RESOLVED, ended(one))], 200.0)]
    assert (told["status"], told["groupLabels"]["environment"]) == ("resolved", "prod")
