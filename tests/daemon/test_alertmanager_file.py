"""An Alertmanager's config file: given as the config itself, or named in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerting.routing import routing_of
from core.errors import ConfigError
from daemon.config import load
from daemon.preparation import judge
from tests.components import require

ALERTMANAGER = """\
global:
route:
  receiver: team
  group_by: [alertname]
  routes:
    - matchers: [severity="critical"]
      receiver: page
      mute_time_intervals: [weekend]
receivers:
  - name: team
    webhook_configs:
      - url_file: secrets/address
  - name: page
templates: [templates/*.tmpl]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
time_intervals:
  - name: weekend
    time_intervals: [{weekdays: [saturday, sunday], location: Europe/Berlin}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    other = tmp_path / "alertmanager"
    (other / "secrets").mkdir(parents=True)
    (other / "secrets" / "address").write_text("http://127.0.0.1:9/x")
    (other / "secrets" / "address").chmod(0o600)
    (other / "alertmanager.yml").write_text(ALERTMANAGER)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "watchkeeper.yml"
    file.write_text(text)
    return file


def mistakes(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [str(problem) for problem in caught.value.problems]


def test_an_alertmanager_yml_is_a_config(folder: Path) -> None:
    file = folder / "alertmanager" / "alertmanager.yml"
    assert judge(file).problems == ()
    routing = routing_of(load(file).root)
    assert routing.route is not None
    assert [route.receiver for route in routing.route.walk()] == ["team", "page"]
    assert len(routing.inhibit_rules) == 1
    assert list(routing.time_intervals) == ["weekend"]


def test_a_config_may_name_an_alertmanager_yml_and_paths_in_it_start_from_its_folder(folder: Path) -> None:
    file = write(folder, "global: {scrape_interval: 5s}\nalertmanager_config: alertmanager/alertmanager.yml\n")
    assert judge(file).problems == ()
    loaded = load(file)
    assert loaded.root.global_.scrape_interval == 5.0
    assert loaded.root.route is not None
    assert loaded.root.templates == [str(folder / "alertmanager" / "templates" / "*.tmpl")]
    assert loaded.root.receivers[0].webhook_configs[0].url_file == folder / "alertmanager" / "secrets" / "address"


def test_a_mistake_is_named_with_the_file_and_line_where_it_stands(folder: Path) -> None:
    other = folder / "alertmanager" / "alertmanager.yml"
    other.write_text(
        ALERTMANAGER.replace("receiver: page", "receiver: nobody").replace("[weekend]", "[weekday]")
        + "scrape_configs: []\n"
    )
    file = write(folder, "alertmanager_config: alertmanager/alertmanager.yml\nlog: {level: loud}\n")
    found = mistakes(file)
    assert any(f"{file}:2:14: log.level" in text for text in found)
    assert any(f"{other}:7:17: route.routes.0.receiver: receiver 'nobody' does not exist" in text for text in found)
    assert any(f"{other}:8:29: route.routes.0.mute_time_intervals.0: time interval 'weekday'" in text for text in found)
    assert any(f"{other}:22:1: scrape_configs: is no key of an Alertmanager's config" in text for text in found)


def test_a_secret_file_that_is_missing_is_named_where_it_is_asked_for(folder: Path) -> None:
    (folder / "alertmanager" / "secrets" / "address").unlink()
    file = write(folder, "alertmanager_config: alertmanager/alertmanager.yml\n")
    (problem,) = judge(file).problems
    assert (problem.file, problem.line) == (str(folder / "alertmanager" / "alertmanager.yml"), 12)


def test_routing_stands_in_one_of_the_two_places(folder: Path) -> None:
    file = write(folder, "alertmanager_config: alertmanager/alertmanager.yml\nreceivers: []\nroute: {receiver: a}\n")
    found = mistakes(file)
    assert [text for text in found if "stands beside 'alertmanager_config'" in text] == [
        f"{file}:2:1: receivers: stands beside 'alertmanager_config'; write it in one of the two places",
        f"{file}:3:1: route: stands beside 'alertmanager_config'; write it in one of the two places",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read"),
        ("[1, 2]", "must be an Alertmanager's config"),
        ("receivers: [{name: a}]", "has no 'route'"),
        ("route: {receiver: a", "is no YAML"),
        ("global: {scrape_interval: 1s}\nroute: {receiver: a}\nreceivers: [{name: a}]", "is set in"),
    ],
)
def test_a_file_that_is_no_alertmanager_yml_is_refused(folder: Path, content: str | None, words: str) -> None:
    other = folder / "other.yml"
    if content is not None:
        other.write_text(content)
    file = write(folder, "global: {scrape_interval: 5s}\nalertmanager_config: other.yml\n")
    (found,) = mistakes(file)
    assert words in found
    assert found.startswith(str(other))


@pytest.mark.slow
@pytest.mark.component("amtool")
def test_the_config_of_the_package_loads_unchanged(tmp_path: Path) -> None:
    require("amtool")
    itself = load(Path("/etc/prometheus/alertmanager.yml"))
    named = load(write(tmp_path, "alertmanager_config: /etc/prometheus/alertmanager.yml\n"))
    assert itself.root.route == named.root.route
    assert itself.root.route is not None
    assert len(itself.root.receivers) == len(named.root.receivers) == 5


def test_the_key_takes_a_path(folder: Path) -> None:
    (found,) = mistakes(write(folder, "alertmanager_config: [a.yml]\n"))
    assert "alertmanager_config" in found
