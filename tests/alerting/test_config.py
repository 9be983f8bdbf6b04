"""The config sections of alerting: what is read and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from alerting.config import AlertingConfig
from alerting.load import load_rules
from core.config import LaterSections, validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml
from tests.alerting.house import config_of

RECEIVERS = """
receivers:
  - name: team
    webhook_configs:
      - url: http://127.0.0.1:9/x
        send_resolved: true
        max_alerts: 5
        timeout: 3s
        http_config: {authorization: {credentials_file: token}}
        signing_secret_file: secret
route: {receiver: team, group_by: [alertname]}
"""


def test_receivers_and_route_are_read_as_alertmanager_writes_them() -> None:
    config = config_of(RECEIVERS)
    webhook = config.receivers[0].webhook_configs[0]
    assert (webhook.timeout, webhook.max_alerts, webhook.send_resolved) == (3.0, 5, True)
    assert config.route is not None
    assert config.route.group_by == ["alertname"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("route: {receiver: nobody}", "'nobody' does not exist"),
        ("receivers: [{name: a}, {name: a}]", "defined twice"),
        ("receivers: [{name: a, sns_configs: []}]", "is not supported here; use apprise_configs"),
        ("receivers: [{name: a}]\nroute: {receiver: a, group_by: [..., a]}", "stands for all labels"),
        ("receivers: [{name: a, webhook_configs: [{}]}]", "exactly one of 'url' and 'url_file'"),
        ("receivers: [{name: a, webhook_configs: [{url: x, url_file: y}]}]", "no http:// or https:// address"),
        ("receivers: [{name: a, webhook_configs: [{url: 'ftp://x'}]}]", "no http:// or https:// address"),
        ("receivers: [{name: a, webhook_configs: [{url: 'http://x', timeout: 10}]}]", "has no unit"),
        (
            "receivers: [{name: a, webhook_configs: [{url: 'http://x', http_config: {oauth2: {}}}]}]",
            "is not supported; give a token",
        ),
        (
            "receivers: [{name: a, webhook_configs: [{url: 'http://x', http_config:"
            " {basic_auth: {username: a, password: hunter2, password_file: p}}}]}]",
            "has both password and password_file",
        ),
        ("rule_file: [a]", "did you mean 'rule_files'?"),
        ("default_rules: {disable: [Nope]}", "is no default rule; known are: "),
        ("groups: [{name: a, rules: []}, {name: a, rules: []}]", "used twice"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(text, quiet=False)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_mistake_in_a_rule_of_the_config_itself_is_named_with_its_place() -> None:
    text = "groups:\n  - name: a\n    rules:\n      - alert: A\n        expr: rate(up)\n"
    with pytest.raises(ConfigError) as caught:
        validate(parse_yaml(text, "watchkeeper.yml"), AlertingConfig)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column, problem.path) == (
        "watchkeeper.yml",
        5,
        15,
        "groups.0.rules.0.expr",
    )


def test_rules_of_all_places_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "b.yml").write_text("groups: [{name: b, rules: [{alert: B, expr: up}]}]")
    (tmp_path / "rules" / "a.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: up}]}]")
    config = config_of(
        "rule_files: ['rules/*.yml']\ngroups: [{name: c, rules: [{alert: C, expr: up}]}]\n"
        "thresholds: [{name: T, expr: x, warning: {above: 1}}]"
    )
    groups = load_rules(config, tmp_path)
    assert [group.name for group in groups] == ["c", "thresholds", "a", "b"]


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: up ==}]}]")
    text = (
        "rule_files: [a.yml, absent.yml]\nreceivers:\n  - name: r\n    webhook_configs:\n"
        "      - url: http://x\n        signing_secret_file: gone\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_rules(config_of(text), tmp_path, parse_yaml(text, str(tmp_path / "w.yml")))
    first, second, third = map(str, caught.value.problems)
    assert "a.yml:1:45: groups.0.rules.0.expr" in first
    assert "absent.yml: cannot read" in second
    assert "w.yml:6:30: receivers.0.webhook_configs.0.signing_secret_file" in third


def test_built_in_rules_can_be_disabled_by_name(tmp_path: Path) -> None:
    def names(text: str) -> set[str]:
        return {rule.name for group in load_rules(config_of(text, quiet=False), tmp_path) for rule in group.rules}

    assert "HostCpuHigh" in names("")
    assert names("") - names("default_rules: {disable: [HostCpuHigh]}") == {"HostCpuHigh"}
    assert names("default_rules: {enabled: false}") == set()


def test_every_field_is_described_and_has_an_example() -> None:
    seen: set[type[BaseModel]] = set()

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            for name, field in kind.model_fields.items():
                assert field.description, f"{kind.__name__}.{name}"
                is_refused = field.annotation is type(None)
                assert field.examples or is_refused, f"{kind.__name__}.{name}"
                visit(field.annotation)
                for mark in field.metadata:
                    visit(mark.model() if isinstance(mark, LaterSections) else None)
        for inner in getattr(kind, "__args__", ()):
            visit(inner)

    visit(AlertingConfig)
    assert len(seen) >= 10
