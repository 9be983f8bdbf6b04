"""What rules say through their templates as time goes on: external labels, other series, the value."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerting.load import load_rules
from alerting.rule import NO_DEFAULTS, AlertingRule
from alerting.rule_state import template_expressions
from alerting.template.error import TemplateError
from alerting.template.rule import parse_template
from alerting.template.surroundings import Surroundings
from metrics.external_engine import Answers, ExternalEngine
from tests.alerting.house import config_of, house

QUERYING = """
groups:
  - name: g
    rules:
      - alert: Hot
        expr: heat > 5
        labels: {region: "{{ $externalLabels.region }}"}
        annotations:
          where: "{{ $externalURL }}/x {{ .ExternalLabels.region }}"
          others: '{{ range query "load" | sortByLabel "host" }}{{ .Labels.host }}={{ .Value }} {{ end }}'
          dynamic: '{{ printf "load{host=%q}" $labels.host | query | first | value }}'
"""


async def test_templates_know_external_labels_and_ask_for_other_series(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(QUERYING)) as here:
        await here.alerting.apply(config_of(QUERYING), external_labels={"region": "north"})
        here.feed(load__host__b=2, load__host__a=1)
        await here.collect(1, heat__host__a=9, load__host__b=2, load__host__a=1)
        (alert,) = here.alerting.alerts()
        assert alert.labels == {"alertname": "Hot", "host": "a", "region": "north"}
        assert alert.annotations == {"where": "http://watchkeeper:8797/x north", "others": "a=1 b=2 ", "dynamic": "1"}


async def test_what_was_asked_is_asked_again_at_each_evaluation_only(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(QUERYING)) as here:
        await here.collect(1, heat__host__a=9, load__host__a=1)
        assert here.alerting.alerts()[0].annotations["dynamic"] == "1"
        await here.collect(1, heat__host__a=9, load__host__a=4)
        assert here.alerting.alerts()[0].annotations["dynamic"] == "4"


async def test_after_a_restart_an_alert_says_what_it_said_until_it_is_evaluated(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(QUERYING)) as here:
        await here.collect(1, heat__host__a=9, load__host__a=1)
        assert await here.told() == []
    async with house(tmp_path, config_of(QUERYING)) as here:
        await here.told()
        assert here.alerting.alerts()[0].annotations["dynamic"] == "1"


def test_nothing_is_known_where_nothing_is_told() -> None:
    assert Surroundings().external_labels == {}


def test_an_external_server_is_asked_what_templates_are_sure_to_ask() -> None:
    rule = load_rules(config_of(QUERYING), Path(), None, NO_DEFAULTS)[0].rules[0]
    assert isinstance(rule, AlertingRule)
    assert [expression.text for expression in template_expressions(rule)] == ["load"]


def test_what_an_external_server_was_not_asked_is_said_in_the_text() -> None:
    answers = Answers(ExternalEngine("http://127.0.0.1:1", timeout_seconds=1), 0)
    template = parse_template("{{ query `up` }}")
    with pytest.raises(TemplateError, match=r"1:4: query: 'up': the server of query\.url was not asked this"):
        template.render((), 1, Surroundings(engine=answers))
