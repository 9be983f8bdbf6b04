from __future__ import annotations

import pytest

from collectors.collector import CollectorPlugin
from collectors.context import CollectorContext
from collectors.scrape import ScrapePlugin
from collectors.scrape.config import ScrapeConfigs
from core.config import Section, validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml
from tests.collectors.section import validated


class Root(Section):
    """A file with the one section."""

    scrape_configs: ScrapeConfigs


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate(parse_yaml(text, "test.yml"), Root)
    return [str(problem) for problem in caught.value.problems]


def test_every_mistake_is_told_with_its_place_and_remedy() -> None:
    text = """\
scrape_configs:
- job_name: shop
  scrape_interval: 15
  relabel_configs: [{action: drop}]
  kubernetes_sd_configs: []
  metrics_pth: /m
  static_configs:
  - targets: ['http://x:1/metrics', 'x:70000']
    labels: {'a-b': x, __address__: y}
"""
    assert mistakes_of(text) == [
        "test.yml:3:20: scrape_configs.0.scrape_interval: 15 has no unit; write a duration such as 30s, 5m or 1h30m",
        "test.yml:4:20: scrape_configs.0.relabel_configs: is not supported yet; remove it, or keep a Prometheus in "
        "front for this job",
        "test.yml:5:26: scrape_configs.0.kubernetes_sd_configs: is not supported yet; remove it, or keep a Prometheus "
        "in front for this job",
        "test.yml:6:3: scrape_configs.0.metrics_pth: unknown key; did you mean 'metrics_path'?",
        "test.yml:8:15: scrape_configs.0.static_configs.0.targets.0: 'http://x:1/metrics' is no target; write "
        "host:port, such as 127.0.0.1:9100",
        "test.yml:8:37: scrape_configs.0.static_configs.0.targets.1: 'x:70000' is no target; write host:port, such as "
        "127.0.0.1:9100",
        "test.yml:9:13: scrape_configs.0.static_configs.0.labels: 'a-b' is no label name; use letters, digits and _, "
        "and no digit first",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "scrape_interval: 5s, scrape_timeout: 6s",
            "scrape_timeout 6 s is longer than scrape_interval 5 s",
        ),
        ("basic_auth: {username: u, password: a, password_file: b}", "has both password and password_file; keep one"),
        ("basic_auth: {username: u}, bearer_token_file: x", "has basic_auth and bearer_token_file; keep one of them"),
        ("authorization: {type: Basic, credentials: x}", "'Basic' needs a user name; use basic_auth instead"),
        ("authorization: {credentials: x, credentials_file: y}", "has both credentials and credentials_file; keep one"),
        ("tls_config: {cert_file: x}", "key_file is missing; give cert_file and key_file together"),
        ("tls_config: {min_version: TLS13}", "is not supported yet"),
        ("body_size_limit: 5 apples", "'5 apples' is no size; write a number and a unit, such as 512KB or 64MB"),
        ("body_size_limit: 5", "5 has no unit; write a size such as 512KB or 64MB"),
        ("metrics_path: 'http://x/m'", "is no path; put parameters under params"),
        ("scheme: ftp", "should be 'http' or 'https' (it is 'ftp')"),
        ("sample_limit: -1", "should be greater than or equal to 0"),
        ("labels: {__meta: x}", "unknown key"),
    ],
)
def test_contradictions_are_refused(options: str, message: str) -> None:
    [mistake] = mistakes_of(f"scrape_configs: [{{job_name: x, {options}}}]")
    assert message in mistake


def test_two_jobs_of_one_name_are_refused() -> None:
    assert (
        "two jobs are called 'x'; rename one of them"
        in mistakes_of("scrape_configs: [{job_name: x}, {job_name: x}]")[0]
    )


def test_numbers_stand_for_text_where_they_keep_their_spelling() -> None:
    text = "scrape_configs: [{job_name: a, params: {id: [7]}, static_configs: [{labels: {shard: 0, canary: true}}]}]"
    [config] = validate(parse_yaml(text, "test.yml"), Root).scrape_configs
    assert config.params == {"id": ["7"]}
    assert config.static_configs[0].labels == {"shard": "0", "canary": "true"}
    [mistake] = mistakes_of("scrape_configs: [{job_name: a, static_configs: [{labels: {version: 1.10}}]}]")
    assert "is the number 1.1; put quotes around it" in mistake


def test_sizes_are_read_as_prometheus_writes_them() -> None:
    text = "scrape_configs: [{job_name: a, body_size_limit: 15MB}, {job_name: b, body_size_limit: 0}]"
    configs = validate(parse_yaml(text, "test.yml"), Root).scrape_configs
    assert [config.body_size_limit for config in configs] == [15 * 1024 * 1024, 0]


def test_secrets_do_not_show_when_a_config_is_printed() -> None:
    text = "scrape_configs: [{job_name: a, basic_auth: {username: u, password: hunter2}}]"
    assert "hunter2" not in repr(validate(parse_yaml(text, "test.yml"), Root))


@pytest.mark.parametrize(
    ("options", "path", "message"),
    [
        ("bearer_token_file: gone", "scrape_configs.0.bearer_token_file", "cannot read 'gone': No such file"),
        ("basic_auth: {password_file: gone}", "scrape_configs.0.basic_auth.password_file", "cannot read 'gone'"),
        ("tls_config: {ca_file: gone}", "scrape_configs.0.tls_config.ca_file", "cannot use gone: No such file"),
        ("scrape_timeout: 20s", "scrape_configs.0.scrape_timeout", "20 s is longer than the interval of 15 s"),
    ],
)
def test_mistakes_that_show_only_in_context_are_told_with_their_path(
    context: CollectorContext, options: str, path: str, message: str
) -> None:
    plugin: CollectorPlugin = ScrapePlugin()
    text = f"[{{job_name: x, static_configs: [{{targets: [a]}}], {options}}}]"
    config = validated(plugin, parse_yaml(text, "test.yml").data)
    with pytest.raises(ConfigError) as caught:
        plugin.build(config, context)
    [problem] = caught.value.problems
    assert problem.path == path
    assert problem.message.startswith(message)


def test_mistakes_of_all_jobs_are_told_at_once(context: CollectorContext) -> None:
    plugin: CollectorPlugin = ScrapePlugin()
    text = "[{job_name: a, bearer_token_file: gone}, {job_name: b}, {job_name: c, scrape_timeout: 20s}]"
    config = validated(plugin, parse_yaml(text, "test.yml").data)
    with pytest.raises(ConfigError) as caught:
        plugin.build(config, context)
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["scrape_configs.0.bearer_token_file", "scrape_configs.2.scrape_timeout"]
