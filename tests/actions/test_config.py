from __future__ import annotations

import pytest

from actions.config import ActionsConfig
from actions.deployment.service import EnvironmentConfig, fill, from_snapshot, snapshot
from core.config import Section, validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml

GOOD = """\
services:
  shop:
    environments:
      production:
        runtime: {process: {argv: [shop, "{port}"]}}
        ports: 9001-9008
        router: {listen: "127.0.0.1:8080"}
policies:
  - name: roll-back
    when: {alert: {matchers: ['severity="critical"']}}
    do: {operation: rollback}
"""


def _load(text: str) -> ActionsConfig:
    return validate(parse_yaml(text, "w.yml"), ActionsConfig)


def test_defaults_are_the_safe_ones() -> None:
    config = _load(GOOD)
    production = config.services["shop"].environments["production"]
    assert (production.strategy, production.bake, production.deadline, production.history) == (
        "blue-green", 300.0, 1800.0, 5,
    )  # fmt: skip
    assert production.ports == tuple(range(9001, 9009))
    assert (config.policies[0].mode, config.policies[0].cooldown) == ("observe", 600.0)


def test_config_survives_its_snapshot() -> None:
    production = _load(GOOD).services["shop"].environments["production"]
    assert from_snapshot(snapshot(production)) == production


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("9001-9008", "9001-9003", "w.yml:5:9: services.shop.environments.production: blue-green with 2 instances"),
        ("9001-9008", "many", "w.yml:6:16: services.shop.environments.production.ports: 'many' is no range of ports"),
        ("9001-9008", "[9001, 9001, 9002, 9003]", "a port is listed twice; remove one"),
        ("9001-9008", "9008-9001", "holds no port"),
        ("  shop:", "  Shop:", "'Shop' is no name; use lower-case letters"),
        ('"{port}"', '"{prot}"', "unknown placeholder {prot}; known are {port} {artifact} {version} {instance}"),
        ("127.0.0.1:8080", "8080", "'8080' is no address; write host:port"),
        ("127.0.0.1:8080", "127.0.0.1:9001", "the router's 127.0.0.1:9001 is among the ports of the instances"),
        ("operation: rollback", "operation: rolback", "no operation 'rolback'; known are command, deploy"),
        ('severity="critical"', "severity", "'severity' is no matcher"),
        ("runtime:", "runtme:", "unknown key; did you mean 'runtime'?"),
        ("        router:", "        bake: 5\n        router:", "5 has no unit; write a duration"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_place_and_remedy(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        _load(GOOD.replace(old, new))
    assert message in str(caught.value)


def test_two_services_may_not_share_a_port() -> None:
    copy = GOOD.split("policies:", maxsplit=1)[0].split("\n", 1)[1].replace("shop:", "cart:")
    with pytest.raises(ConfigError, match=r"port 9001 belongs to (cart|shop)/production and to"):
        _load("services:\n" + copy + GOOD.split("\n", 1)[1])


def test_two_policies_may_not_share_a_name() -> None:
    twice = GOOD + GOOD.split("policies:\n")[1]
    with pytest.raises(ConfigError, match="two policies are called 'roll-back'; rename one"):
        _load(twice)


def test_value_is_never_read_as_a_placeholder() -> None:
    assert fill("{version}-{port}-{other}", {"version": "{port}", "port": "1"}) == "{port}-1-{other}"


def test_every_field_has_a_description_and_an_example() -> None:
    modules = ("actions.config", "actions.policy", "actions.deployment.", "actions.webhook", "actions.command")
    sections = [section for section in Section.__subclasses__() if section.__module__.startswith(modules)]
    assert len(sections) > 10
    for section in sections:
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert field.examples, f"{section.__name__}.{name}"


def test_recreate_needs_ports_for_one_side_only() -> None:
    EnvironmentConfig.model_validate(
        {"runtime": {"process": {"argv": ["x"]}}, "ports": "9001-9002", "strategy": "recreate"}
    )
