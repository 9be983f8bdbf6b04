"""Inhibition: which alerts need not be told."""

from __future__ import annotations

import time
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerting.alert import Alert, AlertState, fingerprint
from alerting.inhibit import MAX_NAMED, Inhibitor, InhibitRule
from alerting.matcher import matches, parse_matchers
from tests.alerting.makers import alert


def rule(source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(parse_matchers(source), parse_matchers(target), equal)


def firing(**labels: str) -> Alert:
    return replace(alert(), labels=labels)


def inhibitor(*rules: InhibitRule, alerts: tuple[Alert, ...] = ()) -> Inhibitor:
    made = Inhibitor(rules)
    made.update(alerts)
    return made


def test_an_alert_inhibits_others_that_agree_in_the_equal_labels() -> None:
    node = firing(alertname="NodeDown", node="a")
    found = inhibitor(rule("alertname=NodeDown", "alertname!=NodeDown", "node"), alerts=(node,))
    assert found.inhibited_by({"alertname": "Disk", "node": "a"}) == (fingerprint(node.labels),)
    assert found.inhibited_by({"alertname": "Disk", "node": "b"}) == ()
    assert found.inhibited_by({"alertname": "Disk"}) == ()


def test_labels_that_both_lack_are_equal() -> None:
    found = inhibitor(rule("severity=critical", "severity=warning", "zone"), alerts=(firing(severity="critical"),))
    assert found.inhibited_by({"severity": "warning"})
    assert found.inhibited_by({"severity": "warning", "zone": ""})
    assert not found.inhibited_by({"severity": "warning", "zone": "a"})


def test_only_an_alert_that_fires_inhibits() -> None:
    source = firing(alertname="A")
    found = inhibitor(rule("alertname=A", "alertname=B"), alerts=(source,))
    assert found.inhibited_by({"alertname": "B"})
    found.update([replace(source, state=AlertState.RESOLVED)])
    assert not found.inhibited_by({"alertname": "B"})
    found.update([replace(source, state=AlertState.PENDING)])
    assert not found.inhibited_by({"alertname": "B"})


def test_an_alert_on_both_sides_is_inhibited_only_by_one_that_is_no_target() -> None:
    both, source_only = firing(s="1", t="1"), firing(s="1")
    found = inhibitor(rule("s=1", "t=1"), alerts=(both,))
    assert found.inhibited_by(both.labels) == ()
    assert found.inhibited_by({"s": "1", "t": "1", "x": "y"}) == ()
    assert found.inhibited_by({"t": "1"}) == (fingerprint(both.labels),)
    found.update([source_only])
    assert found.inhibited_by(both.labels) == (fingerprint(source_only.labels),)


ALERTS = st.dictionaries(st.sampled_from("stxy"), st.sampled_from("12"), min_size=1)
RULES = st.builds(
    rule,
    st.sampled_from(["s=1", "s=~1|2", "s!=1", "x=1"]),
    st.sampled_from(["t=1", "t!=2", "s=1"]),
    st.sampled_from("xy"),
)


@given(st.lists(RULES, max_size=3), st.lists(ALERTS, max_size=6), ALERTS)
def test_inhibition_is_what_alertmanagers_rule_says(
    rules: list[InhibitRule], sources: list[dict[str, str]], target: dict[str, str]
) -> None:
    found = inhibitor(*rules, alerts=tuple(firing(**labels) for labels in sources))

    def inhibits(rule: InhibitRule, source: dict[str, str]) -> bool:
        return (
            matches(rule.source, source)
            and matches(rule.target, target)
            and all(source.get(name, "") == target.get(name, "") for name in rule.equal)
            and not (matches(rule.source, target) and matches(rule.target, source))
        )

    expected = {fingerprint(source) for source in sources for rule in rules if inhibits(rule, source)}
    assert set(found.inhibited_by(target)) == expected


def test_ten_thousand_alerts_are_quick_though_each_could_inhibit_each() -> None:
    found = inhibitor(rule("severity=critical", "severity=warning"), rule("severity=critical", "severity=warning", "n"))
    sources = [firing(severity="critical", n=str(number)) for number in range(10_000)]
    start = time.process_time()
    found.update(sources)
    updated = time.process_time() - start
    targets = [{"severity": "warning", "n": str(number)} for number in range(10_000)]
    start = time.process_time()
    assert all(MAX_NAMED <= len(found.inhibited_by(target)) <= MAX_NAMED + 1 for target in targets)
    assert updated < 5.0
    assert time.process_time() - start < 2.0
